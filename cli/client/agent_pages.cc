#include "cli/client/agent_pages.h"

#include "common/base/status.h"

namespace det::cli {

absl::StatusOr<AgentPages> ListAgents(Client* client, int64_t limit) {
  api::ListAgentsRequest request;
  const auto next = [&](int32_t most, std::vector<api::Agent>* agents) -> absl::StatusOr<bool> {
    request.set_limit(most);
    DET_ASSIGN_OR_RETURN(const api::ListAgentsResponse page, client->ListAgents(request));
    Append(page.agents(), agents);
    request.set_after_id(page.next_after_id());
    return !page.next_after_id().empty();
  };
  return FetchPages<api::Agent>(limit, next);
}

}  // namespace det::cli
