#include <iterator>
#include <memory>

#include "cli/app/context.h"
#include "cli/base/cause.h"
#include "cli/client/client.h"
#include "cli/cmd/catalog_verbs.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/config_file.h"
#include "cli/cmd/follow_experiment.h"
#include "cli/cmd/upload_model.h"
#include "cli/upload/git_state.h"
#include "cli/upload/pack.h"
#include "cli/view/experiment_view.h"
#include "cli/view/proto_document.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

struct Options {
  ConfigWords config;
  std::string directory;
  std::string checkpoint;
  bool follow = false;
  bool paused = false;
  bool validate = false;
  std::string project;
  std::string project_id;
};

absl::StatusOr<api::CreateExperimentRequest> MakeRequest(const Options& options) {
  DET_ASSIGN_OR_RETURN(const ConfigText config, ReadConfig(options.config));
  api::CreateExperimentRequest request;
  request.set_config(config.text);
  request.set_config_name(config.name);
  for (const std::string& text : options.config.overrides) request.add_overrides(text);
  for (const std::string& text : FromCheckpoint(options.checkpoint)) request.add_overrides(text);
  request.set_paused(options.paused);
  request.set_validate_only(options.validate);
  request.set_template_(options.config.template_name);
  if (!options.project.empty()) {
    DET_ASSIGN_OR_RETURN(const ProjectWords place, SplitProject(options.project));
    request.set_workspace(place.workspace);
    request.set_project(place.project);
  }
  return request;
}

Report CreatedReport(const api::CreateExperimentResponse& response, const std::string& text) {
  Report report;
  report.document = ToDocument(response);
  if (response.has_experiment()) report.table = ExperimentTable({response.experiment()});
  report.sections = {{"", text}};
  return report;
}

absl::StatusOr<ExitCode> Validate(Context& context, Client* client, const Options& options) {
  DET_ASSIGN_OR_RETURN(const api::CreateExperimentRequest request, MakeRequest(options));
  // The model is packed to find what is wrong with it, but a check leaves nothing on the master.
  if (!options.directory.empty()) DET_RETURN_IF_ERROR(PackTree(options.directory).status());
  DET_ASSIGN_OR_RETURN(const api::CreateExperimentResponse response,
                       client->CreateExperiment(request));
  for (const std::string& warning : response.warnings()) context.Warn(warning);
  DET_RETURN_IF_ERROR(
      context.Show(CreatedReport(response, StrCat(options.config.path, " is valid\n"))));
  return ExitCode::kOk;
}

void PutGitState(Context& context,
                 const std::string& directory,
                 api::CreateExperimentRequest* request) {
  const auto state = ReadGitState(directory, context.getenv()("PATH").value_or(""));
  if (!state.has_value()) return;
  request->mutable_code()->set_git_commit(state->commit);
  request->mutable_code()->set_git_branch(state->branch);
  request->mutable_code()->set_git_dirty(state->dirty);
}

absl::StatusOr<ExitCode> Create(Context& context, Client* client, const Options& options) {
  DET_ASSIGN_OR_RETURN(api::CreateExperimentRequest request, MakeRequest(options));
  if (!options.directory.empty()) {
    DET_ASSIGN_OR_RETURN(*request.mutable_context_sha256(),
                         UploadModel(context, client, options.directory));
    PutGitState(context, options.directory, &request);
  }
  DET_ASSIGN_OR_RETURN(const api::CreateExperimentResponse response,
                       client->CreateExperiment(request));
  for (const std::string& warning : response.warnings()) context.Warn(warning);
  const api::Experiment& experiment = response.experiment();
  std::string text = StrCat("created experiment ", experiment.id());
  if (!experiment.name().empty()) StrAppend(text, ": ", experiment.name());
  const Format format = context.options().format;
  if (options.follow && format != Format::kTable && format != Format::kName) {
    // One document has room for one answer: that of the end.
    context.Say(text);
  } else {
    DET_RETURN_IF_ERROR(context.Show(CreatedReport(response, text + "\n")));
  }
  if (options.follow) return FollowExperiment(context, client, experiment.id());
  context.Note(StrCat("watch it: det e watch ", experiment.id()));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Run(Context& context, Options options) {
  if (!options.project_id.empty()) {
    if (!options.project.empty())
      return UsageError("--project and --project_id do not go together");
    DET_ASSIGN_OR_RETURN(const ProjectWords place, ProjectById(context, options.project_id));
    options.project = StrCat(place.workspace, "/", place.project);
  }
  if (options.validate && options.follow) {
    return UsageError("--validate creates nothing that --follow could follow");
  }
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  return options.validate ? Validate(context, client, options) : Create(context, client, options);
}

constexpr char kNoTest[] =
    "--validate checks the configuration, det plan says where it would run; for a short trial give "
    "--config searcher.name=single and a small searcher.max_length";

std::vector<Param> Params(Options* options) {
  std::vector<Param> params = ConfigParams(&options->config);
  params.insert(params.begin() + 1,
                Optional("DIR", &options->directory, "the model directory that trials run in"));
  std::vector<Param> own = {
      Flag("-f,--follow,--follow-first-trial",
           &options->follow,
           "watch it to its end; Ctrl-C only stops watching"),
      Option("--from-checkpoint",
             "UUID",
             &options->checkpoint,
             "let its trials begin from this checkpoint"),
      Option("--project",
             "WORKSPACE/PROJECT",
             &options->project,
             "where it belongs, before what the configuration says"),
      Flag("--paused", &options->paused, "do not start it: see det e activate"),
      Flag("--validate", &options->validate, "check the configuration only"),
      Hidden(Option("--project_id,--project-id", "N", &options->project_id, "by its id")),
      NoFlag("-t,--test,--test-mode", kNoTest),
      NoFlag("--local", "det up starts a cluster on this machine"),
      NoOption("-i,--include", "DIR is sent as it is: put it there"),
      NoOption("-p,--publish", "ports are published by the configuration's proxy_ports"),
  };
  std::move(own.begin(), own.end(), std::back_inserter(params));
  return params;
}

}  // namespace

Command ExperimentCreateCommand() {
  auto options = std::make_shared<Options>();
  return {
      .noun = "experiment",
      .verb = "create",
      .summary = "Create an experiment from a configuration and a model directory.",
      .details =
          "DIR is sent as it is, less what its .detignore leaves out (the syntax of .gitignore) "
          "and, unless that takes them back in with !, .git, __pycache__, *.pyc, .idea, .vscode "
          "and .mypy_cache.\n\n"
          "With -f the exit code tells the end: 0 completed, 7 ended in an error, 1 canceled.",
      .params = Params(options.get()),
      .examples = {{"det e create asha.yaml model/ -f", "create it and watch it"},
                   {"det e create asha.yaml model/ --config searcher.max_trials=8",
                    "with another limit"},
                   {"det e create asha.yaml --validate", "is the configuration right?"},
                   {"id=$(det e create asha.yaml model/ -o name)", "for scripts"}},
      .run = [options](Context& context) { return Run(context, *options); }};
}

}  // namespace det::cli
