#include <memory>

#include "cli/app/context.h"
#include "cli/client/client.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/follow_experiment.h"
#include "cli/cmd/ids.h"
#include "common/base/status.h"

namespace det::cli {
namespace {

absl::StatusOr<ExitCode> Run(Context& context, const std::string& text) {
  DET_ASSIGN_OR_RETURN(const int64_t id, ParseId(text, 'e', "experiment"));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  return FollowExperiment(context, client, id);
}

}  // namespace

Command ExperimentWatchCommand() {
  auto id = std::make_shared<std::string>();
  return {.noun = "experiment",
          .verb = "watch",
          .aliases = {"follow"},
          .summary = "Watch an experiment to its end: progress, running trials, the best so far.",
          .details =
              "As det e create -f, for an experiment that is there. Ctrl-C only stops "
              "watching.",
          .params = {Required("ID", id.get(), "the experiment: 7 or e7")},
          .examples = {{"det e watch 7", "how is it going?"}},
          .run = [id](Context& context) { return Run(context, *id); }};
}

}  // namespace det::cli
