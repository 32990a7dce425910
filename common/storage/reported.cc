#include "common/storage/reported.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"
#include "common/os/fs.h"
#include "common/os/os_error.h"
#include "common/storage/file_store.h"
#include "common/storage/tree.h"

namespace det::storage {
namespace {

namespace fs = std::filesystem;

constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
// The clocks of two machines may differ.
constexpr absl::Duration kClocksDiffer = absl::Minutes(10);

absl::Status NotProven(const std::string& folder, std::string_view what) {
  return Error(absl::StatusCode::kFailedPrecondition,
               "CHECKPOINT_NOT_PROVEN",
               StrCat(folder, " is not what was reported: ", what),
               "nothing of it was removed: look whether it is a checkpoint, and remove it by hand");
}

bool IsBelow(const std::string& path, const std::string& root) {
  return path.starts_with(root) &&
         (path.size() == root.size() || root.ends_with('/') || path[root.size()] == '/');
}

// Where it is, or would be.
std::string Real(const std::string& path) {
  std::error_code fault;
  std::string real = fs::weakly_canonical(path, fault).string();
  if (fault) real = fs::path(path).lexically_normal().string();
  while (real.size() > 1 && real.ends_with('/')) real.pop_back();
  return real;
}

bool IsUuid(const std::string& name) {
  constexpr std::string_view kShape = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  return std::equal(name.begin(), name.end(), kShape.begin(), kShape.end(), [](char c, char shape) {
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    return shape == 'x' ? hex : c == shape;
  });
}

absl::Status CheckListed(const Tree& tree, const FileMap& listed, const std::string& shown) {
  for (const auto& [path, bytes] : tree.files) {
    const auto found = listed.find(path);
    if (found == listed.end()) {
      return NotProven(shown, StrCat("it holds ", QuoteJson(path), ", which was not reported"));
    }
    if (found->second != bytes) {
      return NotProven(
          shown, StrCat(QuoteJson(path), " has ", bytes, " bytes instead of ", found->second));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckAge(int folder, const Tree& tree, absl::Time since, const std::string& shown) {
  for (const auto& [path, bytes] : tree.files) {
    DET_ASSIGN_OR_RETURN(const UniqueFd fd, OpenBeneath(folder, path, O_PATH, shown));
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) return OsError(errno, "look at", StrCat(shown, "/", path));
    if (absl::TimeFromTimespec(info.st_ctim) + kClocksDiffer < since) {
      return NotProven(shown, StrCat(QuoteJson(path), " is older than its trial"));
    }
  }
  return absl::OkStatus();
}

// A folder that shows what it is.
struct Proven {
  UniqueFd fd;
  Tree tree;
};

class Remover {
 public:
  Remover(std::string directory, const Removal& removal, const Reported& reported)
      : directory_(std::move(directory)), removal_(removal), reported_(reported) {}

  absl::Status Open(const OffLimits& off_limits) {
    DET_RETURN_IF_ERROR(CheckUuid(removal_.uuid));
    for (const std::string& glob : removal_.globs) DET_RETURN_IF_ERROR(CheckGlob(glob));
    DET_ASSIGN_OR_RETURN(root_, OpenFile(directory_, O_RDONLY | O_DIRECTORY));
    // Of the folder that is open, whatever its path leads to by now.
    DET_RETURN_IF_ERROR(CheckOffLimits(off_limits, StrCat("/proc/self/fd/", root_.get())));
    const std::string folder = StrCat("/proc/self/fd/", root_.get(), "/", removal_.uuid);
    return CheckOffLimits(off_limits, folder);
  }

  absl::StatusOr<FileMap> RemoveMatching() {
    DET_ASSIGN_OR_RETURN(const std::optional<Proven> folder, Prove(removal_.uuid));
    if (!folder.has_value()) {
      return Error(absl::StatusCode::kNotFound,
                   "CHECKPOINT_NOT_THERE",
                   StrCat("there is no checkpoint ", removal_.uuid, " in ", directory_));
    }
    FileMap left;
    for (const auto& [path, bytes] : folder->tree.files) {
      const bool goes = std::any_of(
          removal_.globs.begin(), removal_.globs.end(), [&path = path](const std::string& glob) {
            return MatchesGlob(glob, path);
          });
      if (!goes) left[path] = bytes;
      if (goes) DET_RETURN_IF_ERROR(RemoveBeneath(folder->fd.get(), path, Shown(removal_.uuid)));
    }
    return left;
  }

  // It stops counting before its first file goes. An earlier try may have come no farther.
  absl::Status RemoveAll() {
    const std::string gone = StrCat(kGone, removal_.uuid);
    DET_ASSIGN_OR_RETURN(const std::optional<Proven> before, Prove(gone));
    DET_ASSIGN_OR_RETURN(const std::optional<Proven> whole, Prove(removal_.uuid));
    if (before.has_value()) DET_RETURN_IF_ERROR(Empty(*before, gone));
    if (!whole.has_value()) return absl::OkStatus();
    DET_RETURN_IF_ERROR(SignPlace(directory_));
    if (::renameat(root_.get(), removal_.uuid.c_str(), root_.get(), gone.c_str()) != 0) {
      return OsError(errno, "delete", Shown(removal_.uuid));
    }
    if (::fsync(root_.get()) != 0) return OsError(errno, "write", directory_);
    return Empty(*whole, gone);
  }

 private:
  std::string Shown(const std::string& name) const { return StrCat(directory_, "/", name); }

  absl::StatusOr<std::optional<Proven>> Prove(const std::string& name) const {
    std::optional<Proven> out;
    const std::string shown = Shown(name);
    UniqueFd fd(::openat(root_.get(), name.c_str(), kFolderFlags));
    if (!fd.valid()) {
      if (errno == ENOENT) return out;
      if (errno == ENOTDIR || errno == ELOOP) return NotProven(shown, "it is no folder");
      return OsError(errno, "open", shown);
    }
    DET_ASSIGN_OR_RETURN(Tree tree, ListTree(fd.get(), shown));
    if (!tree.others.empty()) {
      return NotProven(shown, StrCat(QuoteJson(tree.others.front()), " is no file"));
    }
    if (!reported_.files.empty()) {
      DET_RETURN_IF_ERROR(CheckListed(tree, reported_.files, shown));
    } else if (!IsUuid(removal_.uuid)) {
      return NotProven(shown, "its files were not listed, and its name is no UUID");
    } else {
      DET_RETURN_IF_ERROR(CheckAge(fd.get(), tree, reported_.since, shown));
    }
    out = Proven{std::move(fd), std::move(tree)};
    return out;
  }

  absl::Status Empty(const Proven& folder, const std::string& name) const {
    const std::string shown = Shown(name);
    for (const auto& [path, bytes] : folder.tree.files) {
      DET_RETURN_IF_ERROR(RemoveBeneath(folder.fd.get(), path, shown));
    }
    // Those that were empty before.
    for (auto at = folder.tree.folders.rbegin(); at != folder.tree.folders.rend(); ++at) {
      DET_RETURN_IF_ERROR(RemoveBeneath(folder.fd.get(), *at, shown));
    }
    if (::unlinkat(root_.get(), name.c_str(), AT_REMOVEDIR) != 0) {
      return OsError(errno, "delete", shown);
    }
    return absl::OkStatus();
  }

  const std::string directory_;
  const Removal& removal_;
  const Reported& reported_;
  UniqueFd root_;
};

}  // namespace

absl::Status CheckOffLimits(const OffLimits& off_limits, const std::string& directory) {
  if (off_limits.data.empty()) return absl::OkStatus();
  const std::string real = Real(directory);
  const std::string data = Real(off_limits.data);
  const std::string meant = off_limits.checkpoints.empty() ? "" : Real(off_limits.checkpoints);
  bool free = true;
  if (IsBelow(real, data)) {
    free = meant != data && IsBelow(meant, data) && IsBelow(real, meant);
  } else if (IsBelow(data, real)) {
    free = real == meant;
  }
  if (free) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition,
               "STORAGE_PROTECTED",
               StrCat(real, " is no place for checkpoints: the master keeps its own data there"),
               "choose another folder");
}

bool IsSameFolder(const std::string& one, const std::string& other) {
  if (one == other) return true;
  if (!one.starts_with('/') || !other.starts_with('/')) return false;
  if (Real(one) == Real(other)) return true;
  struct stat a {};
  struct stat b {};
  return ::stat(one.c_str(), &a) == 0 && ::stat(other.c_str(), &b) == 0 && a.st_dev == b.st_dev &&
         a.st_ino == b.st_ino;
}

absl::StatusOr<FileMap> RemoveReported(const std::string& directory,
                                       const Removal& removal,
                                       const Reported& reported,
                                       const OffLimits& off_limits) {
  Remover remover(directory, removal, reported);
  DET_RETURN_IF_ERROR(remover.Open(off_limits));
  FileMap left;
  if (!removal.globs.empty()) {
    DET_ASSIGN_OR_RETURN(left, remover.RemoveMatching());
  }
  // A checkpoint that has no file left is gone.
  if (left.empty()) DET_RETURN_IF_ERROR(remover.RemoveAll());
  return left;
}

}  // namespace det::storage
