#include <memory>

#include "cli/app/context.h"
#include "cli/client/client.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/follow_experiment.h"
#include "cli/cmd/ids.h"
#include "cli/follow/follow.h"
#include "cli/view/experiment_view.h"
#include "cli/view/proto_document.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

// The worst of several ends: an error, then whatever else is no success.
ExitCode Worse(ExitCode a, ExitCode b) {
  if (a == ExitCode::kWatchedFailed || b == ExitCode::kWatchedFailed) {
    return ExitCode::kWatchedFailed;
  }
  return a == ExitCode::kOk ? b : a;
}

Report EndReport(const std::vector<api::Experiment>& ended) {
  std::string text;
  for (const api::Experiment& experiment : ended) {
    StrAppend(text, "experiment ", experiment.id(), ": ", experiment.state(), "\n");
  }
  return {ToDocumentList(ended), ExperimentTable(ended), {{"", std::move(text)}}};
}

absl::StatusOr<ExitCode> Run(Context& context, const std::vector<std::string>& words) {
  DET_ASSIGN_OR_RETURN(const std::vector<int64_t> ids, ParseIds(words, 'e', "experiment"));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  const absl::Time start = absl::Now();
  std::vector<api::Experiment> ended;
  ExitCode code = ExitCode::kOk;
  for (const int64_t id : ids) {
    follow::FollowOptions options{.show = false};
    if (context.options().timeout.has_value()) {
      options.give_up = *context.options().timeout - (absl::Now() - start);
    }
    DET_ASSIGN_OR_RETURN(const follow::FollowEnd end, follow::Follow(context, client, id, options));
    if (end.detached) return ExitCode::kInterrupted;
    DET_ASSIGN_OR_RETURN(const api::GetExperimentResponse response, client->GetExperiment(id));
    ended.push_back(response.experiment());
    code = Worse(code, CodeOfEndState(response.experiment().state()));
  }
  DET_RETURN_IF_ERROR(context.Show(EndReport(ended), Context::Paging::kNever));
  for (const api::Experiment& experiment : ended) {
    if (experiment.state() != "ERROR") continue;
    DET_ASSIGN_OR_RETURN(const auto failed, FindFailedTrial(client, experiment.id()));
    if (!failed.has_value()) continue;
    context.Say(failed->last_lines.substr(0, failed->last_lines.find_last_not_of('\n') + 1));
    HintAtFailure(context, *failed);
  }
  return code;
}

}  // namespace

Command ExperimentWaitCommand() {
  auto ids = std::make_shared<std::vector<std::string>>();
  return {.noun = "experiment",
          .verb = "wait",
          .summary = "Wait until experiments have ended.",
          .details =
              "Exit codes: 0 when all completed, 7 when one ended in an error, 1 when one was "
              "canceled, 6 when --timeout ran out. A restart of the master is waited out.",
          .params = {Required("ID", ids.get(), "the experiments: 7 or e7")},
          .examples = {{"det e wait 7 && deploy.sh", "go on when it has completed"},
                       {"det e wait 7 8 --timeout 2h", "for two hours at most"}},
          .run = [ids](Context& context) { return Run(context, *ids); }};
}

}  // namespace det::cli
