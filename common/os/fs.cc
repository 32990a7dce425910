#include "common/os/fs.h"

#include <atomic>
#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/os_error.h"

namespace det {
namespace {

constexpr int kTemporaryNameTries = 100;

std::string BaseName(std::string_view path) {
  const size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

// A new file in `directory`; its name is short, so any name that fits can be written.
absl::StatusOr<UniqueFd> CreateTemporary(int directory,
                                         mode_t mode,
                                         std::string_view path,
                                         std::string* name) {
  static std::atomic<uint64_t> counter{0};
  for (int i = 0; i < kTemporaryNameTries; ++i) {
    *name = StrCat(".tmp-", ::getpid(), "-", counter.fetch_add(1));
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    UniqueFd fd(::openat(directory, name->c_str(), flags, mode));
    if (fd.valid()) return fd;
    // Left by an earlier process of the same number that was killed.
    if (errno != EEXIST && errno != EINTR) return OsError(errno, "create a file next to", path);
  }
  return OsError(EEXIST, "create a temporary file next to", path);
}

absl::Status SyncDirectoryFd(int fd, std::string_view path) {
  // EINVAL: a file system that has nothing to sync.
  if (::fsync(fd) != 0 && errno != EINVAL) return OsError(errno, "sync directory", path);
  return absl::OkStatus();
}

absl::Status Fill(int file, std::string_view content, mode_t mode, std::string_view path) {
  if (::fchmod(file, mode) != 0) return OsError(errno, "set the mode of", path);
  return WriteAll(file, content, path);
}

absl::Status Replace(const std::string& path, std::string_view content, mode_t mode, bool sync) {
  const std::string parent = ParentDirectory(path);
  DET_ASSIGN_OR_RETURN(const UniqueFd directory, OpenFile(parent, O_RDONLY | O_DIRECTORY));
  std::string temporary;
  DET_ASSIGN_OR_RETURN(const UniqueFd file,
                       CreateTemporary(directory.get(), mode, path, &temporary));
  absl::Status status = Fill(file.get(), content, mode, path);
  if (status.ok() && sync && ::fsync(file.get()) != 0) status = OsError(errno, "sync", path);
  if (status.ok() &&
      ::renameat(directory.get(), temporary.c_str(), directory.get(), BaseName(path).c_str()) !=
          0) {
    status = OsError(errno, "write", path);
  }
  if (!status.ok()) {
    ::unlinkat(directory.get(), temporary.c_str(), 0);
    return status;
  }
  return sync ? SyncDirectoryFd(directory.get(), parent) : absl::OkStatus();
}

absl::Status MakeDir(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) == 0) return absl::OkStatus();
  const int error = errno;
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode)) return absl::OkStatus();
    return OsError(ENOTDIR, "make directory", path);
  }
  return OsError(error, "make directory", path);
}

}  // namespace

absl::StatusOr<UniqueFd> OpenFile(const std::string& path, int flags, mode_t mode) {
  for (;;) {
    UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, mode));
    if (fd.valid()) return fd;
    if (errno != EINTR) return OsError(errno, (flags & O_CREAT) != 0 ? "create" : "open", path);
  }
}

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t bytes_max) {
  DET_ASSIGN_OR_RETURN(const UniqueFd fd, OpenFile(path, O_RDONLY));
  std::string content;
  // One byte more than is allowed tells that there is more. The size is not asked for: files of
  // /proc say 0.
  size_t used = 0;
  for (;;) {
    content.resize(std::min(bytes_max + 1, std::max<size_t>(4096, used * 2)));
    const ssize_t got = ::read(fd.get(), content.data() + used, content.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return OsError(errno, "read", path);
    used += static_cast<size_t>(got);
    if (used > bytes_max) {
      return Error(absl::StatusCode::kResourceExhausted,
                   "FILE_TOO_LARGE",
                   StrCat("cannot read ", path, ": it is larger than ", bytes_max, " bytes"));
    }
    if (got == 0) break;
  }
  content.resize(used);
  return content;
}

absl::Status WriteAll(int fd, std::string_view content, std::string_view path) {
  while (!content.empty()) {
    const ssize_t put = ::write(fd, content.data(), content.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return OsError(errno, "write", path);
    content.remove_prefix(static_cast<size_t>(put));
  }
  return absl::OkStatus();
}

absl::Status AtomicWriteFile(const std::string& path, std::string_view content, mode_t mode) {
  return Replace(path, content, mode, /*sync=*/true);
}

absl::Status AtomicWriteFileUnsynced(const std::string& path,
                                     std::string_view content,
                                     mode_t mode) {
  return Replace(path, content, mode, /*sync=*/false);
}

absl::Status SyncDirectory(const std::string& path) {
  DET_ASSIGN_OR_RETURN(const UniqueFd fd, OpenFile(path, O_RDONLY | O_DIRECTORY));
  return SyncDirectoryFd(fd.get(), path);
}

std::string ParentDirectory(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(slash == 0 ? "/" : path.substr(0, slash));
}

absl::Status MakeDirs(const std::string& path, mode_t mode) {
  if (path.empty()) return OsError(ENOENT, "make directory", "\"\"");
  for (size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    DET_RETURN_IF_ERROR(MakeDir(path.substr(0, slash), mode));
  }
  return path.back() == '/' ? absl::OkStatus() : MakeDir(path, mode);
}

}  // namespace det
