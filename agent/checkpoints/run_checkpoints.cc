#include "agent/checkpoints/run_checkpoints.h"

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <set>

#include <unistd.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"
#include "common/os/fs.h"
#include "common/os/os_error.h"
#include "common/storage/tree.h"

namespace det::agent {
namespace {

// Checkpoints have no such name.
constexpr std::string_view kHandedOver = ".handed-over-";

absl::Status NameTaken(const std::string& uuid) {
  return Error(absl::StatusCode::kAlreadyExists,
               "CHECKPOINT_EXISTS",
               StrCat("there is a checkpoint ", uuid, " already, of other files"),
               "give each checkpoint a name of its own: a UUID");
}

absl::StatusOr<storage::FileMap> FilesIn(const std::string& folder) {
  DET_ASSIGN_OR_RETURN(storage::Upload upload, storage::OpenUpload(folder));
  return std::move(upload.files);
}

bool IsThere(const std::string& path) {
  return access(path.c_str(), F_OK) == 0;
}

}  // namespace

// While one lives something is under way.
class RunCheckpoints::Busy {
 public:
  explicit Busy(RunCheckpoints& owner) : owner_(owner) {
    const MutexLock lock(owner_.mutex_);
    ++owner_.busy_;
  }
  ~Busy() {
    const MutexLock lock(owner_.mutex_);
    --owner_.busy_;
    owner_.idle_.NotifyAll();
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  RunCheckpoints& owner_;
};

RunCheckpoints::RunCheckpoints(Options options) : options_(std::move(options)) {}

std::string RunCheckpoints::Local(const std::string& uuid) const {
  return StrCat(options_.folder, "/", uuid);
}
std::string RunCheckpoints::Record(const std::string& uuid) const {
  return StrCat(options_.records, "/", uuid);
}
std::string RunCheckpoints::HandedOver(const std::string& uuid) const {
  return StrCat(options_.records, "/", kHandedOver, uuid);
}

absl::StatusOr<std::unique_ptr<storage::CheckpointStore>> RunCheckpoints::Open(
    const std::atomic<bool>* cancel, absl::Duration patience) const {
  DET_ASSIGN_OR_RETURN(const storage::Place place, storage::ParseUrl(options_.url));
  storage::StoreOptions options{.clock = options_.clock, .cancel = cancel, .patience = patience};
  options.secrets = [this](const std::string& name) -> absl::StatusOr<Secret> {
    const auto found = options_.secrets.find(name);
    if (found != options_.secrets.end()) return found->second;
    return absl::NotFoundError(options_.secrets_fault);
  };
  return storage::OpenStore(place, options);
}

absl::StatusOr<storage::FileMap> RunCheckpoints::Upload(const std::string& uuid) {
  DET_RETURN_IF_ERROR(storage::CheckUuid(uuid));
  const Busy busy(*this);
  if (cancel_) return absl::CancelledError("the run has ended");
  DET_ASSIGN_OR_RETURN(const auto store, Open(&cancel_, options_.patience));
  absl::StatusOr<storage::FileMap> files = Bring(*store, uuid);
  if (files.ok()) return files;
  // A bucket out of reach keeps nobody waiting twice: the end of the run, or another try, cleans
  // up.
  if (!cancel_ && !MayPass(files.status())) TakeBack(uuid).IgnoreError();
  return Annotate(files.status(), StrCat("checkpoint ", uuid, " can't be stored"));
}

absl::StatusOr<storage::FileMap> RunCheckpoints::Bring(const storage::CheckpointStore& store,
                                                       const std::string& uuid) {
  const absl::StatusOr<storage::FileMap> there = store.List(uuid);
  const absl::StatusOr<storage::FileMap> local = FilesIn(Local(uuid));
  if (there.ok()) {
    const absl::StatusOr<storage::FileMap> stored = Stored(uuid, *there, local);
    if (!stored.ok() || !stored->empty()) return stored;
  } else if (ErrorReason(there.status()) != "CHECKPOINT_NOT_THERE") {
    return there.status();
  }
  DET_RETURN_IF_ERROR(local.status());
  if (IsThere(Record(uuid))) {
    DET_RETURN_IF_ERROR(store.Delete(uuid));
  } else {
    DET_RETURN_IF_ERROR(MakeDirs(options_.records, 0700));
    DET_RETURN_IF_ERROR(AtomicWriteFile(Record(uuid), "", 0600));
  }
  DET_ASSIGN_OR_RETURN(storage::FileMap files, store.Add(uuid, Local(uuid), nullptr));
  DET_RETURN_IF_ERROR(store.Complete(uuid, files));
  return files;
}

absl::StatusOr<storage::FileMap> RunCheckpoints::Stored(
    const std::string& uuid,
    const storage::FileMap& there,
    const absl::StatusOr<storage::FileMap>& local) const {
  const bool up = IsThere(Record(uuid));
  // Reported again, after its folder went.
  if (absl::IsNotFound(local.status())) return there;
  DET_RETURN_IF_ERROR(local.status());
  const bool ours = up || IsThere(HandedOver(uuid));
  if (ours && *local == there) return there;
  if (!up) return NameTaken(uuid);
  return storage::FileMap();  // of an earlier try, before the program wrote it anew
}

absl::Status RunCheckpoints::HandOver(const std::string& uuid) {
  const std::string record = Record(uuid);
  if (rename(record.c_str(), HandedOver(uuid).c_str()) != 0 && errno != ENOENT) {
    return OsError(errno, "rename", record);
  }
  return absl::OkStatus();
}

void RunCheckpoints::RemoveLocal(const std::string& uuid) {
  if (storage::CheckUuid(uuid).ok()) RemoveTree(Local(uuid)).IgnoreError();
}

absl::Status RunCheckpoints::Fetch(const std::string& uuid) {
  DET_RETURN_IF_ERROR(storage::CheckUuid(uuid));
  const Busy busy(*this);
  if (cancel_) return absl::CancelledError("the run has ended");
  if (IsThere(Local(uuid))) return absl::OkStatus();
  DET_RETURN_IF_ERROR(MakeDirs(options_.records, 0700));
  DET_RETURN_IF_ERROR(AtomicWriteFileUnsynced(HandedOver(uuid), "", 0600));
  DET_ASSIGN_OR_RETURN(const auto store, Open(&cancel_, options_.patience));
  return Annotate(store->Fetch(uuid, {}, Local(uuid), nullptr),
                  StrCat("checkpoint ", uuid, " can't be fetched"));
}

void RunCheckpoints::Cancel() {
  cancel_ = true;
}

absl::Status RunCheckpoints::TakeBack(const std::string& uuid) const {
  if (!IsThere(Record(uuid))) return absl::OkStatus();
  DET_ASSIGN_OR_RETURN(const auto store, Open(options_.stopping, options_.last_patience));
  const absl::Status status = store->Delete(uuid);
  // Without a bucket there is nothing in it.
  if (!status.ok() && ErrorReason(status) != "S3_NO_SUCH_BUCKET") return status;
  return RemoveTree(Record(uuid));
}

absl::Status RunCheckpoints::CleanUp() {
  {
    MutexLock lock(mutex_);
    while (busy_ > 0) idle_.Wait(mutex_);
  }
  absl::Status first;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(options_.records, error)) {
    const std::string uuid = entry.path().filename().string();
    if (uuid.starts_with('.')) continue;
    const absl::Status status = TakeBack(uuid);
    if (first.ok() && !status.ok()) {
      first = Annotate(status, StrCat("what was stored of checkpoint ", uuid, " can't be removed"));
    }
  }
  return first;
}

bool MayPass(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsCancelled(status) || absl::IsAborted(status) ||
         absl::IsResourceExhausted(status);
}

}  // namespace det::agent
