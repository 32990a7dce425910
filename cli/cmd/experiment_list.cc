#include <memory>

#include "cli/app/context.h"
#include "cli/app/list_options.h"
#include "cli/client/client.h"
#include "cli/client/pages.h"
#include "cli/cmd/catalog_verbs.h"
#include "cli/cmd/commands.h"
#include "cli/view/experiment_view.h"
#include "cli/view/proto_document.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

const ListKind& Kind() {
  static const auto* const kind =
      new ListKind{.since = "created", .example = "'state = ACTIVE and best_metric < 0.1'"};
  return *kind;
}

// What Determined calls all are the archived ones too.
std::vector<Param> ExperimentListParams(ListWords* words) {
  std::vector<Param> params = ListParams(words, Kind());
  for (Param& param : params) {
    if (param.names != "--all") continue;
    param.names = "-a,--all";
    param.help = "all there are, archived ones too";
  }
  return params;
}

struct Options {
  bool mine = false;
  bool archived = false;
  std::string workspace;
  std::string project;
  std::vector<std::string> labels;
  ListWords list;
};

absl::StatusOr<ExitCode> Run(Context& context, const Options& options) {
  DET_ASSIGN_OR_RETURN(const ListAsk ask, Understand(options.list, Kind()));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  api::ListExperimentsRequest request;
  request.set_only_mine(options.mine);
  request.set_archived(options.archived || options.list.all);
  request.set_workspace(options.workspace);
  if (!options.project.empty()) {
    DET_ASSIGN_OR_RETURN(const ProjectWords place, SplitProject(options.project));
    request.set_workspace(place.workspace);
    request.set_project(place.project);
  }
  for (const std::string& label : options.labels) request.add_labels(label);
  ask.Fill(&request);
  const auto next = [&](int32_t most,
                        std::vector<api::Experiment>* experiments) -> absl::StatusOr<bool> {
    request.set_limit(most);
    DET_ASSIGN_OR_RETURN(const api::ListExperimentsResponse page, client->ListExperiments(request));
    Append(page.experiments(), experiments);
    request.set_page(page.next_page());
    return !page.next_page().empty();
  };
  DET_ASSIGN_OR_RETURN(auto pages, FetchPages<api::Experiment>(ask.most(), next));
  ask.Cut(&pages.items);
  DET_RETURN_IF_ERROR(
      context.Show({ToDocumentList(pages.items), ExperimentTable(pages.items), {}}));
  NoteMore(context, pages.items.size(), pages.more);
  return ExitCode::kOk;
}

}  // namespace

Command ProjectListExperimentsCommand() {
  struct Words {
    ProjectWords project;
    Options options;
  };
  auto words = std::make_shared<Words>();
  Command command{
      .noun = "project",
      .verb = "list-experiments",
      .summary = "List the experiments of a project, newest first.",
      .params = ProjectParams(&words->project),
      .examples = {{"det p list-experiments vision/digits", "as det e ls --project vision/digits"}},
      .run = [words](Context& context) -> absl::StatusOr<ExitCode> {
        DET_ASSIGN_OR_RETURN(const ProjectWords place, Understand(words->project));
        Options options = words->options;
        options.project = StrCat(place.workspace, "/", place.project);
        return Run(context, options);
      }};
  command.params.push_back(Flag("--archived", &words->options.archived, "archived ones too"));
  for (Param& param : ListParams(&words->options.list, Kind()))
    command.params.push_back(std::move(param));
  return command;
}

Command ExperimentListCommand() {
  auto options = std::make_shared<Options>();
  Command command{
      .noun = "experiment",
      .verb = "list",
      .aliases = {"ls"},
      .summary = "List experiments, newest first.",
      .params = ExperimentListParams(&options->list),
      .examples = {{"det e ls", "the newest 100"},
                   {"det e ls --mine --sort best_metric", "mine, by their best metric"},
                   {"det e ls --filter 'state = ERROR and ended < 1d'", "what failed today"},
                   {"det e ls --watch", "as it goes"},
                   {"det e describe $(det e ls --limit 1 -o name)", "the newest one in full"}},
      .run = [options](Context& context) { return Run(context, *options); }};
  std::vector<Param> own = {
      Flag("--mine", &options->mine, "only those of mine"),
      Flag("--archived", &options->archived, "archived ones too"),
      Option("--workspace", "NAME", &options->workspace, "of this workspace"),
      Option("--project", "WORKSPACE/PROJECT", &options->project, "of this project"),
      Option("--label", "LABEL", &options->labels, "with this label; repeat for more")};
  command.params.insert(command.params.begin(), own.begin(), own.end());
  return command;
}

}  // namespace det::cli
