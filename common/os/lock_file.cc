#include "common/os/lock_file.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/fs.h"
#include "common/os/os_error.h"
#include "common/os/pause.h"

namespace det {
namespace {

constexpr int kTries = 10;
constexpr absl::Duration kBetweenTries = absl::Milliseconds(2);
constexpr size_t kHolderBytesMax = 200;

// False when somebody else holds it.
absl::StatusOr<bool> TryLock(int fd, int kind, const std::string& path) {
  while (::flock(fd, kind | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) return OsError(errno, "lock", path);
  }
  return true;
}

// Whoever removes a lock file leaves a lock on nothing to those that had it open.
absl::StatusOr<bool> IsStill(int fd, const std::string& path) {
  struct stat mine {};
  struct stat there {};
  if (::fstat(fd, &mine) != 0) return OsError(errno, "look at", path);
  if (::stat(path.c_str(), &there) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return OsError(errno, "look at", path);
  }
  return mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}

// Only for people to read, so a full disk does no harm.
void SayWhoHolds(int fd, std::string_view holder) {
  const std::string text = StrCat(holder.substr(0, kHolderBytesMax), " (pid ", ::getpid(), ")\n");
  if (::ftruncate(fd, 0) == 0) (void)!::pwrite(fd, text.data(), text.size(), 0);
}

absl::Status Held(const std::string& path) {
  absl::StatusOr<std::string> holder = ReadFile(path, 2 * kHolderBytesMax);
  if (!holder.ok() || holder->empty()) holder = "another process";
  while (holder->ends_with('\n')) holder->pop_back();
  return Error(absl::StatusCode::kUnavailable,
               "LOCK_HELD",
               StrCat("cannot lock ", path, ": held by ", *holder));
}

}  // namespace

absl::StatusOr<LockFile> LockFile::Acquire(const std::string& path, std::string_view holder) {
  for (int i = 0; i < kTries; ++i) {
    if (i > 0) PauseFor(kBetweenTries);
    constexpr mode_t kMode = 0600;
    DET_ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(path, O_RDWR | O_CREAT | O_NOFOLLOW, kMode));
    DET_ASSIGN_OR_RETURN(const bool locked, TryLock(fd.get(), LOCK_EX, path));
    if (!locked) continue;
    DET_ASSIGN_OR_RETURN(const bool still, IsStill(fd.get(), path));
    if (!still) continue;
    SayWhoHolds(fd.get(), holder);
    return LockFile(std::move(fd));
  }
  return Held(path);
}

absl::StatusOr<LockFile> LockFile::Adopt(UniqueFd fd,
                                         const std::string& path,
                                         std::string_view holder) {
  DET_ASSIGN_OR_RETURN(const bool locked, TryLock(fd.get(), LOCK_EX, path));
  if (!locked) return Held(path);
  DET_ASSIGN_OR_RETURN(const bool still, IsStill(fd.get(), path));
  if (!still) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "LOCK_MOVED",
                 StrCat("cannot lock ", path, ": it is another file than the one passed on"));
  }
  SayWhoHolds(fd.get(), holder);
  return LockFile(std::move(fd));
}

absl::StatusOr<bool> LockFile::IsHeld(const std::string& path) {
  const absl::StatusOr<UniqueFd> fd = OpenFile(path, O_RDONLY);
  if (absl::IsNotFound(fd.status())) return false;
  if (!fd.ok()) return fd.status();
  DET_ASSIGN_OR_RETURN(const bool locked, TryLock(fd->get(), LOCK_SH, path));
  return !locked;
}

}  // namespace det
