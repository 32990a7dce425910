#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"

// Which checkpoints of an experiment are kept. Pure.
namespace det::gc {

// How many are kept at least, by each of three orders; a checkpoint stays when one of them wants
// it. None is negative.
struct Policy {
  int64_t save_experiment_best = 0;  // of the whole experiment, by the searcher's metric
  int64_t save_trial_best = 1;       // of each trial, by the metric
  int64_t save_trial_latest = 1;     // of each trial, the newest
  bool operator==(const Policy&) const = default;
};

struct Checkpoint {
  TrialId trial;
  std::string uuid;
  int64_t steps = 0;
  int64_t reported = 0;          // any number that grows with the time of the report
  std::optional<double> metric;  // the searcher's, at these steps; none: only the newest may stay
  bool trial_live = false;       // its trial may still run: the newest is what it goes on from
  bool referenced = false;       // somebody begins from it, or it is registered: never goes
};

// The indexes of those that go, in order. NaN is worse than every number; of equal ones the newer
// is the better. All checkpoints of the experiment that still have files must be given: those that
// stay take places from the others.
std::vector<size_t> PlanDeletion(const std::vector<Checkpoint>& checkpoints,
                                 const Policy& policy,
                                 bool smaller_is_better);

}  // namespace det::gc
