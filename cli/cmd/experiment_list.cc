#include <algorithm>
#include <memory>

#include "cli/app/context.h"
#include "cli/client/client.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/ids.h"
#include "cli/view/experiment_view.h"
#include "cli/view/proto_document.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

constexpr int64_t kPageMax = 1000;
constexpr int64_t kLimitDefault = 100;

struct Options {
  bool mine = false;
  std::optional<int64_t> limit;
};

absl::StatusOr<ExitCode> Run(Context& context, const Options& options) {
  int64_t left = options.limit.value_or(kLimitDefault);
  DET_RETURN_IF_ERROR(CheckPositive("--limit", left));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  api::ListExperimentsRequest request;
  request.set_only_mine(options.mine);
  std::vector<api::Experiment> experiments;
  do {
    request.set_limit(static_cast<int32_t>(std::min(left, kPageMax)));
    DET_ASSIGN_OR_RETURN(const api::ListExperimentsResponse page, client->ListExperiments(request));
    experiments.insert(experiments.end(), page.experiments().begin(), page.experiments().end());
    left -= page.experiments_size();
    request.set_before_id(page.next_before_id());
  } while (left > 0 && request.before_id() != 0);
  DET_RETURN_IF_ERROR(
      context.Show({ToDocumentList(experiments), ExperimentTable(experiments), {}}));
  if (request.before_id() != 0) {
    context.Note(StrCat("these are the newest ", experiments.size(), "; --limit N shows more"));
  }
  return ExitCode::kOk;
}

}  // namespace

Command ExperimentListCommand() {
  auto options = std::make_shared<Options>();
  return {.noun = "experiment",
          .verb = "list",
          .aliases = {"ls"},
          .summary = "List experiments, newest first.",
          .params = {Flag("--mine", &options->mine, "only those of mine"),
                     Option("--limit", "N", &options->limit, "at most so many (100)")},
          .examples = {{"det e ls", "the newest 100"},
                       {"det e ls --mine --sort best_metric", "mine, by their best metric"},
                       {"det e describe $(det e ls --limit 1 -o name)", "the newest one in full"}},
          .run = [options](Context& context) { return Run(context, *options); }};
}

}  // namespace det::cli
