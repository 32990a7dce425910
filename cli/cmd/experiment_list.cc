#include <memory>

#include "cli/app/context.h"
#include "cli/client/client.h"
#include "cli/client/pages.h"
#include "cli/cmd/catalog_verbs.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/ids.h"
#include "cli/view/experiment_view.h"
#include "cli/view/proto_document.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

constexpr int64_t kLimitDefault = 100;

struct Options {
  bool mine = false;
  bool all = false;
  std::string workspace;
  std::string project;
  std::vector<std::string> labels;
  std::optional<int64_t> limit;
};

absl::StatusOr<ExitCode> Run(Context& context, const Options& options) {
  const int64_t limit = options.limit.value_or(kLimitDefault);
  DET_RETURN_IF_ERROR(CheckPositive("--limit", limit));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  api::ListExperimentsRequest request;
  request.set_only_mine(options.mine);
  request.set_archived(options.all);
  request.set_workspace(options.workspace);
  if (!options.project.empty()) {
    DET_ASSIGN_OR_RETURN(const ProjectWords place, SplitProject(options.project));
    request.set_workspace(place.workspace);
    request.set_project(place.project);
  }
  for (const std::string& label : options.labels) request.add_labels(label);
  const auto next = [&](int32_t most,
                        std::vector<api::Experiment>* experiments) -> absl::StatusOr<bool> {
    request.set_limit(most);
    DET_ASSIGN_OR_RETURN(const api::ListExperimentsResponse page, client->ListExperiments(request));
    Append(page.experiments(), experiments);
    request.set_before_id(page.next_before_id());
    return page.next_before_id() != 0;
  };
  DET_ASSIGN_OR_RETURN(const auto pages, FetchPages<api::Experiment>(limit, next));
  DET_RETURN_IF_ERROR(
      context.Show({ToDocumentList(pages.items), ExperimentTable(pages.items), {}}));
  if (pages.more) {
    context.Note(StrCat("these are the newest ", pages.items.size(), "; --limit N shows more"));
  }
  return ExitCode::kOk;
}

}  // namespace

Command ExperimentListCommand() {
  auto options = std::make_shared<Options>();
  return {
      .noun = "experiment",
      .verb = "list",
      .aliases = {"ls"},
      .summary = "List experiments, newest first.",
      .params = {Flag("--mine", &options->mine, "only those of mine"),
                 Flag("-a,--all", &options->all, "archived ones too"),
                 Option("--workspace", "NAME", &options->workspace, "of this workspace"),
                 Option("--project", "WORKSPACE/PROJECT", &options->project, "of this project"),
                 Option("--label", "LABEL", &options->labels, "with this label; repeat for more"),
                 Option("--limit", "N", &options->limit, "at most so many (100)")},
      .examples = {{"det e ls", "the newest 100"},
                   {"det e ls --mine --sort best_metric", "mine, by their best metric"},
                   {"det e describe $(det e ls --limit 1 -o name)", "the newest one in full"}},
      .run = [options](Context& context) { return Run(context, *options); }};
}

}  // namespace det::cli
