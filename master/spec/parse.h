#pragma once

#include <string>
#include <string_view>

#include "common/base/problem.h"
#include "common/base/value.h"
#include "master/spec/experiment_spec.h"

namespace det::spec {

// What the cluster fills in where a configuration is silent.
struct ParseDefaults {
  std::string name = "Experiment";
  uint32_t seed = 0;
  std::string resource_pool = "default";
  std::string checkpoint_host_path;  // "" makes checkpoint_storage required
};

// Reads Determined's experiment configuration (0.38, expconf v0) from a tree of values. Notes every
// problem; the result is complete and usable when none of them is an error.
ExperimentSpec ParseExperiment(const Value& config,
                               const ParseDefaults& defaults,
                               Problems* problems);

// The effective configuration: every key that has an effect, with its value. Parsing it again gives
// the same specification.
Value ToValue(const ExperimentSpec& spec);

// Parts of the two above, one file each.
HparamMap ParseHparams(const Value& value, const std::string& path, Problems* problems);
Value HparamsToValue(const HparamMap& hparams);
SearcherSpec ParseSearcher(const Value& value, const std::string& path, Problems* problems);
Value SearcherToValue(const SearcherSpec& searcher);
// "adaptive_asha"
std::string_view SearcherName(const SearcherSpec& searcher);

// Every ${hp.NAME} of the entrypoint (docs/trial-contract.md) names a hyperparameter of the space.
// Asked of what is submitted, and not part of ParseExperiment: what an earlier version recorded is
// read for ever.
void CheckEntrypoint(const ExperimentSpec& spec, Problems* problems);

// The operating system can start a trial of it, whatever its hyperparameters are. Asked of what is
// submitted too, and of a specification without errors.
void CheckStart(const ExperimentSpec& spec, Problems* problems);

// Rules that need both: a grid needs `count` everywhere and has a bounded product.
void CheckSearchSpace(const SearcherSpec& searcher, const HparamMap& hparams, Problems* problems);

}  // namespace det::spec
