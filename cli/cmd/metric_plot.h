#pragma once

#include <vector>

#include "absl/status/status.h"

#include "cli/client/api_fwd.h"

namespace det::api::v1 {
class MetricPoint;
}

namespace det::cli {

class Context;

// Draws the points, a line for each metric of each trial, by the batches that were done.
absl::Status ShowPlot(Context& context, const std::vector<api::MetricPoint>& points);

}  // namespace det::cli
