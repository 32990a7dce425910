#pragma once

#include <string>
#include <vector>

#include "master/core/state.h"

namespace det::core {

// Everything that must hold of a state between steps, in sentences that say what is broken; empty
// when all holds. O(state): for tests and simulation.
std::vector<std::string> BrokenInvariants(const State& state);

}  // namespace det::core
