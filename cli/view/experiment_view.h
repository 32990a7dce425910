#pragma once

#include <vector>

#include "cli/client/api_fwd.h"
#include "cli/format/report.h"

namespace det::cli {

Table ExperimentTable(const std::vector<api::Experiment>& experiments);

// Everything about one experiment.
Report ExperimentReport(const api::GetExperimentResponse& response);

// "0.973 by trial 9 at 4000 batches"; empty when there is no metric yet.
std::string BestText(const api::Experiment& experiment);

// COMPLETED, CANCELED or ERROR.
bool HasEnded(const api::Experiment& experiment);

}  // namespace det::cli
