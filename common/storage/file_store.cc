#include "common/storage/file_store.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/fs.h"
#include "common/os/os_error.h"
#include "common/os/unique_dir.h"
#include "common/storage/tree.h"

namespace det::storage {
namespace {

constexpr size_t kBufferBytes = 1 << 20;
constexpr std::string_view kDraft = ".tmp-";
// Made with the first deletion: a place that it emptied does not look like one that is not mounted.
constexpr std::string_view kSign = ".det-checkpoints";

// Takes a new file away again unless it was kept.
class NewFile {
 public:
  explicit NewFile(std::string path) : path_(std::move(path)) {}
  ~NewFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  const std::string& path() const { return path_; }
  absl::Status KeepAs(const std::string& name) {
    if (::rename(path_.c_str(), name.c_str()) != 0) return OsError(errno, "create", name);
    path_.clear();
    return absl::OkStatus();
  }

 private:
  std::string path_;
};

absl::Status NotThere(const std::string& uuid, const std::string& where) {
  return Error(absl::StatusCode::kNotFound,
               "CHECKPOINT_NOT_THERE",
               StrCat("there is no checkpoint ", uuid, " in ", where));
}

class FileStore : public CheckpointStore {
 public:
  FileStore(std::string directory, const StoreOptions& options)
      : directory_(std::move(directory)),
        cancel_(options.cancel),
        off_limits_(options.off_limits) {}

  absl::StatusOr<FileMap> List(const std::string& uuid) const override {
    DET_ASSIGN_OR_RETURN(const UniqueFd folder, OpenCheckpoint(uuid));
    DET_ASSIGN_OR_RETURN(Tree tree, ListTree(folder.get(), PathOf(uuid)));
    // They take no room, but they can be deleted.
    for (const std::string& path : tree.others) tree.files[path] = 0;
    return std::move(tree.files);
  }

  absl::Status Read(const std::string& uuid,
                    const std::string& path,
                    const std::string& destination,
                    const Progress& progress) const override {
    DET_RETURN_IF_ERROR(CheckPath(path));
    DET_ASSIGN_OR_RETURN(const UniqueFd folder, OpenCheckpoint(uuid));
    DET_ASSIGN_OR_RETURN(const UniqueFd from, OpenFileOf(folder.get(), path, PathOf(uuid)));
    NewFile draft(StrCat(destination, ".part"));
    DET_ASSIGN_OR_RETURN(const UniqueFd to,
                         OpenFile(draft.path(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0666));
    DET_RETURN_IF_ERROR(Copy(from.get(), to.get(), draft.path(), progress));
    return draft.KeepAs(destination);
  }

  absl::StatusOr<FileMap> Add(const std::string& uuid,
                              const std::string& folder,
                              const Progress& progress) const override {
    DET_RETURN_IF_ERROR(CheckUuid(uuid));
    DET_ASSIGN_OR_RETURN(Upload upload, OpenUpload(folder));
    DET_RETURN_IF_ERROR(CheckNew(uuid));
    const std::string draft = PathOf(uuid, kDraft);
    DET_RETURN_IF_ERROR(MakeDirs(draft, 0777));
    DET_ASSIGN_OR_RETURN(const UniqueFd target, OpenFile(draft, O_RDONLY | O_DIRECTORY));
    for (auto& [path, bytes] : upload.files) {
      DET_ASSIGN_OR_RETURN(const UniqueFd from, OpenFileOf(upload.folder.get(), path, folder));
      DET_ASSIGN_OR_RETURN(const UniqueFd to, CreateBeneath(target.get(), path, 0666, draft));
      const std::string shown = StrCat(draft, "/", path);
      DET_RETURN_IF_ERROR(Copy(from.get(), to.get(), shown, progress));
      if (::fsync(to.get()) != 0) return OsError(errno, "write", shown);
      bytes = ::lseek(to.get(), 0, SEEK_CUR);  // it may have grown since it was listed
    }
    return std::move(upload.files);
  }

  absl::Status Complete(const std::string& uuid, const FileMap& files) const override {
    DET_RETURN_IF_ERROR(CheckUuid(uuid));
    const std::string draft = PathOf(uuid, kDraft);
    DET_RETURN_IF_ERROR(MakeDirs(draft, 0777));  // of a checkpoint without files
    DET_ASSIGN_OR_RETURN(const UniqueFd folder, OpenFile(draft, O_RDONLY | O_DIRECTORY));
    DET_ASSIGN_OR_RETURN(const Tree tree, ListTree(folder.get(), draft));
    if (tree.files != files) {
      return Error(absl::StatusCode::kDataLoss,
                   "CHECKPOINT_DAMAGED",
                   StrCat(draft, " does not hold what was written: something else writes there"));
    }
    for (const std::string& path : tree.folders) {
      DET_ASSIGN_OR_RETURN(const UniqueFd below,
                           OpenBeneath(folder.get(), path, O_RDONLY | O_DIRECTORY, draft));
      (void)::fsync(below.get());  // some file systems have nothing to sync of a folder
    }
    (void)::fsync(folder.get());
    DET_RETURN_IF_ERROR(CheckNew(uuid));
    if (::rename(draft.c_str(), PathOf(uuid).c_str()) != 0) {
      return OsError(errno, "create", PathOf(uuid));
    }
    return SyncDirectory(directory_);
  }

  absl::Status Abandon(const std::string& uuid) const override {
    DET_RETURN_IF_ERROR(CheckUuid(uuid));
    return RemoveTree(PathOf(uuid, kDraft));
  }

  absl::Status Delete(const std::string& uuid) const override {
    DET_RETURN_IF_ERROR(CheckUuid(uuid));
    DET_RETURN_IF_ERROR(CheckVisible());
    const std::string gone = PathOf(uuid, kGone);
    // What an earlier try left of it goes first: its name is needed.
    DET_RETURN_IF_ERROR(RemoveTree(gone));
    DET_RETURN_IF_ERROR(SignPlace(directory_));
    if (::rename(PathOf(uuid).c_str(), gone.c_str()) != 0 && errno != ENOENT) {
      return OsError(errno, "delete", PathOf(uuid));
    }
    DET_RETURN_IF_ERROR(SyncDirectory(directory_));
    DET_RETURN_IF_ERROR(RemoveTree(gone));
    return RemoveTree(PathOf(uuid, kDraft));
  }

  absl::StatusOr<FileMap> DeleteReported(const Removal& removal,
                                         const Reported& reported) const override {
    DET_RETURN_IF_ERROR(CheckVisible());
    return RemoveReported(directory_, removal, reported, off_limits_);
  }

  absl::Status DeleteFiles(const std::string& uuid,
                           const std::vector<std::string>& paths) const override {
    for (const std::string& path : paths) DET_RETURN_IF_ERROR(CheckPath(path));
    DET_ASSIGN_OR_RETURN(const UniqueFd folder, OpenCheckpoint(uuid));
    for (const std::string& path : paths) {
      DET_RETURN_IF_ERROR(RemoveBeneath(folder.get(), path, PathOf(uuid)));
    }
    return absl::OkStatus();
  }

 private:
  std::string PathOf(const std::string& uuid, std::string_view before = {}) const {
    return StrCat(directory_, "/", before, uuid);
  }

  // The place itself is there: not a path of another machine, nor an empty mount point.
  absl::Status CheckVisible() const {
    const absl::StatusOr<UniqueFd> fd = OpenFile(directory_, O_RDONLY | O_DIRECTORY);
    const std::string hint = "mount it here, or delete the checkpoints where it can be seen";
    if (!fd.ok() && !absl::IsNotFound(fd.status())) return fd.status();
    if (!fd.ok()) {
      return Error(absl::StatusCode::kFailedPrecondition,
                   "STORAGE_NOT_VISIBLE",
                   StrCat(directory_, " can't be seen from this machine"),
                   hint);
    }
    const UniqueDir dir(::opendir(directory_.c_str()));
    for (const dirent* entry = nullptr; dir && (entry = ::readdir(dir.get())) != nullptr;) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") return absl::OkStatus();
    }
    return Error(absl::StatusCode::kFailedPrecondition,
                 "STORAGE_NOT_VISIBLE",
                 StrCat(directory_, " is empty, as a file system that is not mounted would be"),
                 StrCat(hint, "; if it really is empty, make a file ", kSign, " there"));
  }

  absl::Status CheckNew(const std::string& uuid) const {
    struct stat info {};
    if (::lstat(PathOf(uuid).c_str(), &info) != 0) return absl::OkStatus();
    return Error(absl::StatusCode::kAlreadyExists,
                 "CHECKPOINT_EXISTS",
                 StrCat("there is a checkpoint ", uuid, " in ", directory_, " already"));
  }

  absl::StatusOr<UniqueFd> OpenCheckpoint(const std::string& uuid) const {
    DET_RETURN_IF_ERROR(CheckUuid(uuid));
    absl::StatusOr<UniqueFd> fd =
        OpenFile(PathOf(uuid), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK);
    if (fd.ok() || !absl::IsNotFound(fd.status())) return fd;
    DET_RETURN_IF_ERROR(CheckVisible());
    return NotThere(uuid, directory_);
  }

  static absl::StatusOr<UniqueFd> OpenFileOf(int folder,
                                             const std::string& path,
                                             const std::string& shown) {
    DET_ASSIGN_OR_RETURN(UniqueFd fd, OpenBeneath(folder, path, O_RDONLY | O_NONBLOCK, shown));
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) return OsError(errno, "look at", StrCat(shown, "/", path));
    if (S_ISREG(info.st_mode)) return fd;
    return Error(
        absl::StatusCode::kInvalidArgument, "NOT_A_FILE", StrCat(shown, "/", path, " is no file"));
  }

  absl::Status Copy(int from, int to, const std::string& shown, const Progress& progress) const {
    std::string buffer(kBufferBytes, '\0');
    for (;;) {
      if (cancel_ != nullptr && cancel_->load()) return absl::CancelledError("cancelled");
      const ssize_t got = ::read(from, buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return OsError(errno, "read what is copied to", shown);
      if (got == 0) return absl::OkStatus();
      DET_RETURN_IF_ERROR(
          WriteAll(to, std::string_view(buffer).substr(0, static_cast<size_t>(got)), shown));
      if (progress != nullptr) progress(got);
    }
  }

  const std::string directory_;
  const std::atomic<bool>* const cancel_;
  const OffLimits off_limits_;
};

}  // namespace

absl::Status SignPlace(const std::string& directory) {
  return AtomicWriteFile(
      StrCat(directory, "/", kSign), "Checkpoints of det lie in this folder.\n", 0644);
}

std::unique_ptr<CheckpointStore> MakeFileStore(const std::string& directory,
                                               const StoreOptions& options) {
  return std::make_unique<FileStore>(directory, options);
}

}  // namespace det::storage
