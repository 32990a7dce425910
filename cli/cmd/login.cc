#include <memory>
#include <utility>

#include "cli/app/context.h"
#include "cli/app/prompt.h"
#include "cli/base/cause.h"
#include "cli/base/files.h"
#include "cli/client/client.h"
#include "cli/client/contexts.h"
#include "cli/cmd/commands.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/fs.h"

namespace det::cli {
namespace {

constexpr int64_t kTokenBytesMax = 64 << 10;

struct LoginWords {
  std::string address;
  std::string name;
  bool token_stdin = false;
};

absl::StatusOr<std::string> AddressOf(Context& context, const LoginWords& words) {
  if (!words.address.empty()) return ParseAddress(words.address);
  // The cluster that commands go to now; a token that it no longer takes is no reason to fail.
  ConnectionFlags flags = context.options().connection;
  flags.token_file.clear();
  flags.plaintext = true;
  DET_ASSIGN_OR_RETURN(const Connection connection, ResolveConnection(flags, context.getenv()));
  return connection.address;
}

std::string HostName(const std::string& address) {
  std::string host = address.substr(0, address.rfind(':'));
  std::erase_if(host, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-' && c != '_' && c != '.';
  });
  return host.empty() ? "cluster" : host;
}

// The name that was asked for, that of the context which has the address, or one of the host's.
std::string NameOf(const Contexts& contexts, const LoginWords& words, const std::string& address) {
  if (!words.name.empty()) return words.name;
  for (const ClusterContext& context : contexts.all) {
    const absl::StatusOr<std::string> known = ParseAddress(context.master);
    if (known.ok() && *known == address) return context.name;
  }
  const std::string host = HostName(address);
  if (contexts.Find(host) == nullptr) return host;
  return StrCat(host, "-", address.substr(address.rfind(':') + 1));
}

absl::StatusOr<std::string> TokenText(Context& context,
                                      const LoginWords& words,
                                      const std::string& address) {
  const std::string& file = context.options().connection.token_file;
  if (words.token_stdin && !file.empty()) {
    return UsageError("--token-stdin and --token-file do not go together");
  }
  if (words.token_stdin) return ReadStandardInput();
  if (!file.empty()) return det::cli::ReadFile(file, kTokenBytesMax);
  return PromptSecret(StrCat("Token for ", address, ": "));
}

absl::Status CheckEncrypted(const Context& context, const std::string& address) {
  if (IsLoopback(address) || context.options().connection.plaintext) return absl::OkStatus();
  return Error(absl::StatusCode::kPermissionDenied,
               "NOT_ENCRYPTED",
               StrCat("the connection to ",
                      address,
                      " is not encrypted: whoever is on the way could read your token"),
               "forward the port with ssh -L 8090:127.0.0.1:8090 HOST and log in to "
               "127.0.0.1, or accept it with --plaintext on a network that you trust");
}

absl::Status KeepToken(const std::string& path, const std::string& token) {
  DET_RETURN_IF_ERROR(MakeDirs(ParentDirectory(path), 0700));
  return AtomicWriteFile(path, StrCat(token, "\n"), 0600);
}

// As whom a context speaks; empty where its token is gone or no longer taken.
std::string UserOf(const ClusterContext& context) {
  if (context.token_file.empty()) return "";
  const absl::StatusOr<std::string> text = det::cli::ReadFile(context.token_file, kTokenBytesMax);
  if (!text.ok()) return "";
  const absl::StatusOr<Secret> token = ParseToken(*text, context.token_file);
  const absl::StatusOr<std::string> address = ParseAddress(context.master);
  if (!token.ok() || !address.ok()) return "";
  const std::unique_ptr<Client> client = Client::Create({.address = *address,
                                                         .address_source = "the context",
                                                         .token = *token,
                                                         .token_source = context.token_file},
                                                        {});
  const absl::StatusOr<api::GetClusterResponse> cluster = client->GetCluster();
  return cluster.ok() ? cluster->user() : "";
}

// A context of somebody else is replaced only by its name.
absl::Status CheckReplaced(const Contexts& contexts,
                           const LoginWords& words,
                           const std::string& name,
                           const std::string& user) {
  const ClusterContext* known = contexts.Find(name);
  if (known == nullptr || !words.name.empty()) return absl::OkStatus();
  const std::string before = UserOf(*known);
  if (before.empty() || before == user) return absl::OkStatus();
  return Error(absl::StatusCode::kAlreadyExists,
               "CONTEXT_OF_ANOTHER",
               StrCat("the context ", name, " is that of ", before, ", not of ", user),
               StrCat("--name NAME makes one of its own, --name ", name, " replaces it"));
}

absl::StatusOr<ExitCode> Login(Context& context, const LoginWords& words) {
  if (!words.name.empty()) DET_RETURN_IF_ERROR(CheckContextName(words.name));
  DET_ASSIGN_OR_RETURN(Contexts contexts, ReadContexts(context.getenv()));
  DET_ASSIGN_OR_RETURN(const std::string address, AddressOf(context, words));
  DET_RETURN_IF_ERROR(CheckEncrypted(context, address));
  DET_ASSIGN_OR_RETURN(const std::string text, TokenText(context, words, address));
  DET_ASSIGN_OR_RETURN(const Secret token, ParseToken(text, "what was given"));
  const std::unique_ptr<Client> client = Client::Create({.address = address,
                                                         .address_source = "det login",
                                                         .token = token,
                                                         .token_source = "det login"},
                                                        {});
  DET_ASSIGN_OR_RETURN(const api::GetClusterResponse cluster, client->GetCluster());
  ClusterContext entry{.name = NameOf(contexts, words, address),
                       .master = address,
                       .plaintext = context.options().connection.plaintext};
  DET_RETURN_IF_ERROR(CheckReplaced(contexts, words, entry.name, cluster.user()));
  entry.token_file = TokenPath(context.getenv(), entry.name);
  DET_RETURN_IF_ERROR(KeepToken(entry.token_file, token.Reveal()));
  contexts.current = entry.name;
  contexts.Put(entry);
  DET_RETURN_IF_ERROR(WriteContexts(context.getenv(), contexts));
  context.Say(StrCat("you are ", cluster.user(), " at ", address, ", the context ", entry.name));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Logout(Context& context) {
  DET_ASSIGN_OR_RETURN(Contexts contexts, ReadContexts(context.getenv()));
  std::string name = context.options().connection.context;
  if (name.empty()) name = context.getenv()("DET_CONTEXT").value_or("");
  if (name.empty()) name = contexts.current;
  const ClusterContext* found = contexts.Find(name);
  if (found == nullptr) {
    if (name.empty()) {
      context.Note("there is no current context: nobody is logged in");
      return ExitCode::kOk;
    }
    return NoSuchContext(contexts, name);
  }
  ClusterContext entry = *found;
  if (entry.token_file.empty()) {
    context.Note(StrCat("the context ", name, " has no token"));
    return ExitCode::kOk;
  }
  DET_RETURN_IF_ERROR(RemoveToken(context.getenv(), entry));
  entry.token_file.clear();
  contexts.Put(std::move(entry));
  DET_RETURN_IF_ERROR(WriteContexts(context.getenv(), contexts));
  context.Say(StrCat("the token of ", name, " is gone from here; it is valid until it is revoked"));
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> WhoAmI(Context& context) {
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const api::GetClusterResponse cluster, client->GetCluster());
  const Connection& connection = client->connection();
  Report report;
  report.document.Add("user", cluster.user())
      .Add("context", connection.context)
      .Add("master", connection.address)
      .Add("cluster_id", cluster.cluster_id());
  report.table = {.columns = {{"user"}, {"context"}, {"master"}, {"cluster_id"}},
                  .rows = {{cluster.user(),
                            TextCell(connection.context),
                            connection.address,
                            cluster.cluster_id()}},
                  .key = "user"};
  report.sections.push_back(
      {"",
       Fields{{"user", TextCell(cluster.user())},
              {"context", TextCell(connection.context)},
              {"master", StrCat(connection.address, ", by ", connection.address_source)},
              {"token", TextCell(connection.token_source)}}});
  DET_RETURN_IF_ERROR(context.Show(std::move(report)));
  return ExitCode::kOk;
}

}  // namespace

Command LoginCommand() {
  auto words = std::make_shared<LoginWords>();
  return {
      .verb = "login",
      .summary = "Log in to a cluster with a token, and go there from now on.",
      .details =
          "Asks for the token without showing it, tries it, and keeps it in a file that "
          "only you can read. The cluster becomes a context; log in to each that you use.",
      .params =
          {Optional("ADDRESS", &words->address, "the master's HOST:PORT; else the current one"),
           Option("--name", "NAME", &words->name, "of the context; else the host's"),
           Flag("--token-stdin", &words->token_stdin, "read the token from the standard input")},
      .examples = {{"det login 10.0.0.5:8090 --name prod", "asks for the token"},
                   {"det login 10.0.0.5 --token-stdin < token", "in a script"}},
      .run = [words](Context& context) { return Login(context, *words); }};
}

Command LogoutCommand() {
  return {.verb = "logout",
          .summary = "Forget the token of the current context, or of --context.",
          .examples = {{"det logout", "leave no token behind"}},
          .run = Logout};
}

Command WhoAmICommand() {
  return {.verb = "whoami",
          .summary = "Say as whom you speak, and to which cluster.",
          .examples = {{"det whoami", "who am I here?"}, {"det whoami -o name", "for scripts"}},
          .run = WhoAmI};
}

}  // namespace det::cli
