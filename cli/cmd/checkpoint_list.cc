#include <memory>

#include "cli/app/context.h"
#include "cli/app/list_options.h"
#include "cli/base/cause.h"
#include "cli/client/client.h"
#include "cli/client/pages.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/ids.h"
#include "cli/view/checkpoint_view.h"
#include "cli/view/proto_document.h"
#include "common/base/status.h"

namespace det::cli {
namespace {

const ListKind& Kind() {
  static const auto* const kind =
      new ListKind{.since = "reported", .example = "'bytes > 1GiB and metric < 0.1'"};
  return *kind;
}

struct Options {
  std::string experiment;
  std::string trial;
  ListWords list;
};

absl::StatusOr<api::ListCheckpointsRequest> MakeRequest(const Options& options) {
  api::ListCheckpointsRequest request;
  if (!options.experiment.empty() && !options.trial.empty()) {
    return UsageError("name an experiment, or a trial with --trial, not both",
                      "such as det c list 7");
  }
  if (!options.experiment.empty()) {
    DET_ASSIGN_OR_RETURN(const int64_t id, ParseId(options.experiment, 'e', "experiment"));
    request.set_experiment(id);
  } else if (!options.trial.empty()) {
    DET_ASSIGN_OR_RETURN(const int64_t id, ParseId(options.trial, 't', "trial"));
    request.set_trial(id);
  }
  return request;
}

absl::StatusOr<ExitCode> Run(Context& context, const Options& options) {
  DET_ASSIGN_OR_RETURN(api::ListCheckpointsRequest request, MakeRequest(options));
  DET_ASSIGN_OR_RETURN(const ListAsk ask, Understand(options.list, Kind()));
  ask.Fill(&request);
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  const auto next = [&](int32_t most,
                        std::vector<api::Checkpoint>* checkpoints) -> absl::StatusOr<bool> {
    request.set_limit(most);
    DET_ASSIGN_OR_RETURN(const api::ListCheckpointsResponse page, client->ListCheckpoints(request));
    Append(page.checkpoints(), checkpoints);
    request.set_page(page.next_page());
    return !page.next_page().empty();
  };
  DET_ASSIGN_OR_RETURN(auto pages, FetchPages<api::Checkpoint>(ask.most(), next));
  ask.Cut(&pages.items);
  DET_RETURN_IF_ERROR(
      context.Show({ToDocumentList(pages.items), CheckpointTable(pages.items), {}}));
  NoteMore(context, pages.items.size(), pages.more);
  return ExitCode::kOk;
}

}  // namespace

Command CheckpointListCommand() {
  auto options = std::make_shared<Options>();
  Command command{
      .noun = "checkpoint",
      .verb = "list",
      .aliases = {"ls"},
      .summary = "List checkpoints: of an experiment the best first, else the newest.",
      .params = {Optional("EXPERIMENT", &options->experiment, "the experiment: 7 or e7; else all"),
                 Option("--trial", "ID", &options->trial, "those of a trial: 17 or t17")},
      .examples = {{"det c list 7 --limit 1 -o name", "the best checkpoint of experiment 7"},
                   {"det c list --trial 17", "what trial 17 has saved"},
                   {"det c list --sort -bytes --limit 10", "the largest"}},
      .run = [options](Context& context) { return Run(context, *options); }};
  for (Param& param : ListParams(&options->list, Kind())) {
    command.params.push_back(std::move(param));
  }
  // Of an experiment the best come first anyway.
  command.params.push_back(Hidden(Option("--best", "N", &options->list.limit, "as --limit")));
  return command;
}

Command TrialListCheckpointsCommand() {
  auto options = std::make_shared<Options>();
  Command command{.noun = "trial",
                  .verb = "list-checkpoints",
                  .aliases = {"lc"},
                  .summary = "List what a trial has saved, newest first.",
                  .params = {Required("ID", &options->trial, "the trial: 17 or t17")},
                  .examples = {{"det t list-checkpoints 17", "as det c list --trial 17"}},
                  .run = [options](Context& context) { return Run(context, *options); }};
  for (Param& param : ListParams(&options->list, Kind()))
    command.params.push_back(std::move(param));
  return command;
}

}  // namespace det::cli
