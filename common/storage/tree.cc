#include "common/storage/tree.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/fs.h"
#include "common/os/os_error.h"
#include "common/os/unique_dir.h"

namespace det::storage {
namespace {

constexpr int kFolderFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// The folder that holds `path`, and what it is called there.
struct Parent {
  UniqueFd fd;
  std::string name;
};

absl::StatusOr<Parent> OpenParent(int root,
                                  const std::string& path,
                                  bool make,
                                  const std::string& shown) {
  UniqueFd at(::openat(root, ".", kFolderFlags));
  if (!at.valid()) return OsError(errno, "open", shown);
  size_t begin = 0;
  for (size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', begin)) {
    const std::string name = path.substr(begin, slash - begin);
    const std::string full = StrCat(shown, "/", path.substr(0, slash));
    if (make && ::mkdirat(at.get(), name.c_str(), 0777) != 0 && errno != EEXIST) {
      return OsError(errno, "create the folder", full);
    }
    UniqueFd next(::openat(at.get(), name.c_str(), kFolderFlags));
    if (!next.valid()) return OsError(errno, "open", full);
    at = std::move(next);
    begin = slash + 1;
  }
  return Parent{std::move(at), path.substr(begin)};
}

absl::Status ListFolder(int fd, const std::string& below, const std::string& shown, Tree* tree) {
  UniqueFd copy(::openat(fd, ".", kFolderFlags));
  if (!copy.valid()) return OsError(errno, "list", shown);
  const UniqueDir dir(::fdopendir(copy.get()));
  if (dir == nullptr) return OsError(errno, "list", shown);
  copy.Release();
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(dir.get());
    if (entry == nullptr) return errno == 0 ? absl::OkStatus() : OsError(errno, "list", shown);
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    const std::string path = below.empty() ? name : StrCat(below, "/", name);
    struct stat info {};
    if (::fstatat(fd, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) continue;  // gone meanwhile
      return OsError(errno, "look at", StrCat(shown, "/", path));
    }
    if (S_ISDIR(info.st_mode)) {
      tree->folders.push_back(path);
    } else if (S_ISREG(info.st_mode)) {
      tree->files[path] = info.st_size;
    } else {
      tree->others.push_back(path);
    }
  }
}

}  // namespace

absl::StatusOr<UniqueFd> OpenBeneath(int root,
                                     const std::string& path,
                                     int flags,
                                     const std::string& shown) {
  DET_ASSIGN_OR_RETURN(const Parent parent, OpenParent(root, path, false, shown));
  UniqueFd fd(::openat(parent.fd.get(), parent.name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return OsError(errno, "open", StrCat(shown, "/", path));
  return fd;
}

absl::StatusOr<UniqueFd> CreateBeneath(int root,
                                       const std::string& path,
                                       mode_t mode,
                                       const std::string& shown) {
  DET_ASSIGN_OR_RETURN(const Parent parent, OpenParent(root, path, true, shown));
  UniqueFd fd(::openat(parent.fd.get(),
                       parent.name.c_str(),
                       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                       mode));
  if (!fd.valid()) return OsError(errno, "create", StrCat(shown, "/", path));
  return fd;
}

absl::Status RemoveBeneath(int root, const std::string& path, const std::string& shown) {
  std::string at = path;
  for (;;) {
    const size_t slash = at.rfind('/');
    const std::string parent = slash == std::string::npos ? "." : at.substr(0, slash);
    const absl::StatusOr<UniqueFd> fd = OpenBeneath(root, parent, O_RDONLY | O_DIRECTORY, shown);
    if (absl::IsNotFound(fd.status())) return absl::OkStatus();
    DET_RETURN_IF_ERROR(fd.status());
    const std::string name = at.substr(slash == std::string::npos ? 0 : slash + 1);
    int result = ::unlinkat(fd->get(), name.c_str(), at == path ? 0 : AT_REMOVEDIR);
    if (result != 0 && at == path && (errno == EISDIR || errno == EPERM)) {
      result = ::unlinkat(fd->get(), name.c_str(), AT_REMOVEDIR);
    }
    if (result != 0 && errno != ENOENT) {
      if (at != path) return absl::OkStatus();  // not empty
      return OsError(errno, "delete", StrCat(shown, "/", path));
    }
    if (slash == std::string::npos) return absl::OkStatus();
    at = parent;
  }
}

absl::StatusOr<Tree> ListTree(int root, const std::string& shown) {
  Tree tree;
  DET_RETURN_IF_ERROR(ListFolder(root, "", shown, &tree));
  // What is found is put at the end: the loop comes to it.
  for (size_t i = 0; i < tree.folders.size(); ++i) {
    const std::string folder = tree.folders[i];
    DET_ASSIGN_OR_RETURN(const UniqueFd fd, OpenBeneath(root, folder, kFolderFlags, shown));
    DET_RETURN_IF_ERROR(ListFolder(fd.get(), folder, shown, &tree));
  }
  return tree;
}

absl::StatusOr<Upload> OpenUpload(const std::string& folder) {
  Upload upload;
  DET_ASSIGN_OR_RETURN(upload.folder, OpenFile(folder, O_RDONLY | O_DIRECTORY));
  DET_ASSIGN_OR_RETURN(Tree tree, ListTree(upload.folder.get(), folder));
  if (!tree.others.empty()) {
    return Error(
        absl::StatusCode::kInvalidArgument,
        "NOT_A_FILE",
        StrCat(
            "a checkpoint holds files and folders only, not ", folder, "/", tree.others.front()));
  }
  upload.files = std::move(tree.files);
  for (const auto& [path, bytes] : upload.files) DET_RETURN_IF_ERROR(CheckPath(path));
  return upload;
}

}  // namespace det::storage
