#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/problem.h"
#include "common/base/secret.h"
#include "common/base/value.h"
#include "common/config/yaml.h"
#include "master/spec/experiment_spec.h"

// A configuration may hold a password or a key as it is, as Determined's do. It is taken out before
// anything is recorded or shown: a reference stands in its place, asterisks in the text.
namespace det::config {

// What stands for a secret in a text.
inline constexpr std::string_view kHidden = "********";

struct TakenSecret {
  std::string name;  // what the reference says
  std::string path;  // where it was
  Secret value;      // of environment.registry_auth: a map, in JSON
};

// The paths at which secrets stand in clear.
std::vector<std::string> LiteralSecrets(const Value& config);

// What is wrong with them, as far as their keys tell.
void CheckSecrets(const Value& config, Problems* problems);

// Puts {secret: PREFIX-N} in the place of each, and gives what was there.
std::vector<TakenSecret> TakeSecrets(std::string_view prefix, Value* config);

// The names of the cluster's secrets that a specification refers to, each once.
std::vector<std::string> SecretNames(const spec::ExperimentSpec& spec);

// The text of a document with asterisks for its secrets. Comments go, and all is written anew as
// JSON, where the text can't be changed at their places alone. A text that can't be read is given
// with asterisks for what stands behind a name that secrets have.
std::string HideSecrets(const std::string& text);

// The line with asterisks behind names that secrets have: for texts that are no configuration.
std::string HideByName(std::string_view text);

}  // namespace det::config
