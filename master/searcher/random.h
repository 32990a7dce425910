#pragma once

#include "master/searcher/events.h"

// Random search; `single` is random search with one trial. New trials follow each exit until
// max_trials were made. Trials that refuse their hyperparameters are replaced, as long as they are
// not more than max_trials themselves.
namespace det::searcher {

// Nothing beyond the totals.
struct RandomState {};
template <class A>
void Fields(A& /*a*/, RandomState& /*x*/) {}

Step RandomStart(const Config& config);
int64_t RandomFirst(const Config& config);  // how many trials it starts with
Step RandomOnExit(const Config& config, const Totals& totals, ExitKind kind);
int64_t RandomTrials(const Config& config);

}  // namespace det::searcher
