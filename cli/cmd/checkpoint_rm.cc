#include <algorithm>
#include <memory>

#include "cli/app/context.h"
#include "cli/app/interrupt.h"
#include "cli/base/cause.h"
#include "cli/client/client.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/ids.h"
#include "cli/format/quantity.h"
#include "cli/view/proto_document.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/pause.h"

namespace det::cli {
namespace {

constexpr absl::Duration kLookEvery = absl::Milliseconds(200);

struct Options {
  std::vector<std::string> uuids;
  std::vector<std::string> globs;
  bool yes = false;
  bool no_wait = false;
};

absl::StatusOr<api::DeleteCheckpointsRequest> MakeRequest(const Options& options) {
  api::DeleteCheckpointsRequest request;
  for (const std::string& text : options.uuids) {
    DET_ASSIGN_OR_RETURN(*request.add_uuids(), ParseCheckpoint(text));
  }
  for (const std::string& glob : options.globs) request.add_globs(glob);
  return request;
}

// What would go, for whoever has not said --yes.
absl::StatusOr<ExitCode> Preview(Context& context,
                                 Client* client,
                                 api::DeleteCheckpointsRequest request) {
  request.set_validate_only(true);
  DET_ASSIGN_OR_RETURN(const api::DeleteCheckpointsResponse response,
                       client->DeleteCheckpoints(request));
  std::string text;
  Table table{.columns = {{"uuid"}, {"trial"}, {"bytes"}}, .key = "uuid"};
  for (const api::Checkpoint& checkpoint : response.checkpoints()) {
    StrAppend(text,
              request.globs().empty() ? "would delete " : "would delete files of ",
              checkpoint.uuid(),
              " (trial ",
              checkpoint.trial(),
              ", ",
              BytesText(checkpoint.bytes()),
              ")\n");
    table.rows.push_back(
        {checkpoint.uuid(), int64_t{checkpoint.trial()}, Bytes{checkpoint.bytes()}});
  }
  text += "nothing is deleted yet: say --yes\n";
  DET_RETURN_IF_ERROR(context.Show(
      {ToDocumentList(response.checkpoints()), std::move(table), {{"", std::move(text)}}}));
  return ExitCode::kOk;
}

bool IsOpen(const api::Deletion& deletion) {
  return deletion.state() == "PENDING" || deletion.state() == "RUNNING";
}

// Until none of them is open, or the user has seen enough.
absl::StatusOr<std::vector<api::Deletion>> Await(Client* client,
                                                 std::vector<api::Deletion> deletions) {
  const InterruptGuard guard([] {});
  while (!guard.interrupted() && std::any_of(deletions.begin(), deletions.end(), IsOpen)) {
    PauseFor(kLookEvery);
    api::ListDeletionsRequest request;
    for (const api::Deletion& one : deletions) request.add_ids(one.id());
    DET_ASSIGN_OR_RETURN(const api::ListDeletionsResponse response, client->ListDeletions(request));
    deletions.assign(response.deletions().begin(), response.deletions().end());
  }
  return deletions;
}

Report DeletionReport(const std::vector<api::Deletion>& deletions) {
  std::string text;
  Table table{.columns = {{"uuid"}, {"trial"}, {"state"}, {"reason"}}, .key = "uuid"};
  for (const api::Deletion& one : deletions) {
    StrAppend(text, "checkpoint ", one.uuid(), ": ", one.state());
    if (!one.reason().empty()) StrAppend(text, ": ", one.reason());
    text += '\n';
    table.rows.push_back({one.uuid(), int64_t{one.trial()}, StateName{one.state()}, one.reason()});
  }
  return {ToDocumentList(deletions), std::move(table), {{"", std::move(text)}}};
}

absl::StatusOr<ExitCode> Run(Context& context, const Options& options) {
  DET_ASSIGN_OR_RETURN(const api::DeleteCheckpointsRequest request, MakeRequest(options));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  if (!options.yes) return Preview(context, client, request);
  DET_ASSIGN_OR_RETURN(const api::DeleteCheckpointsResponse response,
                       client->DeleteCheckpoints(request));
  std::vector<api::Deletion> deletions(response.deletions().begin(), response.deletions().end());
  if (!options.no_wait) {
    DET_ASSIGN_OR_RETURN(deletions, Await(client, std::move(deletions)));
  }
  DET_RETURN_IF_ERROR(context.Show(DeletionReport(deletions)));
  const auto failed =
      std::count_if(deletions.begin(), deletions.end(), [](const api::Deletion& one) {
        return one.state() == "FAILED";
      });
  if (failed == 0) return ExitCode::kOk;
  return failed == static_cast<std::ptrdiff_t>(deletions.size()) ? ExitCode::kFailure
                                                                 : ExitCode::kPartial;
}

}  // namespace

Command CheckpointRmCommand() {
  auto options = std::make_shared<Options>();
  return {.noun = "checkpoint",
          .verb = "rm",
          .aliases = {"delete"},
          .summary = "Delete checkpoints, or some of their files.",
          .details =
              "Without --yes it only says what would go. The master deletes the files and this "
              "waits for it; Ctrl-C stops the waiting, not the deleting. What a live trial would "
              "go on from, or a live experiment begins from, is refused.",
          .params = {Required("UUID",
                              &options->uuids,
                              "the checkpoints: see det c list; TRIAL/UUID where several trials "
                              "have one of that name"),
                     Option("--glob",
                            "PATTERN",
                            &options->globs,
                            "only files that match: 'optimizer*', 'logs/*.txt', '**/*.tmp'"),
                     Flag("-y,--yes", &options->yes, "do it"),
                     Flag("--no-wait", &options->no_wait, "don't wait for the files to go")},
          .examples = {{"det c rm UUID --yes", "delete one whole"},
                       {"det c rm UUID --glob 'optimizer*' --yes", "keep the weights alone"}},
          .run = [options](Context& context) { return Run(context, *options); }};
}

}  // namespace det::cli
