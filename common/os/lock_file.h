#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "common/os/unique_fd.h"

namespace det {

// A lock that ends with its holder, however that dies: flock(2) on a file. It belongs to the open
// descriptor, so a child that is given the descriptor (SpawnOptions::pass_fds) holds it too, and it
// is free when the last copy is closed. One thread.
class LockFile {
 public:
  // Takes the lock or fails at once: UNAVAILABLE (LOCK_HELD), naming who said to hold it. Makes the
  // file if need be (mode 0600) and writes `holder` and the pid into it.
  static absl::StatusOr<LockFile> Acquire(const std::string& path, std::string_view holder);
  // The same with a descriptor that was passed on together with the lock. FAILED_PRECONDITION
  // (LOCK_MOVED) when `path` is another file by now.
  static absl::StatusOr<LockFile> Adopt(UniqueFd fd,
                                        const std::string& path,
                                        std::string_view holder);
  // Whether anybody holds it now. Takes it for a moment, so somebody else's Acquire may fail just
  // then: Acquire tries for some milliseconds.
  static absl::StatusOr<bool> IsHeld(const std::string& path);

  int fd() const { return fd_.get(); }
  // Gives up this copy of the lock.
  void Release() { fd_.Reset(); }

 private:
  explicit LockFile(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

}  // namespace det
