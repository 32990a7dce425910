#pragma once

#include <string>
#include <vector>

#include "cli/client/api_fwd.h"
#include "cli/format/report.h"

namespace det::cli {

// The trials of an experiment, their hyperparameters in one column.
Table TrialTable(const std::vector<api::Trial>& trials);

// Everything about one trial.
Report TrialReport(const api::GetTrialResponse& response);

// The best trials, a column for each hyperparameter; one column for all where the terminal has no
// room for them. `metric` heads the column of the searcher's metric.
Table LeaderboardTable(const std::vector<api::Trial>& trials,
                       const std::string& metric,
                       const Terminal& terminal);

Table MetricTable(const std::vector<api::MetricPoint>& points);

}  // namespace det::cli
