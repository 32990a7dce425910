#include "cli/client/connection.h"

#include <algorithm>
#include <charconv>

#include <sys/stat.h>

#include "cli/base/cause.h"
#include "cli/base/files.h"
#include "cli/client/contexts.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/json/json.h"
#include "common/os/fs.h"

namespace det::cli {
namespace {

constexpr int64_t kSmallFileBytesMax = 64 << 10;
constexpr int kDefaultPort = 8090;

bool FileExists(const std::string& path) {
  struct stat info = {};
  return !path.empty() && stat(path.c_str(), &info) == 0;
}

absl::StatusOr<std::string> Member(const Value& value, std::string_view key) {
  const Value* member = value.Find(key);
  if (member == nullptr || member->is_null()) return std::string();
  if (member->is_string()) return member->as_string();
  return absl::InvalidArgumentError(StrCat(key, " is ", member->TypeName(), ", not a string"));
}

absl::StatusOr<Current> ParseCurrent(const std::string& path) {
  DET_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kSmallFileBytesMax));
  DET_ASSIGN_OR_RETURN(const Value value, ParseJson(text));
  Current current{.path = path};
  DET_ASSIGN_OR_RETURN(current.master, Member(value, "master"));
  DET_ASSIGN_OR_RETURN(current.token_file, Member(value, "token_file"));
  DET_ASSIGN_OR_RETURN(current.data_dir, Member(value, "data_dir"));
  return current;
}

std::string_view TrimBlank(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

absl::StatusOr<Secret> ReadToken(const std::string& path) {
  DET_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kSmallFileBytesMax));
  return ParseToken(text, path);
}

absl::Status UseContext(const Contexts& contexts, const std::string& name, Connection* connection) {
  const ClusterContext* context = contexts.Find(name);
  if (context == nullptr) return NoSuchContext(contexts, name);
  connection->context = name;
  connection->address_source = StrCat("the context ", name);
  DET_ASSIGN_OR_RETURN(connection->address, ParseAddress(context->master));
  return absl::OkStatus();
}

absl::Status ResolveAddress(const ConnectionFlags& flags,
                            const GetEnv& getenv,
                            const Contexts& contexts,
                            Connection* connection) {
  const auto named = [&](const std::string& text, const char* source) -> absl::Status {
    connection->address_source = source;
    DET_ASSIGN_OR_RETURN(connection->address, ParseAddress(text));
    return absl::OkStatus();
  };
  const std::string master = getenv("DET_MASTER").value_or("");
  const std::string context = getenv("DET_CONTEXT").value_or("");
  if (!flags.master.empty()) return named(flags.master, "--master");
  if (!flags.context.empty()) return UseContext(contexts, flags.context, connection);
  if (!master.empty()) return named(master, "DET_MASTER");
  if (!context.empty()) return UseContext(contexts, context, connection);
  if (!contexts.current.empty()) return UseContext(contexts, contexts.current, connection);
  return named(kDefaultAddress, "the default");
}

// The context that the connection is of: the one that was named, else one that has its address.
const ClusterContext* OwnerOf(const Contexts& contexts, const Connection& connection) {
  if (!connection.context.empty()) return contexts.Find(connection.context);
  for (const ClusterContext& context : contexts.all) {
    const absl::StatusOr<std::string> address = ParseAddress(context.master);
    if (address.ok() && *address == connection.address) return &context;
  }
  return nullptr;
}

absl::Status ResolveToken(const ConnectionFlags& flags,
                          const GetEnv& getenv,
                          const ClusterContext* context,
                          Connection* connection) {
  if (!flags.token_file.empty()) {
    connection->token_source = "--token-file";
    DET_ASSIGN_OR_RETURN(connection->token, ReadToken(flags.token_file));
    return absl::OkStatus();
  }
  if (const auto token = getenv("DET_TOKEN"); token.has_value() && !token->empty()) {
    connection->token_source = "DET_TOKEN";
    DET_ASSIGN_OR_RETURN(connection->token, ParseToken(*token, "DET_TOKEN"));
    return absl::OkStatus();
  }
  // One cluster's token is not for another's eyes.
  if (context == nullptr || context->token_file.empty()) return absl::OkStatus();
  connection->token_source = context->token_file;
  DET_ASSIGN_OR_RETURN(connection->token, ReadToken(context->token_file));
  return absl::OkStatus();
}

std::string HostOf(std::string_view address) {
  if (address.starts_with('[')) return std::string(address.substr(1, address.find(']') - 1));
  return std::string(address.substr(0, address.rfind(':')));
}

bool IsPort(std::string_view text) {
  int port = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), port);
  return result.ec == std::errc() && result.ptr == text.data() + text.size() && port >= 1 &&
         port <= 65535;
}

}  // namespace

// What can't stand in a header would make gRPC give up.
absl::StatusOr<Secret> ParseToken(std::string_view text, std::string_view source) {
  const std::string_view token = TrimBlank(text);
  const bool printable =
      std::all_of(token.begin(), token.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (token.empty() || !printable) {
    return Error(absl::StatusCode::kUnauthenticated,
                 "TOKEN_UNREADABLE",
                 StrCat(source, token.empty() ? " holds no token" : " holds no valid token"),
                 "a token is one line of letters, digits and signs");
  }
  return Secret(std::string(token));
}

std::string CurrentFilePath(const GetEnv& getenv) {
  const std::string directory = ConfigDirectory(getenv);
  return directory.empty() ? directory : StrCat(directory, "/current.json");
}

absl::StatusOr<Current> ReadCurrent(const GetEnv& getenv) {
  const std::string path = CurrentFilePath(getenv);
  if (!FileExists(path)) return Current{};
  absl::StatusOr<Current> current = ParseCurrent(path);
  if (current.ok()) return current;
  return WithCause(Error(absl::StatusCode::kInvalidArgument,
                         "CURRENT_FILE_UNREADABLE",
                         StrCat("cannot use ", path, ", which names the current master"),
                         "remove it, or name the master with --master"),
                   FromAbsl(current.status().message()));
}

absl::Status WriteCurrent(const Current& current) {
  Value value;
  value["master"] = current.master;
  value["token_file"] = current.token_file;
  value["data_dir"] = current.data_dir;
  DET_RETURN_IF_ERROR(MakeDirs(ParentDirectory(current.path), 0700));
  return AtomicWriteFile(current.path, StrCat(value.ToJson(), "\n"), 0600);
}

absl::StatusOr<std::string> ParseAddress(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return UsageError(StrCat("the master's address ", QuoteJson(text), " ", why),
                      StrCat("an address is HOST:PORT, such as ", kDefaultAddress));
  };
  std::string_view rest = text;
  if (rest.starts_with("unix:")) return std::string(rest);
  if (rest.starts_with("https://")) return bad("asks for TLS, which det does not speak yet");
  if (rest.starts_with("http://")) rest.remove_prefix(7);
  while (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.empty() || rest.find_first_of("/ @?#,") != std::string_view::npos) {
    return bad("can't be read");
  }
  const size_t bracket = rest.find(']');
  const bool v6 = rest.starts_with('[');
  if (v6 && bracket == std::string_view::npos) return bad("lacks a ]");
  const size_t colon = rest.find(':', v6 ? bracket : 0);
  if (colon == std::string_view::npos) return StrCat(rest, ":", kDefaultPort);
  if (colon == 0 || !IsPort(rest.substr(colon + 1))) return bad("can't be read");
  return std::string(rest);
}

bool IsLoopback(std::string_view address) {
  if (address.starts_with("unix:")) return true;
  const std::string host = HostOf(address);
  if (host == "localhost" || host == "::1") return true;
  const bool numeric = host.find_first_not_of("0123456789.") == std::string::npos;
  return numeric && host.starts_with("127.");
}

absl::StatusOr<Connection> ResolveConnection(const ConnectionFlags& flags, const GetEnv& getenv) {
  absl::StatusOr<Contexts> contexts = ReadContexts(getenv);
  if (!contexts.ok()) {
    // A broken file does not matter to who has named the master.
    const bool named = !flags.master.empty() ||
                       (flags.context.empty() && !getenv("DET_MASTER").value_or("").empty());
    if (!named) return contexts.status();
    contexts = Contexts();
  }
  Connection connection;
  DET_RETURN_IF_ERROR(ResolveAddress(flags, getenv, *contexts, &connection));
  const ClusterContext* context = OwnerOf(*contexts, connection);
  if (context != nullptr) connection.context = context->name;
  DET_RETURN_IF_ERROR(ResolveToken(flags, getenv, context, &connection));
  const bool plaintext = flags.plaintext || (context != nullptr && context->plaintext);
  if (!connection.token.empty() && !plaintext && !IsLoopback(connection.address)) {
    return Error(absl::StatusCode::kPermissionDenied,
                 "NOT_ENCRYPTED",
                 StrCat("the connection to ",
                        connection.address,
                        " is not encrypted: whoever is on the way could read your token"),
                 "forward the port with ssh -L 8090:127.0.0.1:8090 HOST and use 127.0.0.1, or "
                 "accept it with --plaintext on a network that you trust");
  }
  return connection;
}

}  // namespace det::cli
