#include "cli/cmd/checkpoint_fetch.h"

#include <atomic>
#include <filesystem>
#include <map>

#include "cli/app/context.h"
#include "cli/app/interrupt.h"
#include "cli/app/progress_line.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"
#include "common/clock/clock.h"
#include "common/json/json.h"
#include "common/s3/credentials.h"
#include "common/storage/store.h"

namespace det::cli {
namespace {

absl::Status NotVisible(const api::Checkpoint& checkpoint) {
  const std::string& directory = checkpoint.directory();
  return Error(
      absl::StatusCode::kFailedPrecondition,
      "CHECKPOINT_NOT_VISIBLE",
      StrCat("checkpoint ",
             checkpoint.uuid(),
             " lies in ",
             directory.empty() ? "a place that the master does not name" : directory,
             ", which can't be seen from this machine"),
      StrCat("run this where the cluster's checkpoints are mounted, or copy it from there: "
             "rsync -a HOST:",
             directory,
             "/ DIR"));
}

// The files that make up the checkpoint, as its trial has reported them.
std::map<std::string, int64_t> ReportedFiles(const api::Checkpoint& checkpoint) {
  std::map<std::string, int64_t> files;
  const absl::StatusOr<Value> value = ParseJson(checkpoint.files_json());
  if (!value.ok() || !value->is_object()) return files;
  for (const auto& [path, bytes] : value->as_object()) {
    if (bytes.is_int() && !path.ends_with('/')) files[path] = bytes.as_int();
  }
  return files;
}

absl::Status CheckFree(const std::string& destination) {
  std::error_code error;
  if (!std::filesystem::exists(std::filesystem::symlink_status(destination, error))) {
    return absl::OkStatus();
  }
  return Error(absl::StatusCode::kAlreadyExists,
               "DESTINATION_EXISTS",
               StrCat(destination, " exists already"),
               "name another place with -o DIR");
}

// The keys of the cluster stay there: whoever downloads has others.
storage::Place WithOwnKeys(storage::Place place) {
  auto* bucket = std::get_if<storage::S3>(&place);
  if (bucket == nullptr || s3::NamesVariable(bucket->access_key_ref)) return place;
  bucket->access_key_ref.clear();
  bucket->secret_key_ref.clear();
  return place;
}

// From a bucket, with the credentials of this machine (docs/guide/checkpoints.md).
absl::StatusOr<CopiedTree> FetchFromBucket(Context& context,
                                           const api::Checkpoint& checkpoint,
                                           const std::string& destination) {
  DET_RETURN_IF_ERROR(CheckFree(destination));
  DET_ASSIGN_OR_RETURN(const storage::Place place, storage::ParseUrl(checkpoint.storage()));
  std::atomic<bool> cancel = false;
  const SystemClock clock;
  storage::StoreOptions options{.clock = &clock, .cancel = &cancel, .patience = absl::Seconds(20)};
  options.environment = [&](const char* name) { return context.getenv()(name); };
  DET_ASSIGN_OR_RETURN(const auto store, storage::OpenStore(WithOwnKeys(place), options));
  std::atomic<int64_t> bytes = 0;
  const InterruptGuard guard([&] { cancel = true; });
  const std::map<std::string, int64_t> files = ReportedFiles(checkpoint);
  const absl::Status status =
      store->Fetch(checkpoint.uuid(), files, destination, [&](int64_t more) { bytes += more; });
  if (guard.interrupted()) return absl::CancelledError("interrupted");
  DET_RETURN_IF_ERROR(status);
  return CopiedTree{.files = static_cast<int64_t>(files.size()), .bytes = bytes.load()};
}

}  // namespace

absl::StatusOr<CopiedTree> FetchCheckpoint(Context& context,
                                           const api::Checkpoint& checkpoint,
                                           const std::string& destination) {
  if (checkpoint.storage().starts_with("s3://"))
    return FetchFromBucket(context, checkpoint, destination);
  std::error_code error;
  if (checkpoint.directory().empty() ||
      !std::filesystem::is_directory(checkpoint.directory(), error)) {
    return NotVisible(checkpoint);
  }
  ProgressLine progress(context, "copying", checkpoint.bytes());
  const InterruptGuard guard([] {});
  CopyOptions copy{.expected = ReportedFiles(checkpoint)};
  copy.progress = [&](int64_t bytes) {
    progress.Show(bytes);
    return !guard.interrupted();
  };
  return CopyTree(checkpoint.directory(), destination, copy);
}

}  // namespace det::cli
