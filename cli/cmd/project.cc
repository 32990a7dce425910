#include "cli/cmd/catalog_verbs.h"

// det project: what experiments of a workspace are sorted into.
namespace det::cli {
namespace {

const ListKind& Kind() {
  static const auto* const kind = new ListKind{
      .since = "created", .example = "'name ~ digits and experiments > 0'", .limit = 1000};
  return *kind;
}

template <class Request>
absl::StatusOr<Request> RequestOf(const ProjectWords& words) {
  DET_ASSIGN_OR_RETURN(const ProjectWords name, Understand(words));
  Request request;
  request.set_workspace(name.workspace);
  request.set_project(name.project);
  return request;
}

template <class Request>
absl::StatusOr<api::Project> Call(Context& context,
                                  const std::string& call,
                                  const Request& request) {
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const auto response,
                       client->Ask<api::ProjectResponse>("CatalogService/" + call, request));
  return response.project();
}

std::string FullName(const api::Project& project) {
  return StrCat(project.workspace(), "/", project.name());
}

Command ArchiveCommand(bool archived) {
  auto words = std::make_shared<ProjectWords>();
  const std::string verb = archived ? "archive" : "unarchive";
  return {.noun = "project",
          .verb = verb,
          .summary = archived ? "Hide a project; no new experiment goes there."
                              : "Take an archived project back.",
          .params = ProjectParams(words.get()),
          .examples = {{StrCat("det p ", verb, " vision/digits"),
                        archived ? "that question is answered" : "it goes on"}},
          .run = [words, archived](Context& context) -> absl::StatusOr<ExitCode> {
            DET_ASSIGN_OR_RETURN(auto request, RequestOf<api::ChangeProjectRequest>(*words));
            request.set_archived(archived);
            DET_ASSIGN_OR_RETURN(const api::Project project,
                                 Call(context, "ChangeProject", request));
            return ShowDone(
                context,
                project,
                ProjectTable,
                StrCat("project ", FullName(project), archived ? " is archived" : " is back"));
          }};
}

}  // namespace

Command ProjectListCommand() {
  struct Words {
    std::string workspace;
    bool archived = false;
    ListWords list;
  };
  auto words = std::make_shared<Words>();
  Command command{.noun = "project",
                  .verb = "list",
                  .aliases = {"ls"},
                  .summary = "List projects, of one workspace or of all that you see.",
                  .params = {Optional("WORKSPACE", &words->workspace, "only of this one"),
                             Flag("--archived", &words->archived, "archived ones too")},
                  .examples = {{"det p ls vision", "the projects of a workspace"}},
                  .run = [words](Context& context) -> absl::StatusOr<ExitCode> {
                    DET_ASSIGN_OR_RETURN(const ListAsk ask, Understand(words->list, Kind()));
                    api::ListProjectsRequest request;
                    request.set_workspace(words->workspace);
                    request.set_archived(words->archived);
                    return ShowList<api::ListProjectsResponse>(
                        context,
                        "CatalogService/ListProjects",
                        request,
                        ask,
                        [](const auto& page) { return page.projects(); },
                        ProjectTable);
                  }};
  for (Param& param : ListParams(&words->list, Kind())) command.params.push_back(std::move(param));
  return command;
}

Command ProjectCreateCommand() {
  struct Words {
    ProjectWords name;
    std::string description;
  };
  auto words = std::make_shared<Words>();
  std::vector<Param> params = ProjectParams(&words->name);
  params.push_back(Option("--description", "TEXT", &words->description, "what it is about"));
  return {.noun = "project",
          .verb = "create",
          .summary = "Make a project in a workspace.",
          .params = std::move(params),
          .examples = {{"det p create vision digits", "for experiments on digits"}},
          .run = [words](Context& context) -> absl::StatusOr<ExitCode> {
            DET_ASSIGN_OR_RETURN(auto request, RequestOf<api::CreateProjectRequest>(words->name));
            request.set_description(words->description);
            DET_ASSIGN_OR_RETURN(const api::Project project,
                                 Call(context, "CreateProject", request));
            return ShowDone(
                context, project, ProjectTable, StrCat("created project ", FullName(project)));
          }};
}

Command ProjectDescribeCommand() {
  auto words = std::make_shared<ProjectWords>();
  return {.noun = "project",
          .verb = "describe",
          .aliases = {"show"},
          .summary = "Show one project.",
          .params = ProjectParams(words.get()),
          .examples = {{"det p describe vision digits", "all about it"},
                       {"det e ls --project vision/digits", "its experiments"}},
          .run = [words](Context& context) -> absl::StatusOr<ExitCode> {
            DET_ASSIGN_OR_RETURN(const auto request, RequestOf<api::ProjectRequest>(*words));
            DET_ASSIGN_OR_RETURN(const api::Project project, Call(context, "GetProject", request));
            DET_RETURN_IF_ERROR(context.Show(ProjectReport(project)));
            return ExitCode::kOk;
          }};
}

Command ProjectRenameCommand() {
  struct Words {
    std::string name;
    std::string to;
  };
  auto words = std::make_shared<Words>();
  return {
      .noun = "project",
      .verb = "rename",
      .summary = "Give a project another name.",
      .params = {Required("WORKSPACE/PROJECT", &words->name, "the project"),
                 Required("NEW", &words->to, "the new name, without the workspace")},
      .examples = {{"det p rename vision/digits numbers", "it is vision/numbers now"}},
      .run = [words](Context& context) -> absl::StatusOr<ExitCode> {
        DET_ASSIGN_OR_RETURN(auto request, RequestOf<api::ChangeProjectRequest>({words->name, ""}));
        request.set_new_name(words->to);
        DET_ASSIGN_OR_RETURN(const api::Project project, Call(context, "ChangeProject", request));
        return ShowDone(context,
                        project,
                        ProjectTable,
                        StrCat("project ", words->name, " is now ", FullName(project)));
      }};
}

Command ProjectEditCommand() {
  struct Words {
    ProjectWords project;
    std::string name;
    std::string description = kUnset;
  };
  auto words = std::make_shared<Words>();
  std::vector<Param> params = ProjectParams(&words->project);
  params.push_back(Option("--name", "NEW", &words->name, "its new name"));
  params.push_back(Hidden(Option("--new_name,--new-name", "NEW", &words->name, "as --name")));
  params.push_back(Option("--description", "TEXT", &words->description, "what it is about"));
  return {
      .noun = "project",
      .verb = "edit",
      .summary = "Change a project: its name, its description.",
      .params = std::move(params),
      .examples = {{"det p edit vision/digits --description 'MNIST and the like'", ""}},
      .run = [words](Context& context) -> absl::StatusOr<ExitCode> {
        DET_ASSIGN_OR_RETURN(auto request, RequestOf<api::ChangeProjectRequest>(words->project));
        if (!words->name.empty()) request.set_new_name(words->name);
        if (words->description != kUnset) request.set_description(words->description);
        if (!request.has_new_name() && !request.has_description())
          return UsageError("nothing is to be changed", "name it: --name or --description");
        DET_ASSIGN_OR_RETURN(const api::Project project, Call(context, "ChangeProject", request));
        return ShowDone(
            context, project, ProjectTable, StrCat("project ", FullName(project), " is changed"));
      }};
}

Command ProjectMoveCommand() {
  struct Words {
    std::string workspace;
    std::string project;
    std::string to;
  };
  auto words = std::make_shared<Words>();
  return {
      .noun = "project",
      .verb = "move",
      .aliases = {"mv"},
      .summary = "Move a project with its experiments to another workspace.",
      .details = "All of its experiments must have ended.",
      .params = {Required("WORKSPACE", &words->workspace, "the workspace, or WORKSPACE/PROJECT"),
                 Required("PROJECT", &words->project, "the project; left out after a slash"),
                 Optional("TO", &words->to, "the workspace to move it to")},
      .examples = {{"det p move vision digits robots", "it is robots/digits now"},
                   {"det p move vision/digits robots", "the same"}},
      .run = [words](Context& context) -> absl::StatusOr<ExitCode> {
        const bool joined = words->to.empty();
        DET_ASSIGN_OR_RETURN(
            auto request,
            RequestOf<api::MoveProjectRequest>({words->workspace, joined ? "" : words->project}));
        request.set_to_workspace(joined ? words->project : words->to);
        DET_ASSIGN_OR_RETURN(const api::Project project, Call(context, "MoveProject", request));
        return ShowDone(context, project, ProjectTable, StrCat("moved to ", FullName(project)));
      }};
}

Command ProjectArchiveCommand() {
  return ArchiveCommand(true);
}
Command ProjectUnarchiveCommand() {
  return ArchiveCommand(false);
}

Command ProjectDeleteCommand() {
  auto words = std::make_shared<ProjectWords>();
  return {.noun = "project",
          .verb = "delete",
          .summary = "Remove an empty project.",
          .params = ProjectParams(words.get()),
          .examples = {{"det p delete vision digits", "refused while experiments are in it"}},
          .run = [words](Context& context) -> absl::StatusOr<ExitCode> {
            DET_ASSIGN_OR_RETURN(const auto request, RequestOf<api::ProjectRequest>(*words));
            return CallAndSay<api::DeleteProjectResponse>(
                context,
                "CatalogService/DeleteProject",
                request,
                StrCat("deleted project ", request.workspace(), "/", request.project()));
          }};
}

}  // namespace det::cli
