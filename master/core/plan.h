#pragma once

#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

#include "master/core/state.h"

namespace det::core {

// A plan looks at a copy of the queue: with more tasks than that it is refused.
inline constexpr size_t kPlannedTasksMax = 20000;

// What an experiment would meet with if it was submitted now.
struct ExperimentPlan {
  int64_t at_once = 0;                      // trials that its search begins with
  std::map<AgentId, int64_t> starts;        // of these, those that would start now, by agent
  int64_t preempts = 0;                     // running trials that would be told to leave for it
  std::string waits;                        // why the first of the others waits; "": none does
  bool impossible = false;                  // it can't run unless agents, limits or quotas change
  std::optional<absl::Duration> starts_in;  // the first of them, as estimated
};

// Nothing is recorded. kNotFound for a pool that does not exist. O(n log n) in what waits and runs.
absl::StatusOr<ExperimentPlan> PlanExperiment(const State& state,
                                              const spec::ExperimentSpec& spec,
                                              const std::string& owner,
                                              absl::Time now);

}  // namespace det::core
