#include "cli/cmd/trial_pages.h"

#include <utility>

#include "cli/client/pages.h"
#include "common/base/status.h"

namespace det::cli {

absl::StatusOr<TrialPages> ListTrials(Client* client, const TrialQuery& query) {
  api::ListTrialsRequest request;
  request.set_experiment(query.experiment);
  request.set_order(query.best_first ? api::ListTrialsRequest::ORDER_BY_BEST
                                     : api::ListTrialsRequest::ORDER_BY_ID);
  TrialPages result;
  const auto next = [&](int32_t most, std::vector<api::Trial>* trials) -> absl::StatusOr<bool> {
    request.set_offset(static_cast<int32_t>(trials->size()));
    request.set_limit(most);
    DET_ASSIGN_OR_RETURN(const api::ListTrialsResponse page, client->ListTrials(request));
    Append(page.trials(), trials);
    result.total = page.total();
    return page.trials_size() > 0 && static_cast<int64_t>(trials->size()) < page.total();
  };
  DET_ASSIGN_OR_RETURN(auto pages, FetchPages<api::Trial>(query.limit, next));
  result.trials = std::move(pages.items);
  return result;
}

}  // namespace det::cli
