#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "common/base/ids.h"
#include "master/store/series_sampler.h"

namespace det::pg {
class Pool;
}

// What trials measured, as it is durable. For threads that may block.
//
// When a run goes on from an earlier checkpoint, what older runs reported from there on is
// shadowed: it stays, but counts no more (the view metric_bounds has the rule).
namespace det::store {

// Where a reader of a trial's metrics stands: after this point.
struct MetricCursor {
  std::string group;
  std::string name;
  int64_t steps = INT64_MIN;
  int64_t allocation = 0;
  int64_t stream = 0;
  int64_t seq = 0;
};

struct MetricRow {
  MetricCursor place;
  double value = 0;
  std::string other;  // JSON, for what is no number
  absl::Time at;
  bool shadowed = false;
};

struct MetricSummaryRow {
  TrialId trial;
  std::string group;
  std::string name;
  int64_t count = 0;  // finite numbers
  std::optional<double> min;
  std::optional<double> max;
  std::optional<double> mean;
  std::optional<double> last;
  int64_t last_steps = 0;
  absl::Time last_at;
  int64_t nans = 0;
  int64_t infinities = 0;
  int64_t others = 0;
};

enum class MetricAxis { kSteps, kEpoch, kTime };

struct SeriesQuery {
  TrialId trial;
  std::string group;
  std::string name;
  MetricAxis axis = MetricAxis::kSteps;
  int64_t buckets = 200;
  std::optional<double> from;  // of x, inclusive; time in seconds since 1970
  std::optional<double> to;
};

struct Series {
  std::vector<SeriesPoint> points;
  int64_t count = 0;
  int64_t not_finite = 0;
  bool sampled = false;
};

class MetricStore {
 public:
  explicit MetricStore(const std::string& conninfo, int connections_max = 4);
  ~MetricStore();

  struct PointQuery {
    std::string group;  // "": all
    std::string name;   // "": all
    int64_t limit = 1000;
    std::optional<MetricCursor> after;
  };
  // Points after the cursor, by group, name and steps. Read from an index, no more than asked for.
  absl::StatusOr<std::vector<MetricRow>> Points(TrialId trial, const PointQuery& query);

  struct SummaryQuery {
    std::vector<int64_t> trials;
    std::string group;  // "": all
    int64_t limit = 1000;
    int64_t after_trial = 0;  // 0: from the first
    std::string after_group;
    std::string after_name;
  };
  // By trial, group and name.
  absl::StatusOr<std::vector<MetricSummaryRow>> Summaries(const SummaryQuery& query);

  // Streams the metric over an index in the order of its steps: memory does not grow with it. Empty
  // when it was never reported. FAILED_PRECONDITION (NO_EPOCHS) when x is the epoch and the group
  // has none.
  absl::StatusOr<Series> ReadSeries(const SeriesQuery& query);

 private:
  std::unique_ptr<pg::Pool> pool_;
};

}  // namespace det::store
