#include <atomic>
#include <filesystem>
#include <memory>

#include "cli/app/context.h"
#include "cli/app/interrupt.h"
#include "cli/app/progress_line.h"
#include "cli/base/cause.h"
#include "cli/client/client.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/ids.h"
#include "cli/download/copy_tree.h"
#include "cli/format/quantity.h"
#include "cli/view/proto_document.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"
#include "common/clock/clock.h"
#include "common/json/json.h"
#include "common/s3/credentials.h"
#include "common/storage/store.h"

namespace det::cli {
namespace {

struct Options {
  std::string uuid;
  std::string directory;
};

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

// A name from outside must not lead anywhere else.
absl::StatusOr<std::string> Destination(const Options& options, const std::string& name) {
  if (!options.directory.empty()) return options.directory;
  const std::string uuid = name.substr(name.find('/') + 1);
  const bool plain = !uuid.empty() && uuid.find('/') == std::string::npos && !uuid.starts_with('.');
  if (!plain) return UsageError(StrCat(QuoteJson(options.uuid), " is no uuid of a checkpoint"));
  return uuid;
}

Report DownloadReport(const api::Checkpoint& checkpoint,
                      const std::string& path,
                      const CopiedTree& copied) {
  Report report;
  report.document.Add("checkpoint", ToDocument(checkpoint))
      .Add("path", path)
      .Add("files", copied.files)
      .Add("bytes", copied.bytes);
  report.table = {.columns = {{"uuid"}, {"path"}, {"files"}, {"bytes"}},
                  .rows = {{checkpoint.uuid(), path, copied.files, Bytes{copied.bytes}}},
                  .key = "path"};
  report.sections = {
      {"", StrCat(path, ": ", Count(copied.files, "file"), ", ", BytesText(copied.bytes), "\n")}};
  return report;
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
absl::StatusOr<ExitCode> Fetch(Context& context,
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
  if (guard.interrupted()) return ExitCode::kInterrupted;
  DET_RETURN_IF_ERROR(status);
  const CopiedTree copied{.files = static_cast<int64_t>(files.size()), .bytes = bytes.load()};
  DET_RETURN_IF_ERROR(context.Show(DownloadReport(checkpoint, destination, copied)));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Run(Context& context, const Options& options) {
  DET_ASSIGN_OR_RETURN(const std::string name, ParseCheckpoint(options.uuid));
  DET_RETURN_IF_ERROR(Destination(options, name).status());
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const api::GetCheckpointResponse response, client->GetCheckpoint(name));
  const api::Checkpoint& checkpoint = response.checkpoint();
  // The whole uuid, where only its beginning was given.
  DET_ASSIGN_OR_RETURN(const std::string destination, Destination(options, checkpoint.uuid()));
  if (checkpoint.storage().starts_with("s3://")) return Fetch(context, checkpoint, destination);
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
  const absl::StatusOr<CopiedTree> copied = CopyTree(checkpoint.directory(), destination, copy);
  if (absl::IsCancelled(copied.status())) return ExitCode::kInterrupted;
  DET_RETURN_IF_ERROR(copied.status());
  DET_RETURN_IF_ERROR(context.Show(DownloadReport(checkpoint, destination, *copied)));
  return ExitCode::kOk;
}

}  // namespace

Command CheckpointDownloadCommand() {
  auto options = std::make_shared<Options>();
  return {.noun = "checkpoint",
          .verb = "download",
          .summary = "Copy a checkpoint to a directory of yours.",
          .details =
              "The copy appears under its name when it is complete. The checkpoint's "
              "directory must be visible from this machine: on a shared file system, or on "
              "the machine of the cluster itself. From a bucket it is fetched with the S3 "
              "credentials of this machine.",
          .params = {Required("UUID",
                              &options->uuid,
                              "the checkpoint, or the beginning of its uuid: see det c list; "
                              "TRIAL/UUID where several trials have one of that name"),
                     Option("-o,--output-dir",
                            "DIR",
                            &options->directory,
                            "where to (./UUID); must not exist yet, or be empty")},
          .examples = {{"det c download $(det c list 7 --limit 1 -o name) -o best",
                        "the best one of experiment 7"}},
          .run = [options](Context& context) { return Run(context, *options); }};
}

}  // namespace det::cli
