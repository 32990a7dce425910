#include "cli/cmd/catalog_verbs.h"

// det token: what programs and people log in with.
namespace det::cli {
namespace {

const ListKind& Kind() {
  static const auto* const kind = new ListKind{
      .since = "created", .example = "'last_used = null and created > 30d'", .limit = 1000};
  return *kind;
}

constexpr absl::Duration kLifeMax = absl::Hours(24 * 365 * 100);

struct Words {
  std::string name;
  std::string user;
  std::string expires = "30d";
};

// "30d", "12h", "never".
absl::StatusOr<int64_t> ParseLife(const std::string& text) {
  if (text == "never") return -1;
  const bool days = text.ends_with('d');
  absl::Duration life;
  if (!absl::ParseDuration(days ? text.substr(0, text.size() - 1) + "h" : text, &life) ||
      life <= absl::ZeroDuration()) {
    return UsageError(StrCat("--expires: ", QuoteJson(text), " is no time"),
                      "write 30d, 12h or never");
  }
  if (days) life *= 24;
  if (life > kLifeMax) {
    return UsageError(StrCat("--expires: ", QuoteJson(text), " is more than a hundred years"),
                      "write never, for a token that does not end");
  }
  const int64_t seconds = absl::ToInt64Seconds(life);
  if (seconds > 0) return seconds;
  return UsageError(StrCat("--expires: ", QuoteJson(text), " is less than a second"),
                    "write 30d, 12h or never");
}

absl::StatusOr<ExitCode> Create(Context& context, const Words& words) {
  api::CreateTokenRequest request;
  request.set_user(words.user);
  request.set_name(words.name);
  DET_ASSIGN_OR_RETURN(const int64_t life, ParseLife(words.expires));
  request.set_life_seconds(life);
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(
      const auto response,
      client->Ask<api::CreateTokenResponse>("CatalogService/CreateToken", request));
  Table table = TokenTable({response.token()});
  table.columns.push_back({"secret"});
  table.rows[0].push_back(response.secret());
  table.key = "secret";
  DET_RETURN_IF_ERROR(context.Show(
      {ToDocument(response), std::move(table), {{"", StrCat(response.secret(), "\n")}}}));
  context.Note(StrCat("this is token ",
                      response.token().id(),
                      " of ",
                      response.token().user(),
                      ", shown this once; DET_TOKEN or --token-file gives it to det"));
  return ExitCode::kOk;
}

// Of one's own or, for administrators, of all: the page on which it would be is asked for.
absl::StatusOr<api::Token> FindToken(Context& context, int64_t id) {
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  for (const char* user : {"", "*"}) {
    api::ListTokensRequest request;
    request.set_user(user);
    request.set_after_id(id - 1);
    request.set_limit(1);
    const auto page = client->Ask<api::ListTokensResponse>("CatalogService/ListTokens", request);
    if (absl::IsPermissionDenied(page.status())) break;
    DET_RETURN_IF_ERROR(page.status());
    if (page->tokens_size() == 1 && page->tokens(0).id() == id) return page->tokens(0);
  }
  return Error(absl::StatusCode::kNotFound,
               "NO_SUCH_TOKEN",
               StrCat("there is no token ", id, " that you may see"),
               "det token list shows yours");
}

}  // namespace

Command TokenCreateCommand() {
  auto words = std::make_shared<Words>();
  return {.noun = "token",
          .verb = "create",
          .summary = "Make a token and print it: it is shown this once.",
          .params = {Required("NAME", &words->name, "what it is for: laptop, ci"),
                     Option("--user", "NAME", &words->user, "of this user (administrators)"),
                     Option("--expires", "TIME", &words->expires, "30d (the default), 12h, never")},
          .examples = {{"det token create ci --expires 90d", "for a build server"},
                       {"export DET_TOKEN=$(det token create laptop -o name)", "for scripts"}},
          .run = [words](Context& context) { return Create(context, *words); }};
}

Command TokenListCommand() {
  struct TokensWords {
    std::string user;
    bool all = false;
    ListWords list;
  };
  auto words = std::make_shared<TokensWords>();
  Command command{
      .noun = "token",
      .verb = "list",
      .aliases = {"ls"},
      .summary = "List tokens that were not revoked; what they are is nowhere.",
      .params = {Option("--user", "NAME", &words->user, "of this user (administrators)"),
                 Flag("-a,--all", &words->all, "of all users (administrators)")},
      .examples = {{"det token list --sort last_used", "which does nobody use?"}},
      .run = [words](Context& context) -> absl::StatusOr<ExitCode> {
        DET_ASSIGN_OR_RETURN(const ListAsk ask, Understand(words->list, Kind()));
        api::ListTokensRequest request;
        request.set_user(words->all ? "*" : words->user);
        return ShowList<api::ListTokensResponse>(
            context,
            "CatalogService/ListTokens",
            request,
            ask,
            [](const auto& page) { return page.tokens(); },
            TokenTable);
      }};
  for (Param& param : ListParams(&words->list, Kind())) {
    // Here it is the users of which there are all.
    if (param.names != "--all") command.params.push_back(std::move(param));
  }
  return command;
}

Command TokenDescribeCommand() {
  auto id = std::make_shared<std::string>();
  return {.noun = "token",
          .verb = "describe",
          .aliases = {"show"},
          .summary = "Show one token: whose it is, when it ends, when it was used.",
          .params = {Required("ID", id.get(), "the token's number, of det token list")},
          .examples = {{"det token describe 3", "is that still in use?"}},
          .run = [id](Context& context) -> absl::StatusOr<ExitCode> {
            DET_ASSIGN_OR_RETURN(const int64_t number, ParseId(*id, 't', "token"));
            DET_ASSIGN_OR_RETURN(const api::Token token, FindToken(context, number));
            DET_RETURN_IF_ERROR(
                context.Show({ToDocument(token),
                              TokenTable({token}),
                              {{"",
                                Fields{{"token", int64_t{token.id()}},
                                       {"name", TextCell(token.name())},
                                       {"user", TextCell(token.user())},
                                       {"created", TimeCell(token.created_unix_nanos())},
                                       {"expires", TimeCell(token.expires_unix_nanos())},
                                       {"last used", TimeCell(token.last_used_unix_nanos())}}}}}));
            return ExitCode::kOk;
          }};
}

Command TokenRevokeCommand() {
  auto id = std::make_shared<std::string>();
  return {.noun = "token",
          .verb = "revoke",
          .summary = "End a token: it lets nobody in from now on.",
          .params = {Required("ID", id.get(), "the token's number, of det token list")},
          .examples = {{"det token revoke 3", "the laptop was lost"}},
          .run = [id](Context& context) -> absl::StatusOr<ExitCode> {
            api::RevokeTokenRequest request;
            DET_ASSIGN_OR_RETURN(const int64_t number, ParseId(*id, 't', "token"));
            request.set_id(number);
            return CallAndSay<api::RevokeTokenResponse>(
                context, "CatalogService/RevokeToken", request, StrCat("revoked token ", number));
          }};
}

}  // namespace det::cli
