#pragma once

#include "absl/status/status.h"
#include "det/api/v1/trial.pb.h"

#include "master/rpc/deps.h"

// The trial service's calls about metrics. For threads that may block; the last one for some time.
namespace det::rpc {

absl::Status GetMetrics(const Deps& deps,
                        const core::Principal& by,
                        const api::v1::GetMetricsRequest& request,
                        api::v1::GetMetricsResponse* response);
absl::Status GetMetricSummaries(const Deps& deps,
                                const core::Principal& by,
                                const api::v1::GetMetricSummariesRequest& request,
                                api::v1::GetMetricSummariesResponse* response);
absl::Status GetMetricSeries(const Deps& deps,
                             const core::Principal& by,
                             const api::v1::GetMetricSeriesRequest& request,
                             api::v1::GetMetricSeriesResponse* response);

}  // namespace det::rpc
