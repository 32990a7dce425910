#pragma once

#include <vector>

#include "cli/client/api_fwd.h"
#include "cli/format/report.h"

namespace det::cli {

// Points of one or several trials.
Table PointTable(const std::vector<api::MetricPoint>& points);

// A line a metric.
Table SummaryTable(const std::vector<api::MetricSummary>& summaries);

}  // namespace det::cli
