#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "cli/client/connection.h"

namespace det::cli {

// A cluster that was given a name.
struct ClusterContext {
  std::string name;
  std::string master;      // HOST:PORT
  std::string token_file;  // may be empty
  bool plaintext = false;  // its token may travel unencrypted
};

// All that are known, of ~/.config/det/contexts.json.
struct Contexts {
  std::string current;  // the name of one, or empty
  std::vector<ClusterContext> all;

  const ClusterContext* Find(std::string_view name) const;
  // Adds it, or replaces the one of its name.
  void Put(ClusterContext context);
  // False where there is none of the name.
  bool Remove(std::string_view name);
  std::vector<std::string> Names() const;
};

// The context that `det up` makes.
inline constexpr char kLocalContext[] = "local";

// $XDG_CONFIG_HOME/det, else ~/.config/det; empty without either.
std::string ConfigDirectory(const GetEnv& getenv);

// None where there is no such file, but for the cluster that an older `det up` has left word of.
// Errors: INVALID_ARGUMENT (reason CONTEXTS_UNREADABLE).
absl::StatusOr<Contexts> ReadContexts(const GetEnv& getenv);

// Errors: FAILED_PRECONDITION where there is no directory for it; those of the file system.
absl::Status WriteContexts(const GetEnv& getenv, const Contexts& contexts);

// Letters, digits, "-", "_" and ".", at most 64. Errors: INVALID_ARGUMENT (reason USAGE).
absl::Status CheckContextName(const std::string& name);

// NOT_FOUND (reason CONTEXT_UNKNOWN), with the nearest name or all.
absl::Status NoSuchContext(const Contexts& contexts, const std::string& name);

// Where the token of a context is kept, by itself and for its owner's eyes alone.
std::string TokenPath(const GetEnv& getenv, const std::string& name);
// Removes the token that `det login` kept; a file that somebody else has made stays.
absl::Status RemoveToken(const GetEnv& getenv, const ClusterContext& context);

}  // namespace det::cli
