#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

#include "cli/client/client.h"

namespace det::cli {

struct AgentPages {
  std::vector<api::Agent> agents;
  bool more = false;  // than these
};

// The cluster's agents, page by page up to the limit.
absl::StatusOr<AgentPages> ListAgents(Client* client, int64_t limit = INT64_MAX);

}  // namespace det::cli
