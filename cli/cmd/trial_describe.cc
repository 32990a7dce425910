#include <memory>

#include "cli/app/context.h"
#include "cli/client/client.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/ids.h"
#include "cli/view/trial_view.h"
#include "common/base/status.h"

namespace det::cli {
namespace {

absl::StatusOr<ExitCode> Run(Context& context, const std::string& text) {
  DET_ASSIGN_OR_RETURN(const int64_t id, ParseId(text, 't', "trial"));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const api::GetTrialResponse response, client->GetTrial(id));
  DET_RETURN_IF_ERROR(context.Show(TrialReport(response)));
  return ExitCode::kOk;
}

}  // namespace

Command TrialDescribeCommand() {
  auto id = std::make_shared<std::string>();
  return {.noun = "trial",
          .verb = "describe",
          .aliases = {"show"},
          .summary = "Show one trial: its state and why, hyperparameters, runs, history.",
          .params = {Required("ID", id.get(), "the trial: 17 or t17"),
                     NoFlag("--metrics", "det metrics ID prints what it has measured")},
          .examples = {{"det t describe 17", "all about trial 17"}},
          .run = [id](Context& context) { return Run(context, *id); }};
}

}  // namespace det::cli
