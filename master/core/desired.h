#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "master/core/state.h"

namespace det::core {

// All that an agent needs to start a run.
struct RunOrder {
  ExperimentId experiment;
  TrialId trial;
  TaskId task;
  std::string owner;
  std::shared_ptr<const spec::ExperimentSpec> spec;
  Value hparams;
  uint32_t seed = 0;
  std::string context;
  std::string latest_checkpoint;  // of the trial, else its warm start; "" is none
  int64_t steps_completed = 0;    // of the trial's own checkpoint
};

struct DesiredAllocation {
  AllocationId id;
  int64_t run = 1;
  std::vector<int> slots;
  StopLevel level = StopLevel::kRun;
  std::string reason;  // of the level
  // Until the agent has said that it holds the allocation.
  std::optional<RunOrder> order;
};

// What an agent should run, whole: level-triggered, so it may be lost, repeated or sent late.
struct DesiredSet {
  AgentId agent;
  int64_t generation = 0;  // state.seq; an agent refuses a lower one
  std::vector<DesiredAllocation> allocations;
};

// O(what runs on the agent).
DesiredSet Desired(const State& state, const AgentId& agent);

}  // namespace det::core
