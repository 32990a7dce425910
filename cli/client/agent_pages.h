#pragma once

#include <cstdint>

#include "absl/status/statusor.h"

#include "cli/client/client.h"
#include "cli/client/pages.h"

namespace det::cli {

using AgentPages = Pages<api::Agent>;

// The cluster's agents, page by page up to the limit.
absl::StatusOr<AgentPages> ListAgents(Client* client, int64_t limit = INT64_MAX);

}  // namespace det::cli
