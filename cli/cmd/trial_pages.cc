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
  request.set_only_live(query.only_live);
  query.ask.Fill(&request);
  TrialPages result;
  const auto next = [&](int32_t most, std::vector<api::Trial>* trials) -> absl::StatusOr<bool> {
    request.set_limit(most);
    DET_ASSIGN_OR_RETURN(const api::ListTrialsResponse page, client->ListTrials(request));
    Append(page.trials(), trials);
    result.total = page.total();
    request.set_page(page.next_page());
    return !page.next_page().empty();
  };
  DET_ASSIGN_OR_RETURN(auto pages, FetchPages<api::Trial>(query.ask.most(), next));
  query.ask.Cut(&pages.items);
  result.more = pages.more;
  result.trials = std::move(pages.items);
  return result;
}

}  // namespace det::cli
