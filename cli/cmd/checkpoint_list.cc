#include <memory>

#include "cli/app/context.h"
#include "cli/base/cause.h"
#include "cli/client/client.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/ids.h"
#include "cli/view/checkpoint_view.h"
#include "cli/view/proto_document.h"
#include "common/base/status.h"

namespace det::cli {
namespace {

constexpr int64_t kLimitDefault = 100;
constexpr int64_t kLimitMax = 1000;

struct Options {
  std::string experiment;
  std::string trial;
  std::optional<int64_t> limit;
};

absl::StatusOr<api::ListCheckpointsRequest> MakeRequest(const Options& options) {
  if (options.experiment.empty() == options.trial.empty()) {
    return UsageError("name an experiment, or a trial with --trial", "such as det c list 7");
  }
  api::ListCheckpointsRequest request;
  const int64_t limit = options.limit.value_or(kLimitDefault);
  DET_RETURN_IF_ERROR(CheckPositive("--limit", limit));
  if (limit > kLimitMax) return UsageError("--limit: at most 1000");
  request.set_limit(static_cast<int32_t>(limit));
  if (!options.experiment.empty()) {
    DET_ASSIGN_OR_RETURN(const int64_t id, ParseId(options.experiment, 'e', "experiment"));
    request.set_experiment(id);
  } else {
    DET_ASSIGN_OR_RETURN(const int64_t id, ParseId(options.trial, 't', "trial"));
    request.set_trial(id);
  }
  return request;
}

absl::StatusOr<ExitCode> Run(Context& context, const Options& options) {
  DET_ASSIGN_OR_RETURN(const api::ListCheckpointsRequest request, MakeRequest(options));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const api::ListCheckpointsResponse response,
                       client->ListCheckpoints(request));
  const std::vector<api::Checkpoint> checkpoints(response.checkpoints().begin(),
                                                 response.checkpoints().end());
  DET_RETURN_IF_ERROR(
      context.Show({ToDocumentList(checkpoints), CheckpointTable(checkpoints), {}}));
  return ExitCode::kOk;
}

}  // namespace

Command CheckpointListCommand() {
  auto options = std::make_shared<Options>();
  return {.noun = "checkpoint",
          .verb = "list",
          .aliases = {"ls"},
          .summary = "List checkpoints: of an experiment the best first, of a trial the newest.",
          .params = {Optional("EXPERIMENT", &options->experiment, "the experiment: 7 or e7"),
                     Option("--trial", "ID", &options->trial, "those of a trial: 17 or t17"),
                     Option("--limit", "N", &options->limit, "at most so many (100)")},
          .examples = {{"det c list 7 --limit 1 -o name", "the best checkpoint of experiment 7"},
                       {"det c list --trial 17", "what trial 17 has saved"}},
          .run = [options](Context& context) { return Run(context, *options); }};
}

}  // namespace det::cli
