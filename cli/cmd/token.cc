#include "cli/cmd/catalog_verbs.h"

// det token: what programs and people log in with.
namespace det::cli {
namespace {

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
  return absl::ToInt64Seconds(days ? 24 * life : life);
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
  struct ListWords {
    std::string user;
    bool all = false;
    MaybeLimit limit;
  };
  auto words = std::make_shared<ListWords>();
  return {.noun = "token",
          .verb = "list",
          .aliases = {"ls"},
          .summary = "List tokens that were not revoked; what they are is nowhere.",
          .params = {Option("--user", "NAME", &words->user, "of this user (administrators)"),
                     Flag("-a,--all", &words->all, "of all users (administrators)"),
                     Option("--limit", "N", &words->limit, "at most so many (1000)")},
          .examples = {{"det token list --sort last_used", "which does nobody use?"}},
          .run = [words](Context& context) {
            api::ListTokensRequest request;
            request.set_user(words->all ? "*" : words->user);
            return ShowList<api::ListTokensResponse>(
                context,
                "CatalogService/ListTokens",
                request,
                words->limit,
                [](const auto& page) { return page.tokens(); },
                TokenTable);
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
