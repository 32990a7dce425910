#include "common/storage/store.h"

#include <algorithm>
#include <cerrno>

#include <sys/stat.h>
#include <unistd.h>

#include "common/base/overload.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/fs.h"
#include "common/os/os_error.h"
#include "common/os/random.h"
#include "common/storage/file_store.h"
#include "common/storage/parallel.h"
#include "common/storage/s3_store.h"

namespace det::storage {
namespace {

constexpr int kReadThreads = 8;

absl::Status Damaged(const std::string& uuid, const std::string& path, std::string_view what) {
  return Error(absl::StatusCode::kDataLoss,
               "CHECKPOINT_DAMAGED",
               StrCat("checkpoint ", uuid, " is not what was reported: ", path, " ", what));
}

absl::Status CheckWanted(const std::string& uuid, const FileMap& wanted, const FileMap& there) {
  for (const auto& [path, bytes] : wanted) {
    const auto found = there.find(path);
    if (found == there.end()) return Damaged(uuid, path, "is missing");
    if (found->second != bytes) {
      return Damaged(uuid, path, StrCat("has ", found->second, " bytes instead of ", bytes));
    }
  }
  return absl::OkStatus();
}

// A folder that goes away unless it gets its name.
class Staging {
 public:
  explicit Staging(const std::string& destination)
      : path_(StrCat(ParentDirectory(destination), "/.tmp-", RandomUuid())) {}
  ~Staging() {
    if (!path_.empty()) (void)RemoveTree(path_);
  }
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  const std::string& path() const { return path_; }
  absl::Status MoveTo(const std::string& destination) {
    if (::rename(path_.c_str(), destination.c_str()) != 0) {
      return OsError(errno, "create", destination);
    }
    path_.clear();
    return absl::OkStatus();
  }

 private:
  std::string path_;
};

}  // namespace

absl::StatusOr<Size> CheckpointStore::Stat(const std::string& uuid) const {
  DET_ASSIGN_OR_RETURN(const FileMap files, List(uuid));
  Size size;
  for (const auto& [path, bytes] : files) {
    ++size.files;
    size.bytes += bytes;
  }
  return size;
}

absl::StatusOr<FileMap> CheckpointStore::Write(const std::string& uuid,
                                               const std::string& folder,
                                               const Progress& progress) const {
  absl::StatusOr<FileMap> files = Add(uuid, folder, progress);
  absl::Status status = files.status();
  if (status.ok()) status = Complete(uuid, *files);
  if (status.ok()) return files;
  // Unless another owns the name: then nothing of ours is there.
  if (ErrorReason(status) != "CHECKPOINT_EXISTS") (void)Abandon(uuid);
  return status;
}

absl::StatusOr<FileMap> CheckpointStore::DeleteMatching(
    const std::string& uuid, const std::vector<std::string>& globs) const {
  for (const std::string& glob : globs) DET_RETURN_IF_ERROR(CheckGlob(glob));
  DET_ASSIGN_OR_RETURN(const FileMap files, List(uuid));
  FileMap left;
  std::vector<std::string> going;
  for (const auto& [path, bytes] : files) {
    const bool matches = std::any_of(globs.begin(), globs.end(), [&path = path](const auto& glob) {
      return MatchesGlob(glob, path);
    });
    if (matches) going.push_back(path);
    if (!matches) left[path] = bytes;
  }
  DET_RETURN_IF_ERROR(DeleteFiles(uuid, going));
  return left;
}

absl::StatusOr<FileMap> CheckpointStore::DeleteReported(const Removal& removal,
                                                        const Reported& /*reported*/) const {
  FileMap left;
  if (!removal.globs.empty()) {
    DET_ASSIGN_OR_RETURN(left, DeleteMatching(removal.uuid, removal.globs));
  }
  // A checkpoint that has no file left is gone.
  if (left.empty()) DET_RETURN_IF_ERROR(Delete(removal.uuid));
  return left;
}

absl::Status CheckpointStore::Fetch(const std::string& uuid,
                                    const FileMap& wanted,
                                    const std::string& destination,
                                    const Progress& progress) const {
  DET_ASSIGN_OR_RETURN(const FileMap there, List(uuid));
  DET_RETURN_IF_ERROR(CheckWanted(uuid, wanted, there));
  const FileMap& files = wanted.empty() ? there : wanted;
  DET_RETURN_IF_ERROR(MakeDirs(ParentDirectory(destination), 0777));
  Staging staging(destination);
  std::vector<std::string> paths;
  DET_RETURN_IF_ERROR(MakeDirs(staging.path(), 0777));
  for (const auto& [path, bytes] : files) {
    paths.push_back(path);
    DET_RETURN_IF_ERROR(MakeDirs(ParentDirectory(StrCat(staging.path(), "/", path)), 0777));
  }
  DET_RETURN_IF_ERROR(ParallelFor(paths.size(), kReadThreads, [&](size_t i) {
    return Read(uuid, paths[i], StrCat(staging.path(), "/", paths[i]), progress);
  }));
  return staging.MoveTo(destination);
}

absl::StatusOr<std::unique_ptr<CheckpointStore>> OpenStore(const Place& place,
                                                           const StoreOptions& options) {
  using Result = absl::StatusOr<std::unique_ptr<CheckpointStore>>;
  return std::visit(
      overloaded{[&](const SharedFs& p) -> Result { return MakeFileStore(p.directory, options); },
                 [&](const Directory& p) -> Result { return MakeFileStore(p.path, options); },
                 [&](const S3& p) -> Result { return MakeS3Store(p, options); }},
      place);
}

}  // namespace det::storage
