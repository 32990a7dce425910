#pragma once

#include <string>
#include <vector>

#include "master/searcher/events.h"

namespace det::searcher {

// So many trials are expected to end after so much time.
struct PlannedTrials {
  int64_t bracket = 0;
  int64_t trials = 0;
  int64_t units = 0;  // of the time metric; 0: to their own end
  std::string time_metric;
};

// What a search will do, under the assumption that each rung lets exactly 1/divisor of its trials
// on.
std::vector<PlannedTrials> Preview(const Config& config);

// The trials that a search starts with, the first `most` of them.
std::vector<RequestId> FirstRequests(const Config& config, int64_t most);

}  // namespace det::searcher
