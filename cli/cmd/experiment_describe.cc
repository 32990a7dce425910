#include <memory>

#include "cli/app/context.h"
#include "cli/client/client.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/ids.h"
#include "cli/view/experiment_view.h"
#include "common/base/status.h"

namespace det::cli {
namespace {

absl::StatusOr<ExitCode> Run(Context& context, const std::string& text) {
  DET_ASSIGN_OR_RETURN(const int64_t id, ParseId(text, 'e', "experiment"));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const api::GetExperimentResponse response, client->GetExperiment(id));
  DET_RETURN_IF_ERROR(context.Show(ExperimentReport(response)));
  return ExitCode::kOk;
}

}  // namespace

Command ExperimentDescribeCommand() {
  auto id = std::make_shared<std::string>();
  return {.noun = "experiment",
          .verb = "describe",
          .aliases = {"show"},
          .summary = "Show one experiment: its state and why, its best trial, its history.",
          .params = {Required("ID", id.get(), "the experiment: 7 or e7")},
          .examples = {{"det e describe 7", "all about experiment 7"},
                       {"det e describe 7 -o json", "with its effective configuration"}},
          .run = [id](Context& context) { return Run(context, *id); }};
}

}  // namespace det::cli
