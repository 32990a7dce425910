#include "cli/cmd/catalog_verbs.h"

// det workspace: where projects are, and who may what in them.
namespace det::cli {
namespace {

const ListKind& Kind() {
  static const auto* const kind = new ListKind{
      .since = "created", .example = "'experiments > 0 and owner = ann'", .limit = 1000};
  return *kind;
}

absl::StatusOr<ExitCode> Change(Context& context,
                                const api::ChangeWorkspaceRequest& request,
                                const std::string& line) {
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(
      const auto response,
      client->Ask<api::WorkspaceResponse>("CatalogService/ChangeWorkspace", request));
  return ShowDone(context, response.workspace(), WorkspaceTable, line);
}

absl::StatusOr<ExitCode> Rename(Context& context, const std::string& name, const std::string& to) {
  api::ChangeWorkspaceRequest request;
  request.set_name(name);
  request.set_new_name(to);
  return Change(context, request, StrCat("workspace ", name, " is now ", to));
}

Command ArchiveCommand(bool archived) {
  auto name = std::make_shared<std::string>();
  const std::string verb = archived ? "archive" : "unarchive";
  return {.noun = "workspace",
          .verb = verb,
          .summary = archived ? "Hide a workspace; nothing new goes there."
                              : "Take an archived workspace back.",
          .params = {Required("NAME", name.get(), "the workspace")},
          .examples = {{StrCat("det w ", verb, " vision"),
                        archived ? "the project is over" : "it goes on"}},
          .run = [name, archived](Context& context) {
            api::ChangeWorkspaceRequest request;
            request.set_name(*name);
            request.set_archived(archived);
            return Change(context,
                          request,
                          StrCat("workspace ", *name, archived ? " is archived" : " is back"));
          }};
}

struct RoleWords {
  std::string workspace;
  std::string user;
  std::string role;
  bool everywhere = false;
};

absl::StatusOr<ExitCode> SetRole(Context& context, const RoleWords& words, bool add) {
  api::SetRoleRequest request;
  // With --everywhere the words are USER and ROLE alone.
  const bool all = words.everywhere;
  request.set_workspace(all ? "" : words.workspace);
  request.set_user(all ? words.workspace : words.user);
  request.set_role(!add ? "none" : all ? words.user : words.role);
  if (request.user().empty() || request.role().empty())
    return UsageError(add ? "name the user and the role" : "name the user");
  const std::string where = all ? "all workspaces" : words.workspace;
  return CallAndSay<api::SetRoleResponse>(
      context,
      "CatalogService/SetRole",
      request,
      add ? StrCat(request.user(), " is ", request.role(), " in ", where)
          : StrCat(request.user(), " has no role of their own in ", where, " any more"));
}

}  // namespace

Command WorkspaceListCommand() {
  struct Words {
    bool archived = false;
    ListWords list;
  };
  auto words = std::make_shared<Words>();
  Command command{.noun = "workspace",
                  .verb = "list",
                  .aliases = {"ls"},
                  .summary = "List the workspaces in which you have a role.",
                  .params = {Flag("--archived", &words->archived, "archived ones too")},
                  .examples = {{"det w ls", "where can I work?"}},
                  .run = [words](Context& context) -> absl::StatusOr<ExitCode> {
                    DET_ASSIGN_OR_RETURN(const ListAsk ask, Understand(words->list, Kind()));
                    api::ListWorkspacesRequest request;
                    request.set_archived(words->archived);
                    return ShowList<api::ListWorkspacesResponse>(
                        context,
                        "CatalogService/ListWorkspaces",
                        request,
                        ask,
                        [](const auto& page) { return page.workspaces(); },
                        WorkspaceTable);
                  }};
  for (Param& param : ListParams(&words->list, Kind())) command.params.push_back(std::move(param));
  return command;
}

Command WorkspaceCreateCommand() {
  auto name = std::make_shared<std::string>();
  return {.noun = "workspace",
          .verb = "create",
          .summary = "Make a workspace, of which you are the administrator.",
          .params = {Required("NAME", name.get(), "its name")},
          .examples = {{"det w create vision", "for a team"}},
          .run = [name](Context& context) -> absl::StatusOr<ExitCode> {
            api::WorkspaceRequest request;
            request.set_name(*name);
            DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
            DET_ASSIGN_OR_RETURN(
                const auto response,
                client->Ask<api::WorkspaceResponse>("CatalogService/CreateWorkspace", request));
            return ShowDone(context,
                            response.workspace(),
                            WorkspaceTable,
                            StrCat("created workspace ", response.workspace().name()));
          }};
}

Command WorkspaceDescribeCommand() {
  auto name = std::make_shared<std::string>();
  return {.noun = "workspace",
          .verb = "describe",
          .aliases = {"show"},
          .summary = "Show one workspace, and who may what in it.",
          .params = {Required("NAME", name.get(), "the workspace")},
          .examples = {{"det w describe vision", "who may stop experiments there?"}},
          .run = [name](Context& context) -> absl::StatusOr<ExitCode> {
            api::WorkspaceRequest request;
            request.set_name(*name);
            DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
            DET_ASSIGN_OR_RETURN(
                const auto response,
                client->Ask<api::GetWorkspaceResponse>("CatalogService/GetWorkspace", request));
            DET_RETURN_IF_ERROR(context.Show(WorkspaceReport(response)));
            return ExitCode::kOk;
          }};
}

Command WorkspaceRenameCommand() {
  struct Words {
    std::string name;
    std::string to;
  };
  auto words = std::make_shared<Words>();
  return {.noun = "workspace",
          .verb = "rename",
          .summary = "Give a workspace another name.",
          .params = {Required("NAME", &words->name, "the workspace"),
                     Required("NEW", &words->to, "the new name")},
          .examples = {{"det w rename vision robots", "another direction"}},
          .run = [words](Context& context) { return Rename(context, words->name, words->to); }};
}

Command WorkspaceEditCommand() {
  auto words = std::make_shared<RoleWords>();
  Command command = WorkspaceRenameCommand();
  command.verb = "edit";
  command.summary = "Change a workspace: its name.";
  command.params = {Required("NAME", &words->workspace, "the workspace"),
                    Option("--name", "NEW", &words->user, "its new name")};
  command.examples = {{"det w edit vision --name robots", "as det w rename vision robots"}};
  command.run = [words](Context& context) -> absl::StatusOr<ExitCode> {
    if (words->user.empty()) return UsageError("nothing is to be changed", "name it: --name NEW");
    return Rename(context, words->workspace, words->user);
  };
  return command;
}

Command WorkspaceListMembersCommand() {
  auto name = std::make_shared<std::string>();
  return {.noun = "workspace",
          .verb = "list-members",
          .summary = "List who has which role in a workspace.",
          .params = {Required("NAME", name.get(), "the workspace")},
          .examples = {{"det w list-members vision", "who may stop experiments there?"}},
          .run = [name](Context& context) -> absl::StatusOr<ExitCode> {
            api::WorkspaceRequest request;
            request.set_name(*name);
            DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
            DET_ASSIGN_OR_RETURN(
                const auto response,
                client->Ask<api::GetWorkspaceResponse>("CatalogService/GetWorkspace", request));
            DET_RETURN_IF_ERROR(
                context.Show({ToDocumentList(response.roles()),
                              RoleTable({response.roles().begin(), response.roles().end()}),
                              {}}));
            return ExitCode::kOk;
          }};
}

Command WorkspaceArchiveCommand() {
  return ArchiveCommand(true);
}
Command WorkspaceUnarchiveCommand() {
  return ArchiveCommand(false);
}

Command WorkspaceDeleteCommand() {
  auto name = std::make_shared<std::string>();
  return {.noun = "workspace",
          .verb = "delete",
          .summary = "Remove an empty workspace.",
          .params = {Required("NAME", name.get(), "the workspace")},
          .examples = {{"det w delete vision", "refused while projects or templates are in it"}},
          .run = [name](Context& context) {
            api::WorkspaceRequest request;
            request.set_name(*name);
            return CallAndSay<api::DeleteWorkspaceResponse>(context,
                                                            "CatalogService/DeleteWorkspace",
                                                            request,
                                                            StrCat("deleted workspace ", *name));
          }};
}

Command WorkspaceRoleAddCommand() {
  auto words = std::make_shared<RoleWords>();
  return {.noun = "workspace",
          .verb = "role add",
          .summary = "Give a user a role in a workspace, in place of the one they have.",
          .details =
              "A viewer sees, an editor creates and controls experiments too, an "
              "administrator manages the workspace as well. The user \"everybody\" stands "
              "for all users; who has several roles has the highest.",
          .params = {Required("WORKSPACE", &words->workspace, "the workspace"),
                     Required("USER", &words->user, "the user, or everybody"),
                     Optional("ROLE", &words->role, "viewer, editor or administrator"),
                     Flag("--everywhere",
                          &words->everywhere,
                          "in all workspaces: then name USER and ROLE alone")},
          .examples = {{"det w role add vision bob editor", "bob may work there"},
                       {"det w role add --everywhere ann viewer", "ann sees everything"},
                       {"det w role add Uncategorized everybody viewer", "look, don't touch"}},
          .run = [words](Context& context) { return SetRole(context, *words, true); }};
}

Command WorkspaceRoleRemoveCommand() {
  auto words = std::make_shared<RoleWords>();
  return {.noun = "workspace",
          .verb = "role remove",
          .aliases = {"role rm"},
          .summary = "Take a user's role in a workspace away.",
          .params = {Required("WORKSPACE", &words->workspace, "the workspace"),
                     Optional("USER", &words->user, "the user, or everybody"),
                     Flag("--everywhere",
                          &words->everywhere,
                          "the role in all workspaces: then name USER alone")},
          .examples = {{"det w role remove vision bob", "bob has left the team"}},
          .run = [words](Context& context) { return SetRole(context, *words, false); }};
}

}  // namespace det::cli
