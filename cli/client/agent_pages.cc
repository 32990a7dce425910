#include "cli/client/agent_pages.h"

#include <algorithm>

#include "common/base/status.h"

namespace det::cli {

absl::StatusOr<AgentPages> ListAgents(Client* client, int64_t limit) {
  constexpr int64_t kPageMax = 1000;
  api::ListAgentsRequest request;
  AgentPages pages;
  do {
    const int64_t left = limit - static_cast<int64_t>(pages.agents.size());
    request.set_limit(static_cast<int32_t>(std::min(kPageMax, left)));
    DET_ASSIGN_OR_RETURN(const api::ListAgentsResponse page, client->ListAgents(request));
    pages.agents.insert(pages.agents.end(), page.agents().begin(), page.agents().end());
    request.set_after_id(page.next_after_id());
    pages.more = !page.next_after_id().empty();
  } while (pages.more && static_cast<int64_t>(pages.agents.size()) < limit);
  return pages;
}

}  // namespace det::cli
