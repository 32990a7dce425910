#pragma once

#include "master/core/state.h"

namespace det::core {

// Each aggregate's share in the indexes is a function of it alone: taken out before a change, put
// in after it. The scheduler keeps a job until the experiment leaves the state.
void AddToIndexes(const Task& task, Indexes& indexes);
void RemoveFromIndexes(const Task& task, Indexes& indexes);
void AddToIndexes(const Experiment& experiment, Indexes& indexes);
void RemoveFromIndexes(const Experiment& experiment, Indexes& indexes);
void AddToIndexes(const Agent& agent, Indexes& indexes);
void RemoveFromIndexes(const Agent& agent, Indexes& indexes);

// All indexes from nothing: after a recovery, and in tests against the kept ones.
Indexes BuildIndexes(const State& state, const scheduler::Rules& rules);

}  // namespace det::core
