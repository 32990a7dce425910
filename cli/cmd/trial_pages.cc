#include "cli/cmd/trial_pages.h"

#include <algorithm>

#include "common/base/status.h"

namespace det::cli {

absl::StatusOr<TrialPages> ListTrials(Client* client, const TrialQuery& query) {
  constexpr int64_t kPageMax = 1000;
  api::ListTrialsRequest request;
  request.set_experiment(query.experiment);
  request.set_order(query.best_first ? api::ListTrialsRequest::ORDER_BY_BEST
                                     : api::ListTrialsRequest::ORDER_BY_ID);
  TrialPages pages;
  while (true) {
    const auto have = static_cast<int64_t>(pages.trials.size());
    request.set_offset(static_cast<int32_t>(have));
    request.set_limit(static_cast<int32_t>(std::min(kPageMax, query.limit - have)));
    DET_ASSIGN_OR_RETURN(const api::ListTrialsResponse page, client->ListTrials(request));
    pages.trials.insert(pages.trials.end(), page.trials().begin(), page.trials().end());
    pages.total = page.total();
    const auto now = static_cast<int64_t>(pages.trials.size());
    if (page.trials_size() == 0 || now >= pages.total || now >= query.limit) return pages;
  }
}

}  // namespace det::cli
