#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "master/spec/parse.h"

namespace det::config {

// What a user gives: a file in YAML or JSON, and changes to it.
struct ConfigInput {
  std::string text;
  std::string name;  // the file's, for messages
  // "searcher.max_trials=8": a dotted path of map keys and a value in YAML; an empty value is null,
  // which stands for the key's default. Later ones go over earlier ones. Missing maps are made.
  std::vector<std::string> overrides;
  // Takes what is no longer wanted from new experiments too: searches by max_length.
  bool parse_only = false;
};

struct ParsedConfig {
  spec::ExperimentSpec spec;
  std::vector<std::string> warnings;  // rendered as RenderProblem does (common/config/render.h)
};

// Reads an experiment configuration. All errors are told at once, in the order of the file, those
// of overrides after it: one INVALID_ARGUMENT status with the reason INVALID_CONFIG, whose message
// is the rendered problems, at most 20 of them and about 6 KB, then how many there are besides. A
// problem within a value that an override gave is named by the override, every other one by file,
// line and column.
//
// Never throws; bounded by the limits of common/config/yaml.h whatever the input is. Pure.
absl::StatusOr<ParsedConfig> ParseExperimentConfig(const ConfigInput& input,
                                                   const spec::ParseDefaults& defaults);

}  // namespace det::config
