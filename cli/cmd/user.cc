#include "cli/cmd/catalog_verbs.h"

// det user: who there is.
namespace det::cli {
namespace {

const ListKind& Kind() {
  static const auto* const kind =
      new ListKind{.since = "created", .example = "'administrator or not active'", .limit = 1000};
  return *kind;
}

absl::StatusOr<ExitCode> Change(Context& context,
                                const api::ChangeUserRequest& request,
                                const std::string& line) {
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const auto response,
                       client->Ask<api::UserResponse>("CatalogService/ChangeUser", request));
  return ShowDone(context, response.user(), UserTable, line);
}

Command ActivationCommand(bool active) {
  auto name = std::make_shared<std::string>();
  const std::string verb = active ? "activate" : "deactivate";
  return {
      .noun = "user",
      .verb = verb,
      .summary =
          active ? "Let a user in again." : "Let a user in no more; their experiments go on.",
      .params = {Required("NAME", name.get(), "the user")},
      .examples = {{StrCat("det user ", verb, " bob"), active ? "bob is back" : "bob has left"}},
      .run = [name, active](Context& context) {
        api::ChangeUserRequest request;
        request.set_name(*name);
        request.set_active(active);
        return Change(context,
                      request,
                      StrCat("user ", *name, active ? " is active" : " is not active any more"));
      }};
}

struct NewUserWords {
  std::string name;
  std::string display_name;
  bool administrator = false;
};

absl::StatusOr<ExitCode> Create(Context& context, const NewUserWords& words) {
  api::CreateUserRequest request;
  request.set_name(words.name);
  request.set_display_name(words.display_name);
  request.set_administrator(words.administrator);
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const auto response,
                       client->Ask<api::UserResponse>("CatalogService/CreateUser", request));
  const std::string& name = response.user().name();
  DET_ASSIGN_OR_RETURN(
      const ExitCode code,
      ShowDone(context, response.user(), UserTable, StrCat("created user ", name)));
  context.Note(StrCat("give them a token: det token create laptop --user ", name));
  return code;
}

}  // namespace

Command UserListCommand() {
  auto words = std::make_shared<ListWords>();
  Command command{.noun = "user",
                  .verb = "list",
                  .aliases = {"ls"},
                  .summary = "List users.",
                  .examples = {{"det user list", "who is there?"}},
                  .run = [words](Context& context) -> absl::StatusOr<ExitCode> {
                    DET_ASSIGN_OR_RETURN(const ListAsk ask, Understand(*words, Kind()));
                    return ShowList<api::ListUsersResponse>(
                        context,
                        "CatalogService/ListUsers",
                        api::ListUsersRequest(),
                        ask,
                        [](const auto& page) { return page.users(); },
                        UserTable);
                  }};
  for (Param& param : ListParams(words.get(), Kind())) command.params.push_back(std::move(param));
  return command;
}

Command UserCreateCommand() {
  auto words = std::make_shared<NewUserWords>();
  return {.noun = "user",
          .verb = "create",
          .summary = "Make a user.",
          .params = {Required("NAME", &words->name, "letters, digits and . _ @ + -"),
                     Option("--display-name", "TEXT", &words->display_name, "as people say it"),
                     Flag("--admin", &words->administrator, "an administrator of the cluster")},
          .examples = {{"det user create ann --display-name 'Ann Lee'", "a new colleague"}},
          .run = [words](Context& context) { return Create(context, *words); }};
}

Command UserEditCommand() {
  struct Words {
    std::string name;
    std::string display_name = kUnset;
    bool admin = false;
    bool no_admin = false;
    bool active = false;
    bool inactive = false;
  };
  auto words = std::make_shared<Words>();
  return {
      .noun = "user",
      .verb = "edit",
      .summary = "Change what a user is called in full, and whether they administer the cluster.",
      .params = {Required("NAME", &words->name, "the user"),
                 Option("--display-name", "TEXT", &words->display_name, "as people say it"),
                 Flag("--admin", &words->admin, "make them an administrator of the cluster"),
                 Flag("--no-admin", &words->no_admin, "they administer it no more"),
                 Hidden(Flag("--activate", &words->active, "as det user activate")),
                 Hidden(Flag("--deactivate", &words->inactive, "as det user deactivate")),
                 NoOption("--username", "det user rename NAME NEW gives another name"),
                 NoFlag("--remote", "there is one kind of user here")},
      .examples = {{"det user edit ann --display-name 'Ann Lee'", "she has married"},
                   {"det user edit bob --no-admin", "bob does other things now"}},
      .run = [words](Context& context) -> absl::StatusOr<ExitCode> {
        if (words->admin && words->no_admin)
          return UsageError("--admin and --no-admin exclude each other");
        if (words->active && words->inactive)
          return UsageError("--activate and --deactivate exclude each other");
        api::ChangeUserRequest request;
        request.set_name(words->name);
        if (words->display_name != kUnset) request.set_display_name(words->display_name);
        if (words->admin || words->no_admin) request.set_administrator(words->admin);
        if (words->active || words->inactive) request.set_active(words->active);
        if (!request.has_display_name() && !request.has_administrator() && !request.has_active())
          return UsageError("nothing is to be changed",
                            "name one of --display-name, --admin, --no-admin");
        return Change(context, request, StrCat("user ", words->name, " is changed"));
      }};
}

Command UserActivateCommand() {
  return ActivationCommand(true);
}
Command UserDeactivateCommand() {
  return ActivationCommand(false);
}

Command UserRenameCommand() {
  struct Words {
    std::string name;
    std::string to;
  };
  auto words = std::make_shared<Words>();
  return {.noun = "user",
          .verb = "rename",
          .summary = "Give a user another name; what is theirs stays theirs.",
          .params = {Required("NAME", &words->name, "the user"),
                     Required("NEW", &words->to, "the new name")},
          .examples = {{"det user rename ann anna", "the old name stays reserved for her"}},
          .run = [words](Context& context) {
            api::ChangeUserRequest request;
            request.set_name(words->name);
            request.set_new_name(words->to);
            return Change(context, request, StrCat("user ", words->name, " is now ", words->to));
          }};
}

}  // namespace det::cli
