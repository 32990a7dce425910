#include <algorithm>
#include <memory>

#include "cli/app/context.h"
#include "cli/app/list_options.h"
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

const ListKind& Kind() {
  static const auto* const kind =
      new ListKind{.since = "created", .example = "'state = ERROR or hparams.lr < 0.01'"};
  return *kind;
}

struct Options {
  std::string experiment;
  bool best = false;
  bool live = false;
  ListWords list;
};

absl::StatusOr<ExitCode> Run(Context& context, const Options& options) {
  TrialQuery query{.best_first = options.best, .only_live = options.live};
  if (!options.experiment.empty()) {
    DET_ASSIGN_OR_RETURN(query.experiment, ParseId(options.experiment, 'e', "experiment"));
  }
  DET_ASSIGN_OR_RETURN(query.ask, Understand(options.list, Kind()));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const TrialPages pages, ListTrials(client, query));
  Table table = TrialTable(pages.trials);
  // Of many experiments: which is whose is worth a column.
  if (query.experiment == 0) {
    for (Column& column : table.columns) {
      if (column.name == "experiment") column.visible = Visible::kAlways;
    }
  }
  DET_RETURN_IF_ERROR(context.Show({ToDocumentList(pages.trials), std::move(table), {}}));
  const auto shown = static_cast<int64_t>(pages.trials.size());
  if (pages.more && query.ask.filter.empty() && pages.total > shown) {
    context.Note(
        StrCat("these are ", shown, " of ", pages.total, "; --limit N shows more, --all all"));
  } else {
    NoteMore(context, pages.trials.size(), pages.more);
  }
  return ExitCode::kOk;
}

}  // namespace

Command TrialListCommand() {
  auto options = std::make_shared<Options>();
  Command command{
      .noun = "trial",
      .verb = "list",
      .aliases = {"ls"},
      .summary = "List trials with their hyperparameters: of one experiment, or of all.",
      .params = {Optional("EXPERIMENT", &options->experiment, "the experiment: 7 or e7; else all"),
                 Flag("--best", &options->best, "the best first; else in the order of ids"),
                 Flag("--live", &options->live, "only those that hold slots")},
      .examples = {{"det t list 7 --best --limit 5", "the five best of experiment 7"},
                   {"det t list --live", "what runs on the cluster"},
                   {"det t list 7 --sort hparams.lr --columns id,hparams.lr,best_metric",
                    "how the metric goes with a hyperparameter"},
                   {"det t list 7 -o csv", "for a spreadsheet"}},
      .run = [options](Context& context) { return Run(context, *options); }};
  for (Param& param : ListParams(&options->list, Kind())) {
    command.params.push_back(std::move(param));
  }
  return command;
}

}  // namespace det::cli
