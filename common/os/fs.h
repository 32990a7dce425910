#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include <sys/types.h>

#include "common/os/unique_fd.h"

// Files and directories. Any thread; every error names the path (OsError).
namespace det {

// open(2) with O_CLOEXEC, retried when a signal interrupts it.
absl::StatusOr<UniqueFd> OpenFile(const std::string& path, int flags, mode_t mode = 0);

// The whole file. RESOURCE_EXHAUSTED (FILE_TOO_LARGE) when it is larger than bytes_max.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t bytes_max);

// All of it, however many calls that takes. On an error some of it may have been written.
absl::Status WriteAll(int fd, std::string_view content, std::string_view path);

// Readers see the old content or the new one, whole, also after a power failure. `mode` holds
// whatever the umask is.
absl::Status AtomicWriteFile(const std::string& path, std::string_view content, mode_t mode);

// The same for what a power failure may take: nothing waits for the disk.
absl::Status AtomicWriteFileUnsynced(const std::string& path,
                                     std::string_view content,
                                     mode_t mode);

// Makes what was renamed, created or removed in a directory outlive a power failure.
absl::Status SyncDirectory(const std::string& path);
// "/" of "/a", "." of "a".
std::string ParentDirectory(std::string_view path);

// The directory and those above it that are missing. One that is there already is left as it is.
absl::Status MakeDirs(const std::string& path, mode_t mode);

// Removes a file, a symbolic link (itself, not what it points to) or a whole directory, however
// deep. Directories that their owner made unreadable are opened up first. Stays on the file system
// it begins on: FAILED_PRECONDITION (OTHER_FILE_SYSTEM) at a mount point. That nothing is there is
// no error. Memory and descriptors do not grow with the depth.
absl::Status RemoveTree(const std::string& path);

}  // namespace det
