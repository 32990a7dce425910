#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

#include "cli/client/client.h"

namespace det::cli {

struct TrialQuery {
  int64_t experiment = 0;
  bool best_first = false;
  int64_t limit = INT64_MAX;
};

struct TrialPages {
  std::vector<api::Trial> trials;
  int64_t total = 0;  // of the experiment
};

// The trials of an experiment, page by page up to the limit.
absl::StatusOr<TrialPages> ListTrials(Client* client, const TrialQuery& query);

}  // namespace det::cli
