#pragma once

#include <algorithm>
#include <cstdint>

#include "master/spec/limits.h"

// How many trials a search asks for: one rule for all searchers. An experiment never has more than
// spec::kOpenTrialsMax trials open, so no event leads to an unbounded step.
namespace det::searcher {

struct Places {
  int64_t width = 1;                        // trials that may run at a time
  int64_t running = 0;                      // not told to stop
  int64_t open_max = spec::kOpenTrialsMax;  // of this search or bracket
  int64_t open = 0;                         // those told to stop too
  int64_t left = 0;                         // that the search may still ask for
};

// What can be asked for now.
inline int64_t FreePlaces(const Places& places) {
  const int64_t free =
      std::min({places.width - places.running, places.open_max - places.open, places.left});
  return std::max<int64_t>(free, 0);
}

// The width that a configuration's max_concurrent_trials means: 0 is as wide as may be.
inline int64_t WidthOf(int64_t max_concurrent_trials) {
  return max_concurrent_trials == 0 ? spec::kOpenTrialsMax
                                    : std::min(max_concurrent_trials, spec::kOpenTrialsMax);
}

}  // namespace det::searcher
