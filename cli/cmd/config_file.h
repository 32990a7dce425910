#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "cli/app/command.h"

namespace det::cli {

// The configuration of an experiment as the command line gives it.
struct ConfigWords {
  std::string path;                    // "-": the standard input
  std::vector<std::string> overrides;  // "searcher.max_trials=8"
  std::string template_name;           // stored with the cluster; "" is none
};

// The parameters that fill `words`: CONFIG, --config and --template.
std::vector<Param> ConfigParams(ConfigWords* words);

struct ConfigText {
  std::string text;
  std::string name;  // of the file, for the master's messages
};

// Errors name the file, or the override that has no "=".
absl::StatusOr<ConfigText> ReadConfig(const ConfigWords& words);

// --from-checkpoint: the overrides that let trials begin from it; none for "".
std::vector<std::string> FromCheckpoint(const std::string& uuid);

}  // namespace det::cli
