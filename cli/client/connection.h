#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "common/base/secret.h"

namespace det::cli {

using GetEnv = std::function<std::optional<std::string>(std::string_view name)>;

// What the command line says about the master.
struct ConnectionFlags {
  std::string master;
  std::string token_file;
  std::string context;
  bool plaintext = false;
};

// Where the master is and as whom to speak to it.
struct Connection {
  std::string address;         // as gRPC takes it
  std::string address_source;  // "--master", "DET_MASTER", "the context NAME", "the default"
  std::string context = {};    // that the address or the token is of; may be empty
  Secret token;                // may be empty
  std::string token_source;
};

inline constexpr char kDefaultAddress[] = "127.0.0.1:8090";

// The address: --master, --context, DET_MASTER, DET_CONTEXT, the current context (contexts.h),
// kDefaultAddress. The token: --token-file, DET_TOKEN, that of the context, or of the one that has
// the address; never that of another. Nothing encrypts the connection yet, so a token for a master
// beyond this machine is refused unless `plaintext` or the context says otherwise.
absl::StatusOr<Connection> ResolveConnection(const ConnectionFlags& flags, const GetEnv& getenv);

// $XDG_CONFIG_HOME/det/current.json, else ~/.config/det/current.json; empty without either.
std::string CurrentFilePath(const GetEnv& getenv);

// What `det up` has left for the commands that follow.
struct Current {
  std::string path;  // of the file
  std::string master;
  std::string token_file;
  std::string data_dir;  // of the cluster, for `det down` and the next `det up`
};

// All empty where there is no such file. INVALID_ARGUMENT for one that can't be used.
absl::StatusOr<Current> ReadCurrent(const GetEnv& getenv);
absl::Status WriteCurrent(const Current& current);

// One line of printable characters. Errors: UNAUTHENTICATED (reason TOKEN_UNREADABLE), which never
// repeat the token, but name its source.
absl::StatusOr<Secret> ParseToken(std::string_view text, std::string_view source);

// "host", "host:port", "http://host:port/", "[::1]:8090", "unix:/path" as gRPC takes them.
absl::StatusOr<std::string> ParseAddress(std::string_view text);

// Whether what is sent there stays on this machine.
bool IsLoopback(std::string_view address);

}  // namespace det::cli
