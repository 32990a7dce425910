#pragma once

#include <map>
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
  int64_t priority = 42;
  std::map<std::string, int64_t> pool_priorities{};  // of pools that have one of their own
};

// Reads Determined's experiment configuration (0.38, expconf v0) from a tree of values. Notes every
// problem; the result is complete and usable when none of them is an error. Secrets in it are
// references: {secret: NAME} or {environment: NAME}; a literal one is an error.
ExperimentSpec ParseExperiment(const Value& config,
                               const ParseDefaults& defaults,
                               Problems* problems);

// The effective configuration: every key with its value, less those that have none. Parsing it
// again gives the same specification.
Value ToValue(const ExperimentSpec& spec);

// Reads what ToValue of this or an earlier version wrote, for ever: rules (Problem::rule) do not
// count, whatever became of them since. *fault is what could not be read; "" when all could.
ExperimentSpec ParseRecorded(const Value& config, std::string* fault);

// What is not wanted from new configurations, though it can be read: ASHA by max_length, and keys
// without effect in this version. Asked of what is submitted, given as it was parsed.
void CheckCurrent(const Value& config, Problems* problems);

// Parts of the above, one file each. `path` is the key; null gives the defaults.
ResourcesSpec ParseResources(const Value& value, const ParseDefaults& defaults, Problems* problems);
Value ResourcesToValue(const ResourcesSpec& resources);
EnvironmentSpec ParseEnvironment(const Value& value, Problems* problems);
Value EnvironmentToValue(const EnvironmentSpec& environment);
CheckpointStorageSpec ParseStorage(const Value& value,
                                   const ParseDefaults& defaults,
                                   Problems* problems);
Value StorageToValue(const CheckpointStorageSpec& storage);
std::vector<BindMountSpec> ParseBindMounts(const Value& value, Problems* problems);
Value BindMountsToValue(const std::vector<BindMountSpec>& mounts);
std::vector<LogPolicySpec> ParseLogPolicies(const Value& value, Problems* problems);
Value LogPoliciesToValue(const std::vector<LogPolicySpec>& policies);
ProfilingSpec ParseProfiling(const Value& value, Problems* problems);
Value ProfilingToValue(const ProfilingSpec& profiling);
// Checked, and with their defaults; kept as values, since only a trial's own code reads them.
Value ParseOptimizations(const Value& value, Problems* problems);
Value ParseIntegrations(const Value& value, Problems* problems);
Value ParseSlurm(const Value& value, Problems* problems);
Value ParsePbs(const Value& value, Problems* problems);
Value ParseSecurity(const Value& value, Problems* problems);
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
