#include "master/store/metric_store.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/pg/pg.h"
#include "master/store/row_fields.h"

namespace det::store {
namespace {

// From which steps on what a run reported in a group is shadowed; (allocation, group) -> steps.
using Bounds = std::map<std::pair<int64_t, std::string>, int64_t>;

Bounds LoadBounds(pqxx::work& tx, TrialId trial) {
  Bounds bounds;
  for (const auto& row : tx.exec_params("SELECT allocation_id, grp, bound FROM metric_bounds "
                                        "WHERE trial_id = $1 AND bound IS NOT NULL",
                                        trial.value())) {
    RowFields f(row);
    const int64_t allocation = f.Int();
    const std::string group = f.Text();
    bounds[{allocation, group}] = f.Int();
  }
  return bounds;
}

bool IsShadowed(const Bounds& bounds, const MetricCursor& place) {
  if (bounds.empty()) return false;
  const auto at = bounds.find({place.allocation, place.group});
  return at != bounds.end() && place.steps >= at->second;
}

MetricRow ToMetric(const pqxx::row& row, const Bounds& bounds) {
  RowFields f(row);
  MetricRow m;
  m.place.group = f.Text();
  m.place.name = f.Text();
  m.place.steps = f.Int();
  m.place.allocation = f.Int();
  m.place.stream = f.Int();
  m.place.seq = f.Int();
  m.value = f.Double();
  m.other = f.Text();
  m.at = f.Time();
  m.shadowed = IsShadowed(bounds, m.place);
  return m;
}

MetricSummaryRow ToSummary(const pqxx::row& row) {
  RowFields f(row);
  MetricSummaryRow s;
  s.trial = TrialId(f.Int());
  s.group = f.Text();
  s.name = f.Text();
  s.count = f.Int();
  s.min = f.MaybeDouble();
  s.max = f.MaybeDouble();
  s.mean = f.MaybeDouble();
  s.last = f.MaybeDouble();
  s.last_steps = f.Int();
  s.last_at = f.Time();
  s.nans = f.Int();
  s.infinities = f.Int();
  s.others = f.Int();
  return s;
}

constexpr int64_t kRowsPerFetch = 20'000;
constexpr char kOfMetric[] = " FROM metrics m WHERE m.trial_id = $1 AND m.grp = $2 AND m.name = $3";

double SecondsOf(absl::Time time) {
  return absl::ToDoubleSeconds(time - absl::UnixEpoch());
}

int64_t ToSteps(double x, int64_t otherwise) {
  if (std::isnan(x)) return otherwise;
  // The largest double below 2^63.
  return static_cast<int64_t>(std::clamp(x, -9223372036854774784.0, 9223372036854774784.0));
}

// Reads one metric of one trial, point by point.
class SeriesReader {
 public:
  SeriesReader(pqxx::work* tx, const SeriesQuery& query) : tx_(*tx), query_(query) {}

  absl::StatusOr<Series> Read() {
    if (query_.axis == MetricAxis::kEpoch) DET_RETURN_IF_ERROR(FindEpochs());
    ReadInOrder(tx_);
    const auto range = Range();
    if (!range.has_value()) return Series();
    bounds_ = LoadBounds(tx_, query_.trial);
    SeriesSampler sampler(
        query_.from.value_or(range->first), query_.to.value_or(range->second), query_.buckets);
    Open();
    while (Fetch(&sampler)) {
    }
    series_.sampled = sampler.sampled();
    series_.points = sampler.Take();
    return std::move(series_);
  }

 private:
  absl::Status FindEpochs() {
    const pqxx::result rows = tx_.exec_params(
        "SELECT name, min, max FROM metric_summaries WHERE trial_id = $1 AND grp = $2 "
        "AND name IN ('epoch', 'epochs') AND count > 0 ORDER BY name LIMIT 1",
        query_.trial.value(),
        query_.group);
    if (rows.empty()) {
      return Error(absl::StatusCode::kFailedPrecondition,
                   "NO_EPOCHS",
                   StrCat("trial ",
                          query_.trial.value(),
                          " has reported no \"epoch\" in the group ",
                          query_.group),
                   "report epoch beside the metric, or take steps or time as the x axis");
    }
    RowFields f(rows[0]);
    epoch_name_ = f.Text();
    epoch_first_ = f.Double();
    epoch_last_ = f.Double();
    return absl::OkStatus();
  }

  // Where the first and the last point lie on the x axis.
  std::optional<std::pair<double, double>> Range() {
    const auto first = End("ASC");
    if (!first.has_value()) return std::nullopt;
    const auto last = End("DESC");
    switch (query_.axis) {
      case MetricAxis::kSteps:
        return std::pair(static_cast<double>(first->steps), static_cast<double>(last->steps));
      case MetricAxis::kTime:
        return std::pair(SecondsOf(first->at), SecondsOf(last->at));
      case MetricAxis::kEpoch:
        return std::pair(epoch_first_, epoch_last_);
    }
    return std::nullopt;
  }

  std::optional<SeriesPoint> End(const char* order) {
    const pqxx::result rows = tx_.exec_params(
        StrCat(
            "SELECT m.steps, ", Micros("m.at"), kOfMetric, " ORDER BY m.steps ", order, " LIMIT 1"),
        query_.trial.value(),
        query_.group,
        query_.name);
    if (rows.empty()) return std::nullopt;
    RowFields f(rows[0]);
    SeriesPoint point{.steps = f.Int()};
    point.at = f.Time();
    return point;
  }

  void Open() {
    const bool by_steps = query_.axis == MetricAxis::kSteps;
    const std::string columns = StrCat("m.steps, ", Micros("m.at"), ", m.allocation_id, m.value");
    const std::string epoch =
        "(SELECT e.value FROM metrics e WHERE e.trial_id = m.trial_id AND e.grp = m.grp "
        "AND e.name = $6 AND e.steps = m.steps AND e.allocation_id = m.allocation_id "
        "AND e.stream = m.stream AND e.seq = m.seq LIMIT 1)";
    tx_.exec_params(
        StrCat("DECLARE series NO SCROLL CURSOR FOR SELECT ",
               columns,
               ", CASE WHEN $6 = '' THEN NULL ELSE ",
               epoch,
               " END",
               kOfMetric,
               " AND m.steps >= $4 AND m.steps <= $5 AND m.value IS NOT NULL "
               "ORDER BY m.steps, m.allocation_id, m.stream, m.seq"),
        query_.trial.value(),
        query_.group,
        query_.name,
        by_steps && query_.from.has_value() ? ToSteps(std::ceil(*query_.from), INT64_MIN)
                                            : INT64_MIN,
        by_steps && query_.to.has_value() ? ToSteps(std::floor(*query_.to), INT64_MAX) : INT64_MAX,
        epoch_name_);
  }

  bool Fetch(SeriesSampler* sampler) {
    const pqxx::result rows = tx_.exec(StrCat("FETCH FORWARD ", kRowsPerFetch, " FROM series"));
    for (const auto& row : rows) Add(row, sampler);
    return static_cast<int64_t>(rows.size()) == kRowsPerFetch;
  }

  void Add(const pqxx::row& row, SeriesSampler* sampler) {
    RowFields f(row);
    SeriesPoint point{.steps = f.Int()};
    point.at = f.Time();
    const MetricCursor place{.group = query_.group, .steps = point.steps, .allocation = f.Int()};
    point.value = f.Double();
    const std::optional<double> epoch = f.MaybeDouble();
    if (IsShadowed(bounds_, place)) return;
    if (query_.axis == MetricAxis::kEpoch && !epoch.has_value()) return;
    point.x = query_.axis == MetricAxis::kSteps  ? static_cast<double>(point.steps)
              : query_.axis == MetricAxis::kTime ? SecondsOf(point.at)
                                                 : *epoch;
    if (!std::isfinite(point.x)) return;
    if (query_.from.has_value() && point.x < *query_.from) return;
    if (query_.to.has_value() && point.x > *query_.to) return;
    if (!std::isfinite(point.value)) {
      ++series_.not_finite;
      return;
    }
    ++series_.count;
    sampler->Add(point);
  }

  pqxx::work& tx_;
  const SeriesQuery& query_;
  std::string epoch_name_;
  double epoch_first_ = 0;
  double epoch_last_ = 0;
  Bounds bounds_;
  Series series_;
};

}  // namespace

MetricStore::MetricStore(const std::string& conninfo, int connections_max)
    : pool_(std::make_unique<pg::Pool>(conninfo, connections_max)) {}
MetricStore::~MetricStore() = default;

absl::StatusOr<std::vector<MetricRow>> MetricStore::Points(TrialId trial, const PointQuery& query) {
  std::vector<MetricRow> rows;
  // Group "" sorts before all others, and no group is called so.
  const MetricCursor from = query.after.value_or(MetricCursor{.group = query.group});
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    const Bounds bounds = LoadBounds(tx, trial);
    ReadInOrder(tx);
    const pqxx::result found =
        tx.exec_params(StrCat("SELECT grp, name, steps, allocation_id, stream, seq, value, other, ",
                              Micros("at"),
                              " FROM metrics WHERE trial_id = $1 ",
                              query.group.empty() ? "AND $2 = '' " : "AND grp = $2 ",
                              query.name.empty() ? "AND $10 = '' " : "AND name = $10 ",
                              "AND (grp, name, steps, allocation_id, stream, seq) > "
                              "($3, $4, $5, $6, $7::integer, $8) "
                              "ORDER BY grp, name, steps, allocation_id, stream, seq LIMIT $9"),
                       trial.value(),
                       query.group,
                       from.group,
                       from.name,
                       from.steps,
                       from.allocation,
                       from.stream,
                       from.seq,
                       query.limit,
                       query.name);
    rows.clear();
    for (const auto& row : found) rows.push_back(ToMetric(row, bounds));
  }));
  return rows;
}

absl::StatusOr<std::vector<MetricSummaryRow>> MetricStore::Summaries(const SummaryQuery& query) {
  std::vector<MetricSummaryRow> rows;
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    const pqxx::result found = tx.exec_params(
        StrCat(
            "SELECT trial_id, grp, name, count, min, max, mean, last, last_steps, ",
            Micros("last_at"),
            ", nans, infinities, others FROM metric_summaries WHERE trial_id = ANY ($1::bigint[]) "
            "AND ($2 = '' OR grp = $2) AND (trial_id, grp, name) > ($3, $4, $5) "
            "ORDER BY trial_id, grp, name LIMIT $6"),
        pg::ArrayOf(query.trials),
        query.group,
        query.after_trial,
        query.after_group,
        query.after_name,
        query.limit);
    rows.clear();
    for (const auto& row : found) rows.push_back(ToSummary(row));
  }));
  return rows;
}

absl::StatusOr<Series> MetricStore::ReadSeries(const SeriesQuery& query) {
  absl::StatusOr<Series> series;
  DET_RETURN_IF_ERROR(
      pool_->Read([&](pqxx::work& tx) { series = SeriesReader(&tx, query).Read(); }));
  return series;
}

}  // namespace det::store
