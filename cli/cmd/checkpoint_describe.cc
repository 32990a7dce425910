#include <memory>

#include "cli/app/context.h"
#include "cli/client/client.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/ids.h"
#include "cli/format/quantity.h"
#include "cli/view/checkpoint_view.h"
#include "cli/view/proto_document.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"
#include "common/json/json.h"

namespace det::cli {
namespace {

std::string FilesText(const api::Checkpoint& checkpoint) {
  const absl::StatusOr<Value> files = ParseJson(checkpoint.files_json());
  std::string text;
  if (!files.ok() || !files->is_object()) return text;
  for (const auto& [path, bytes] : files->as_object()) {
    StrAppend(text, path, "  ", bytes.is_int() ? BytesText(bytes.as_int()) : "", "\n");
  }
  return text;
}

std::string MetadataText(const api::Checkpoint& checkpoint) {
  const absl::StatusOr<Value> metadata = ParseJson(checkpoint.metadata_json());
  return metadata.ok() ? StrCat(metadata->ToPrettyJson(), "\n") : "";
}

absl::StatusOr<ExitCode> Run(Context& context, const std::string& text) {
  DET_ASSIGN_OR_RETURN(const std::string name, ParseCheckpoint(text));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const api::GetCheckpointResponse response, client->GetCheckpoint(name));
  const api::Checkpoint& c = response.checkpoint();
  std::string head = StrCat("checkpoint ",
                            c.uuid(),
                            " of trial ",
                            c.trial(),
                            ", experiment ",
                            c.experiment(),
                            "\nstate  ",
                            c.state(),
                            "\nsteps  ",
                            c.steps_completed(),
                            "\nsize   ",
                            BytesText(c.bytes()),
                            "\nplace  ",
                            c.directory(),
                            "\n");
  DET_RETURN_IF_ERROR(context.Show(
      {ToDocument(c),
       CheckpointTable({c}),
       {{"", std::move(head)}, {"files", FilesText(c)}, {"metadata", MetadataText(c)}}}));
  return ExitCode::kOk;
}

}  // namespace

Command CheckpointDescribeCommand() {
  auto uuid = std::make_shared<std::string>();
  return {.noun = "checkpoint",
          .verb = "describe",
          .aliases = {"show"},
          .summary = "Show a checkpoint: where it lies, its files, its metadata.",
          .params = {Required("UUID", uuid.get(), "the checkpoint, or TRIAL/UUID")},
          .examples = {{"det c describe $(det c list 7 --limit 1 -o name)",
                        "the best one of experiment 7"}},
          .run = [uuid](Context& context) { return Run(context, *uuid); }};
}

}  // namespace det::cli
