#include "master/rpc/metric_calls.h"

#include <cmath>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "master/rpc/call.h"
#include "master/rpc/convert.h"

namespace det::rpc {
namespace {

namespace pb = det::api::v1;

constexpr int kSummaryTrialsMax = 1000;
constexpr int kSeriesTrialsMax = 100;
constexpr int32_t kBucketsMax = 2000;

absl::Status Invalid(std::string_view reason, std::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, reason, message);
}

absl::Status CheckTrials(int given, int most) {
  if (given > 0 && given <= most) return absl::OkStatus();
  return Invalid("INVALID_TRIALS", StrCat(given, " trials are named, 1 to ", most, " may be"));
}

void ToProto(const store::MetricRow& row, TrialId trial, pb::MetricPoint* point) {
  point->set_trial(trial.value());
  point->set_group(row.place.group);
  point->set_name(row.place.name);
  point->set_steps_completed(row.place.steps);
  point->set_value(row.value);
  point->set_text(row.other);
  point->set_at_unix_nanos(absl::ToUnixNanos(row.at));
  point->set_shadowed(row.shadowed);
}

void ToProto(const store::MetricSummaryRow& row, pb::MetricSummary* out) {
  out->set_trial(row.trial.value());
  out->set_group(row.group);
  out->set_name(row.name);
  out->set_count(row.count);
  if (row.min.has_value()) out->set_min(*row.min);
  if (row.max.has_value()) out->set_max(*row.max);
  if (row.mean.has_value()) out->set_mean(*row.mean);
  if (row.last.has_value()) out->set_last(*row.last);
  out->set_last_steps(row.last_steps);
  out->set_last_at_unix_nanos(absl::ToUnixNanos(row.last_at));
  out->set_nans(row.nans);
  out->set_infinities(row.infinities);
  out->set_others(row.others);
}

void ToProto(store::Series series, TrialId trial, pb::MetricSeries* out) {
  out->set_trial(trial.value());
  out->set_count(series.count);
  out->set_not_finite(series.not_finite);
  out->set_sampled(series.sampled);
  for (const store::SeriesPoint& from : series.points) {
    pb::SeriesPoint* point = out->add_points();
    point->set_x(from.x);
    point->set_value(from.value);
    point->set_steps_completed(from.steps);
    point->set_at_unix_nanos(absl::ToUnixNanos(from.at));
  }
}

absl::StatusOr<store::SeriesQuery> FromProto(const pb::GetMetricSeriesRequest& request) {
  DET_RETURN_IF_ERROR(CheckTrials(request.trials_size(), kSeriesTrialsMax));
  store::SeriesQuery query{.group = request.group(), .name = request.name()};
  if (query.group.empty() || query.name.empty())
    return Invalid("NO_METRIC", "a series needs the group and the name of a metric");
  if (request.x() < pb::METRIC_AXIS_STEPS || request.x() > pb::METRIC_AXIS_TIME)
    return Invalid("INVALID_AXIS", "the x axis is steps, epochs or time");
  query.axis = static_cast<store::MetricAxis>(request.x());
  if (request.buckets() < 0 || request.buckets() > kBucketsMax) {
    return Invalid(
        "INVALID_BUCKETS",
        StrCat(request.buckets(), " buckets are asked for, at most ", kBucketsMax, " may be"));
  }
  if (request.buckets() > 0) query.buckets = request.buckets();
  if (request.has_from()) query.from = request.from();
  if (request.has_to()) query.to = request.to();
  const bool no_number = (query.from.has_value() && std::isnan(*query.from)) ||
                         (query.to.has_value() && std::isnan(*query.to));
  if (no_number || (query.from.has_value() && query.to.has_value() && *query.from > *query.to))
    return Invalid("INVALID_RANGE", "the range of x ends before it begins");
  return query;
}

}  // namespace

absl::Status GetMetrics(const Deps& deps,
                        const core::Principal& by,
                        const pb::GetMetricsRequest& request,
                        pb::GetMetricsResponse* response) {
  const TrialId trial(request.trial());
  DET_RETURN_IF_ERROR(AuthorizeOn(deps, by, core::Verb::kRead, trial));
  const int64_t limit = Limit(request.limit(), 1000, 100000);
  std::optional<store::MetricCursor> after;
  if (request.has_after()) {
    const pb::MetricPlace& place = request.after();
    after = {place.group(),
             place.name(),
             place.steps(),
             place.allocation(),
             place.stream(),
             place.seq()};
  }
  // One more than is asked for tells whether there is more.
  DET_ASSIGN_OR_RETURN(
      auto rows, deps.metrics.Points(trial, {request.group(), request.name(), limit + 1, after}));
  if (static_cast<int64_t>(rows.size()) > limit) {
    rows.pop_back();
    const store::MetricCursor& last = rows.back().place;
    pb::MetricPlace* next = response->mutable_next_after();
    next->set_group(last.group);
    next->set_name(last.name);
    next->set_steps(last.steps);
    next->set_allocation(last.allocation);
    next->set_stream(last.stream);
    next->set_seq(last.seq);
  }
  for (const store::MetricRow& row : rows) {
    if (!row.shadowed || request.include_shadowed()) ToProto(row, trial, response->add_points());
  }
  return absl::OkStatus();
}

absl::Status GetMetricSummaries(const Deps& deps,
                                const core::Principal& by,
                                const pb::GetMetricSummariesRequest& request,
                                pb::GetMetricSummariesResponse* response) {
  DET_RETURN_IF_ERROR(CheckTrials(request.trials_size(), kSummaryTrialsMax));
  for (const int64_t trial : request.trials())
    DET_RETURN_IF_ERROR(AuthorizeOn(deps, by, core::Verb::kRead, TrialId(trial)));
  const int64_t limit = Limit(request.limit(), 1000, 50000);
  DET_ASSIGN_OR_RETURN(auto rows,
                       deps.metrics.Summaries({{request.trials().begin(), request.trials().end()},
                                               request.group(),
                                               limit + 1,
                                               request.after().trial(),
                                               request.after().group(),
                                               request.after().name()}));
  response->set_more(static_cast<int64_t>(rows.size()) > limit);
  if (response->more()) rows.pop_back();
  for (const store::MetricSummaryRow& row : rows) ToProto(row, response->add_summaries());
  return absl::OkStatus();
}

absl::Status GetMetricSeries(const Deps& deps,
                             const core::Principal& by,
                             const pb::GetMetricSeriesRequest& request,
                             pb::GetMetricSeriesResponse* response) {
  DET_ASSIGN_OR_RETURN(store::SeriesQuery query, FromProto(request));
  for (const int64_t trial : request.trials()) {
    query.trial = TrialId(trial);
    DET_RETURN_IF_ERROR(AuthorizeOn(deps, by, core::Verb::kRead, query.trial));
    DET_ASSIGN_OR_RETURN(store::Series series, deps.metrics.ReadSeries(query));
    ToProto(std::move(series), query.trial, response->add_series());
  }
  return absl::OkStatus();
}

}  // namespace det::rpc
