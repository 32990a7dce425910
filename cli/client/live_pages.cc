#include "cli/client/live_pages.h"

#include "common/base/status.h"

namespace det::cli {

absl::StatusOr<AgentPages> ListAgents(Client* client,
                                      api::ListAgentsRequest request,
                                      int64_t limit) {
  const auto next = [&](int32_t most, std::vector<api::Agent>* agents) -> absl::StatusOr<bool> {
    request.set_limit(most);
    DET_ASSIGN_OR_RETURN(const api::ListAgentsResponse page, client->ListAgents(request));
    Append(page.agents(), agents);
    request.set_after_id(page.next_after_id());
    request.set_page(page.next_page());
    return !page.next_after_id().empty() || !page.next_page().empty();
  };
  return FetchPages<api::Agent>(limit, next);
}

absl::StatusOr<JobPages> ListJobs(Client* client, api::ListJobsRequest request, int64_t limit) {
  const auto next = [&](int32_t most, std::vector<api::Job>* jobs) -> absl::StatusOr<bool> {
    request.set_limit(most);
    DET_ASSIGN_OR_RETURN(const api::ListJobsResponse page, client->ListJobs(request));
    Append(page.jobs(), jobs);
    *request.mutable_after() = page.next_after();
    if (!page.has_next_after()) request.clear_after();
    request.set_page(page.next_page());
    return page.has_next_after() || !page.next_page().empty();
  };
  return FetchPages<api::Job>(limit, next);
}

}  // namespace det::cli
