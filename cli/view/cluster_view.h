#pragma once

#include <string>
#include <vector>

#include "cli/client/api_fwd.h"
#include "cli/format/report.h"

namespace det::cli {

// `address`: where the master was asked.
Report ClusterReport(const api::GetClusterResponse& cluster, const std::string& address);

Table AgentTable(const std::vector<api::Agent>& agents);
// A line for each slot of the agents.
Report SlotReport(const std::vector<api::Agent>& agents);
Table JobTable(const std::vector<api::Job>& jobs);

Report ExplainReport(const api::ExplainResponse& explained);
Report PreviewReport(const api::PreviewSearchResponse& preview);
Report PlanReport(const api::PlanExperimentResponse& plan);

}  // namespace det::cli
