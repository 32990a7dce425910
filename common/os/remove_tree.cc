#include <cerrno>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/fs.h"
#include "common/os/os_error.h"
#include "common/os/unique_dir.h"

namespace det {
namespace {

// How often a directory that something else keeps filling is emptied again.
constexpr int kRefillsMax = 100;
// Names of a directory that are held at a time.
constexpr size_t kBatch = 10'000;

struct Place {
  uint32_t device_major = 0;
  uint32_t device_minor = 0;
  uint64_t mount = 0;
  bool operator==(const Place&) const = default;
};

absl::StatusOr<Place> PlaceOf(int fd, std::string_view path) {
  struct statx info {};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID, &info) != 0) {
    return OsError(errno, "look at", path);
  }
  Place place{info.stx_dev_major, info.stx_dev_minor};
  if ((info.stx_mask & STATX_MNT_ID) != 0) place.mount = info.stx_mnt_id;
  return place;
}

// The thing itself, also when it is a link. A directory that its owner closed is opened up: its
// content can then be listed and removed, and it can be moved. ENOENT as an invalid descriptor.
absl::StatusOr<UniqueFd> OpenUp(int parent, const std::string& name, std::string_view path) {
  UniqueFd handle(::openat(parent, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (!handle.valid() && errno == ENOENT) return UniqueFd();
  if (!handle.valid()) return OsError(errno, "remove", path);
  struct stat info {};
  if (::fstat(handle.get(), &info) != 0) return OsError(errno, "remove", path);
  if (S_ISDIR(info.st_mode) && (info.st_mode & S_IRWXU) != S_IRWXU) {
    // Through /proc just this directory is meant, whatever its name now stands for. Should it fail,
    // the next step says why.
    const std::string self = StrCat("/proc/self/fd/", handle.get());
    (void)!::chmod(self.c_str(), (info.st_mode & 07777) | S_IRWXU);
  }
  return handle;
}

absl::StatusOr<std::vector<std::string>> List(int directory, std::string_view path) {
  // A descriptor of its own: closedir closes it, and reading begins at the start.
  UniqueFd copy(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!copy.valid()) return OsError(errno, "list", path);
  const UniqueDir dir(::fdopendir(copy.get()));
  if (dir == nullptr) return OsError(errno, "list", path);
  copy.Release();
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    if (names.size() >= kBatch) break;
  }
  return names;
}

// Removes a tree by lifting: a directory below a child of the root is moved into the root under a
// fresh name, so two descriptors suffice for any depth.
class Remover {
 public:
  Remover(int root, std::string path, Place place)
      : root_(root), path_(std::move(path)), place_(place) {}

  absl::Status Empty() {
    return ForEach(root_, [this](const std::string& name) { return RemoveChild(name); });
  }

 private:
  // Until the directory is empty. A batch that is not full counts as one refill.
  template <class Remove>
  absl::Status ForEach(int directory, Remove remove) {
    for (int refills = 0; refills < kRefillsMax;) {
      DET_ASSIGN_OR_RETURN(const std::vector<std::string> names, List(directory, path_));
      if (names.empty()) return absl::OkStatus();
      const uint64_t lifted_before = next_;
      for (const std::string& name : names) DET_RETURN_IF_ERROR(remove(name));
      // What was lifted into the root is new there, but it gets fewer with each level.
      if (names.size() < kBatch && next_ == lifted_before) ++refills;
    }
    return OsError(ENOTEMPTY, "remove (something keeps writing into it)", path_);
  }

  // True when it is gone, false when it is a directory that is not empty.
  absl::StatusOr<bool> RemoveSimple(int directory, const std::string& name) {
    if (::unlinkat(directory, name.c_str(), 0) == 0 || errno == ENOENT) return true;
    // For directories POSIX has EPERM, Linux EISDIR.
    if (errno != EISDIR && errno != EPERM) return Failed(errno, name);
    const int error = errno;
    if (::unlinkat(directory, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return true;
    if (errno == ENOTEMPTY || errno == EEXIST || errno == EBUSY) return false;
    return Failed(errno == ENOTDIR ? error : errno, name);
  }

  absl::Status RemoveChild(const std::string& name) {
    DET_ASSIGN_OR_RETURN(const bool gone, RemoveSimple(root_, name));
    if (gone) return absl::OkStatus();
    DET_ASSIGN_OR_RETURN(const UniqueFd handle, OpenUp(root_, name, Full(name)));
    if (!handle.valid()) return absl::OkStatus();
    DET_ASSIGN_OR_RETURN(const Place place, PlaceOf(handle.get(), Full(name)));
    if (!(place == place_)) return Failed(EXDEV, name);
    const UniqueFd child(::openat(handle.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!child.valid()) return Failed(errno, name);
    DET_RETURN_IF_ERROR(ForEach(child.get(), [&](const std::string& below) -> absl::Status {
      DET_ASSIGN_OR_RETURN(const bool removed, RemoveSimple(child.get(), below));
      return removed ? absl::OkStatus() : Lift(child.get(), below, StrCat(name, "/", below));
    }));
    // Should it have been filled again, the next pass over the root sees it.
    return RemoveSimple(root_, name).status();
  }

  absl::Status Lift(int child, const std::string& name, const std::string& shown) {
    DET_RETURN_IF_ERROR(OpenUp(child, name, Full(shown)));
    constexpr unsigned kNoReplace = 1;
    for (;;) {
      const std::string fresh = StrCat(".removed-", next_++);
      if (::renameat2(child, name.c_str(), root_, fresh.c_str(), kNoReplace) == 0) break;
      if (errno == ENOENT) break;
      // A mount point can't be moved.
      if (errno == EBUSY) return Failed(EXDEV, shown);
      if (errno != EEXIST) return Failed(errno, shown);
    }
    return absl::OkStatus();
  }

  std::string Full(std::string_view name) const { return StrCat(path_, "/", name); }
  absl::Status Failed(int error, std::string_view name) const {
    return OsError(error, "remove", Full(name));
  }

  int root_;
  std::string path_;
  Place place_;
  uint64_t next_ = 0;
};

}  // namespace

absl::Status RemoveTree(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) {
    return errno == ENOENT ? absl::OkStatus() : OsError(errno, "remove", path);
  }
  if (!S_ISDIR(info.st_mode)) {
    if (::unlink(path.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
    return OsError(errno, "remove", path);
  }
  DET_ASSIGN_OR_RETURN(const UniqueFd handle, OpenUp(AT_FDCWD, path, path));
  if (!handle.valid()) return absl::OkStatus();
  const UniqueFd root(::openat(handle.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return OsError(errno, "remove", path);
  DET_ASSIGN_OR_RETURN(const Place place, PlaceOf(root.get(), path));
  DET_RETURN_IF_ERROR(Remover(root.get(), path, place).Empty());
  if (::rmdir(path.c_str()) != 0 && errno != ENOENT) return OsError(errno, "remove", path);
  return absl::OkStatus();
}

}  // namespace det
