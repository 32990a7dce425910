#include <memory>

#include "cli/app/context.h"
#include "cli/client/client.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/follow_experiment.h"
#include "cli/cmd/ids.h"
#include "cli/view/experiment_view.h"
#include "cli/view/proto_document.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

struct Options {
  std::string id;
  std::vector<std::string> overrides;
  bool follow = false;
};

absl::StatusOr<ExitCode> Run(Context& context, const Options& options) {
  api::ContinueExperimentRequest request;
  DET_ASSIGN_OR_RETURN(const int64_t id, ParseId(options.id, 'e', "experiment"));
  request.set_id(id);
  for (const std::string& text : options.overrides) request.add_overrides(text);
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const api::ExperimentResponse response, client->ContinueExperiment(request));
  const std::string text = StrCat("experiment ", id, " goes on\n");
  if (options.follow) {
    context.Say(text);
    return FollowExperiment(context, client, id);
  }
  DET_RETURN_IF_ERROR(context.Show(
      {ToDocument(response.experiment()), ExperimentTable({response.experiment()}), {{"", text}}}));
  context.Note(StrCat("watch it: det e watch ", id));
  return ExitCode::kOk;
}

}  // namespace

Command ExperimentContinueCommand() {
  auto options = std::make_shared<Options>();
  return {.noun = "experiment",
          .verb = "continue",
          .summary = "Go on with an ended experiment: trials from their latest checkpoints.",
          .details =
              "An experiment of one trial goes on whatever its end was, with --config also in "
              "another way. A search goes on with the trials that did not complete, and with "
              "those that it had not asked for yet. Restarts count from 0 again.",
          .params = {Required("ID", &options->id, "the experiment: 7 or e7"),
                     Option("--config", "KEY=VALUE", &options->overrides, "change a key"),
                     Flag("-f,--follow", &options->follow, "watch it to its end")},
          .examples = {{"det e continue 7", "after a cancel or an error"},
                       {"det e continue 7 --config max_restarts=9", "with more patience"}},
          .run = [options](Context& context) { return Run(context, *options); }};
}

}  // namespace det::cli
