#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "master/core/state.h"

namespace det::core {

// Why something is in the state it is in, now: derived when asked, never stored.
struct Explanation {
  std::string subject;  // "trial 17"
  std::string state;    // "QUEUED"
  Reason reason;
  std::vector<std::string> details;  // one sentence each
};

// A trial's state as people know it: PAUSED and QUEUED, PULLING, STARTING, RUNNING are what an
// active trial is in detail.
std::string ShownState(const State& state, const Trial& trial);

// "log policy matched: CUDA OOM (on agent gpu-3; it is excluded): ..."
std::string Describe(const LogMatch& match);

// Of live things only; the store knows why ended ones ended.
absl::StatusOr<Explanation> Explain(const State& state, ExperimentId id, absl::Time now);
absl::StatusOr<Explanation> Explain(const State& state, TrialId id, absl::Time now);
absl::StatusOr<Explanation> Explain(const State& state, AllocationId id, absl::Time now);

}  // namespace det::core
