#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

#include "cli/app/list_options.h"
#include "cli/client/client.h"

namespace det::cli {

struct TrialQuery {
  int64_t experiment = 0;  // 0: all
  bool best_first = false;
  bool only_live = false;
  ListAsk ask = {.limit = INT64_MAX};
};

struct TrialPages {
  std::vector<api::Trial> trials;
  int64_t total = 0;  // of the experiment, without the filter
  bool more = false;
};

// Trials page by page up to the limit.
absl::StatusOr<TrialPages> ListTrials(Client* client, const TrialQuery& query);

}  // namespace det::cli
