#include <algorithm>
#include <memory>

#include "cli/app/context.h"
#include "cli/client/client.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/ids.h"
#include "cli/cmd/trial_pages.h"
#include "cli/view/proto_document.h"
#include "cli/view/trial_view.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

constexpr int64_t kLimitDefault = 100;

struct Options {
  std::string experiment;
  bool best = false;
  std::optional<int64_t> limit;
};

absl::StatusOr<ExitCode> Run(Context& context, const Options& options) {
  DET_ASSIGN_OR_RETURN(const int64_t id, ParseId(options.experiment, 'e', "experiment"));
  const int64_t limit = options.limit.value_or(kLimitDefault);
  DET_RETURN_IF_ERROR(CheckPositive("--limit", limit));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const TrialPages pages, ListTrials(client, {id, options.best, limit}));
  DET_RETURN_IF_ERROR(context.Show({ToDocumentList(pages.trials), TrialTable(pages.trials), {}}));
  if (static_cast<int64_t>(pages.trials.size()) < pages.total) {
    context.Note(
        StrCat("these are ", pages.trials.size(), " of ", pages.total, "; --limit N shows more"));
  }
  return ExitCode::kOk;
}

}  // namespace

Command TrialListCommand() {
  auto options = std::make_shared<Options>();
  return {.noun = "trial",
          .verb = "list",
          .aliases = {"ls"},
          .summary = "List the trials of an experiment with their hyperparameters.",
          .params = {Required("EXPERIMENT", &options->experiment, "the experiment: 7 or e7"),
                     Flag("--best", &options->best, "the best first; else in the order of ids"),
                     Option("--limit", "N", &options->limit, "at most so many (100)")},
          .examples = {{"det t list 7 --best --limit 5", "the five best of experiment 7"},
                       {"det t list 7 -o csv", "for a spreadsheet"}},
          .run = [options](Context& context) { return Run(context, *options); }};
}

}  // namespace det::cli
