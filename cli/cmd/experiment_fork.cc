#include <memory>

#include "cli/app/context.h"
#include "cli/client/client.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/config_file.h"
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
  std::string checkpoint;
  bool follow = false;
  bool paused = false;
};

absl::StatusOr<ExitCode> Run(Context& context, const Options& options) {
  api::CreateExperimentRequest request;
  DET_ASSIGN_OR_RETURN(const int64_t parent, ParseId(options.id, 'e', "experiment"));
  request.set_parent(parent);
  request.set_paused(options.paused);
  for (const std::string& text : options.overrides) request.add_overrides(text);
  for (const std::string& text : FromCheckpoint(options.checkpoint)) request.add_overrides(text);
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const api::CreateExperimentResponse response,
                       client->CreateExperiment(request));
  for (const std::string& warning : response.warnings()) context.Warn(warning);
  const int64_t id = response.experiment().id();
  const std::string text = StrCat("created experiment ", id, ", a fork of ", parent, "\n");
  if (options.follow) {
    context.Say(text);
    return FollowExperiment(context, client, id);
  }
  DET_RETURN_IF_ERROR(
      context.Show({ToDocument(response), ExperimentTable({response.experiment()}), {{"", text}}}));
  context.Note(StrCat("watch it: det e watch ", id));
  return ExitCode::kOk;
}

}  // namespace

Command ExperimentForkCommand() {
  auto options = std::make_shared<Options>();
  return {.noun = "experiment",
          .verb = "fork",
          .summary = "Create an experiment from another one's configuration and model directory.",
          .params = {Required("ID", &options->id, "the experiment to begin from: 7 or e7"),
                     Option("--config", "KEY=VALUE", &options->overrides, "change a key"),
                     Option("--from-checkpoint",
                            "UUID",
                            &options->checkpoint,
                            "let its trials begin from this checkpoint"),
                     Flag("--paused", &options->paused, "do not start it: see det e activate"),
                     Flag("-f,--follow", &options->follow, "watch it to its end")},
          .examples = {{"det e fork 7", "the same once more"},
                       {"det e fork 7 --config searcher.max_trials=64", "a longer search"}},
          .run = [options](Context& context) { return Run(context, *options); }};
}

}  // namespace det::cli
