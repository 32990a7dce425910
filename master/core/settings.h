#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"

#include "master/spec/experiment_spec.h"

namespace det::core {

// What may be changed of an experiment that lives; what is absent stays.
struct ExperimentSettings {
  std::optional<int64_t> priority;                  // 1..99, less goes first
  std::optional<double> weight;                     // above 0
  std::optional<std::optional<int64_t>> max_slots;  // nothing within: no bound
  std::optional<std::string> pool;
  // -1: for ever; nothing within: the cluster's.
  std::optional<std::optional<int64_t>> log_retention_days;

  bool operator==(const ExperimentSettings&) const = default;
};

// Numbers within their ranges, by name. An empty one is an error too.
absl::Status CheckSettings(const ExperimentSettings& settings);

// The settings that differ from the specification.
ExperimentSettings Differing(const ExperimentSettings& settings, const spec::ExperimentSpec& spec);

void ApplySettings(const ExperimentSettings& settings, spec::ExperimentSpec* spec);

// "priority 10, pool \"big\"".
std::string Describe(const ExperimentSettings& settings);

}  // namespace det::core
