#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "master/config/layers.h"
#include "master/config/secrets.h"
#include "master/spec/parse.h"

namespace det::config {

// What a user gives: a file in YAML or JSON, and changes to it.
struct ConfigInput {
  std::string text;
  std::string name;  // the file's, for messages
  // "searcher.max_trials=8": a dotted path of map keys and a value in YAML; an empty value is null,
  // which stands for the key's default. Later ones go over earlier ones. Missing maps are made.
  std::vector<std::string> overrides;
  // What the configuration stands on; the file may name it too, by the key `template`. "": none.
  std::string template_name;
  // The beginning of the names of secrets that stand in clear. Nobody else's: a random text.
  std::string secret_prefix = "secret";
  // Takes what is no longer wanted from new experiments too: searches by max_length.
  bool parse_only = false;
};

struct ParsedConfig {
  spec::ExperimentSpec spec;
  std::vector<std::string> warnings;  // rendered as RenderProblem does (common/config/render.h)
  std::string text;                   // as it was given, with asterisks for its secrets: to record
  std::vector<TakenSecret> secrets;   // to be kept under their names before the rest is recorded
};

// Reads an experiment configuration, merged with what the cluster has (master/config/merge.h). All
// errors are told at once, in the order of the file, then those of templates, then others: one
// INVALID_ARGUMENT status with the reason INVALID_CONFIG, whose message is the rendered problems,
// at most 20 of them and about 6 KB, then how many there are besides. Each names what it is in:
// file, line and column, a template and its line, an override, the cluster's defaults. No secret is
// in any of them.
//
// Never throws; bounded by the limits of common/config/yaml.h whatever the input is. Pure, but for
// what looks up templates.
absl::StatusOr<ParsedConfig> ParseExperimentConfig(const ConfigInput& input,
                                                   const spec::ParseDefaults& defaults,
                                                   const ClusterLayers& cluster = {});

}  // namespace det::config
