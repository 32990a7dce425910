#pragma once

#include "absl/status/statusor.h"

#include "cli/client/client.h"
#include "cli/client/pages.h"

namespace det::cli {

using AgentPages = Pages<api::Agent>;
using JobPages = Pages<api::Job>;

// Agents and jobs page by page up to the limit.
absl::StatusOr<AgentPages> ListAgents(Client* client,
                                      api::ListAgentsRequest request = {},
                                      int64_t limit = INT64_MAX);
absl::StatusOr<JobPages> ListJobs(Client* client,
                                  api::ListJobsRequest request = {},
                                  int64_t limit = INT64_MAX);

}  // namespace det::cli
