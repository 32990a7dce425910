#pragma once

#include "master/searcher/events.h"

// Every point of the grid once, in Determined's order: the product with the last axis varying
// fastest, from its end to its start. Points are computed from their number, never listed.
namespace det::searcher {

struct GridState {};
template <class A>
void Fields(A& /*a*/, GridState& /*x*/) {}

Step GridStart(const Config& config);
int64_t GridFirst(const Config& config);               // how many trials it starts with
Value GridPoint(const Config& config, int64_t index);  // O(axes)
Step GridOnExit(const Config& config, const Totals& totals);
int64_t GridTrials(const Config& config);

}  // namespace det::searcher
