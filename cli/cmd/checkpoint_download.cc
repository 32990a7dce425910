#include <memory>

#include "cli/app/context.h"
#include "cli/base/cause.h"
#include "cli/client/client.h"
#include "cli/cmd/checkpoint_fetch.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/ids.h"
#include "cli/format/quantity.h"
#include "cli/view/proto_document.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"

namespace det::cli {
namespace {

struct Options {
  std::string uuid;
  std::string directory;
};

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

absl::StatusOr<ExitCode> Run(Context& context, const Options& options) {
  DET_ASSIGN_OR_RETURN(const std::string name, ParseCheckpoint(options.uuid));
  DET_RETURN_IF_ERROR(Destination(options, name).status());
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const api::GetCheckpointResponse response, client->GetCheckpoint(name));
  const api::Checkpoint& checkpoint = response.checkpoint();
  // The whole uuid, where only its beginning was given.
  DET_ASSIGN_OR_RETURN(const std::string destination, Destination(options, checkpoint.uuid()));
  const absl::StatusOr<CopiedTree> copied = FetchCheckpoint(context, checkpoint, destination);
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
