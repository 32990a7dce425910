#include "master/ingest/metric_rows.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <unordered_map>

#include "common/base/strings.h"
#include "common/pg/binary_copy.h"
#include "common/pg/pg.h"

namespace det::ingest {
namespace {

constexpr char kColumns[] =
    "trial_id, allocation_id, stream, seq, grp, name, steps, value, other, at, received_at";
constexpr int kColumnCount = 11;
constexpr size_t kKnownMax = 100'000;
constexpr double kNextToZero = 1e-290;  // det_blend has the same

constexpr char kRuns[] = "metric_runs";
constexpr char kSummaries[] = "metric_summaries";

// A number; also what JSON has no number for, by its name.
std::optional<double> NumberOf(const Value& value) {
  if (value.is_number()) return value.as_number();
  if (!value.is_string()) return std::nullopt;
  if (value.as_string() == "NaN") return std::nan("");
  if (value.as_string() == "Infinity") return HUGE_VAL;
  if (value.as_string() == "-Infinity") return -HUGE_VAL;
  return std::nullopt;
}

struct Summary {
  int64_t count = 0;
  int64_t nans = 0;
  int64_t infinities = 0;
  int64_t others = 0;
  double min = 0;
  double max = 0;
  double mean = 0;
  std::optional<double> last;
  int64_t last_steps = 0;
  int64_t last_run = 0;
  absl::Time last_at = absl::InfinitePast();
  int64_t max_steps = 0;
  bool any = false;

  void AddFinite(double value) {
    min = count == 0 ? value : std::min(min, value);
    max = count == 0 ? value : std::max(max, value);
    ++count;
    // Shares, not a sum: a sum of large numbers is beyond all of them.
    const auto n = static_cast<double>(count);
    mean = mean * ((n - 1) / n) + value / n;
  }
  void Add(const Shipment& shipment, const Report& report, int64_t steps, const Value& value) {
    max_steps = any ? std::max(max_steps, steps) : steps;
    last_at = std::max(last_at, report.at);
    const std::optional<double> number = NumberOf(value);
    if (!number.has_value()) {
      ++others;
    } else if (std::isnan(*number)) {
      ++nans;
    } else if (std::isinf(*number)) {
      ++infinities;
    } else {
      AddFinite(*number);
    }
    const auto place = std::pair(shipment.allocation.value(), steps);
    if (!any || place >= std::pair(last_run, last_steps)) {
      std::tie(last_run, last_steps) = place;
      if (number.has_value()) last = number;
    }
    any = true;
  }
};

using ByName = std::unordered_map<std::string, Summary>;
using ByGroup = std::map<std::pair<int64_t, std::string>, ByName>;  // (trial, group)

ByGroup Summarize(const std::vector<AcceptedReport>& reports,
                  const std::vector<int64_t>& made_anew) {
  ByGroup all;
  for (const auto& [shipment, report] : reports) {
    const int64_t trial = shipment->trial.value();
    const bool skip = shipment->stream != kSampleStream &&
                      std::find(made_anew.begin(), made_anew.end(), trial) != made_anew.end();
    if (skip) continue;
    const auto& metrics = std::get<Metrics>(report->body);
    ByName& names = all[{trial, pg::StorableText(metrics.group)}];
    for (const auto& [name, value] : metrics.values.as_object())
      names[pg::StorableText(name)].Add(*shipment, *report, metrics.steps_completed, value);
  }
  return all;
}

// Array parameters of numbers as PostgreSQL reads them.
class Doubles {
 public:
  void Add(std::optional<double> value) {
    if (text_.size() > 1) text_.push_back(',');
    if (!value.has_value()) {
      text_.append("NULL");
    } else if (std::isnan(*value)) {
      text_.append("NaN");
    } else if (std::isinf(*value)) {
      text_.append(*value > 0 ? "Infinity" : "-Infinity");
    } else {
      text_.append(FormatDouble(*value));
    }
  }
  std::string Take() { return std::move(text_) + "}"; }

 private:
  std::string text_ = "{";
};

// The parameters of the statement that stores summaries, a column each.
struct SummaryArrays {
  std::vector<int64_t> trials, counts, nans, infinities, others, last_steps, last_runs, max_steps;
  std::vector<std::string> groups, names, last_ats;
  Doubles mins, maxes, means, lasts;

  void Add(int64_t trial, const std::string& group, const std::string& name, const Summary& s) {
    trials.push_back(trial);
    groups.push_back(group);
    names.push_back(name);
    counts.push_back(s.count);
    nans.push_back(s.nans);
    infinities.push_back(s.infinities);
    others.push_back(s.others);
    const bool finite = s.count > 0;
    mins.Add(finite ? std::optional(s.min) : std::nullopt);
    maxes.Add(finite ? std::optional(s.max) : std::nullopt);
    const double mean = std::abs(s.mean) < kNextToZero ? 0 : std::clamp(s.mean, s.min, s.max);
    means.Add(finite ? std::optional(mean) : std::nullopt);
    lasts.Add(s.last);
    last_steps.push_back(s.last_steps);
    last_runs.push_back(s.last_run);
    last_ats.push_back(pg::Timestamp(s.last_at));
    max_steps.push_back(s.max_steps);
  }
};

void StoreSummaries(pqxx::work& tx, const ByGroup& all) {
  SummaryArrays a;
  for (const auto& [key, names] : all) {
    for (const auto& [name, summary] : names) a.Add(key.first, key.second, name, summary);
  }
  if (a.trials.empty()) return;
  tx.exec_prepared(kSummaries,
                   pg::ArrayOf(a.trials),
                   pg::ArrayOf(a.groups),
                   pg::ArrayOf(a.names),
                   pg::ArrayOf(a.counts),
                   pg::ArrayOf(a.nans),
                   pg::ArrayOf(a.infinities),
                   pg::ArrayOf(a.others),
                   a.mins.Take(),
                   a.maxes.Take(),
                   a.means.Take(),
                   a.lasts.Take(),
                   pg::ArrayOf(a.last_steps),
                   pg::ArrayOf(a.last_runs),
                   pg::ArrayOf(a.last_ats),
                   pg::ArrayOf(a.max_steps));
}

}  // namespace

void CopyMetrics(pqxx::work& tx, const std::vector<AcceptedReport>& reports, absl::Time now) {
  if (reports.empty()) return;
  pg::BinaryCopy out(tx, "metrics", kColumns);
  for (const auto& [shipment, report] : reports) {
    const auto& metrics = std::get<Metrics>(report->body);
    const std::string group = pg::StorableText(metrics.group);
    for (const auto& [name, value] : metrics.values.as_object()) {
      out.Row(kColumnCount);
      out.Int8(shipment->trial.value());
      out.Int8(shipment->allocation.value());
      out.Int4(static_cast<int32_t>(shipment->stream));
      out.Int8(report->id.seq);
      out.Bytes(group);
      out.Bytes(pg::StorableText(name));
      out.Int8(metrics.steps_completed);
      const std::optional<double> number = NumberOf(value);
      if (number.has_value()) {
        out.Float8(*number);
        out.Null();
      } else {
        out.Null();
        out.Jsonb(pg::StorableJson(value.ToJson()));
      }
      out.Timestamp(report->at);
      out.Timestamp(now);
    }
  }
  out.Finish();
}

void MetricSummaries::Prepare(pqxx::connection& connection) {
  // Trials in which a run begins at or before where an older one was.
  connection.prepare(
      kRuns,
      "WITH changed AS (INSERT INTO metric_runs AS m "
      "SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[]) "
      "ON CONFLICT (trial_id, allocation_id, grp) DO UPDATE SET first_steps = EXCLUDED.first_steps "
      "WHERE EXCLUDED.first_steps < m.first_steps "
      "RETURNING trial_id, allocation_id, grp, first_steps) "
      "SELECT DISTINCT c.trial_id FROM changed c WHERE EXISTS (SELECT 1 FROM metric_runs r "
      "JOIN metric_summaries s ON s.trial_id = r.trial_id AND s.grp = r.grp "
      "WHERE r.trial_id = c.trial_id AND r.allocation_id < c.allocation_id "
      "AND (s.max_steps > c.first_steps OR (s.grp = c.grp AND s.max_steps = c.first_steps)))");
  connection.prepare(
      kSummaries,
      "INSERT INTO metric_summaries AS t (trial_id, grp, name, count, nans, infinities, others, "
      "min, max, mean, last, last_steps, last_run, last_at, max_steps) "
      "SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], "
      "$6::bigint[], $7::bigint[], $8::float8[], $9::float8[], $10::float8[], $11::float8[], "
      "$12::bigint[], $13::bigint[], $14::timestamptz[], $15::bigint[]) "
      "ON CONFLICT (trial_id, grp, name) DO UPDATE SET count = t.count + EXCLUDED.count, "
      "nans = t.nans + EXCLUDED.nans, infinities = t.infinities + EXCLUDED.infinities, "
      "others = t.others + EXCLUDED.others, min = least(t.min, EXCLUDED.min), "
      "max = greatest(t.max, EXCLUDED.max), "
      "mean = det_blend(t.mean, t.count, EXCLUDED.mean, EXCLUDED.count), "
      "last = CASE WHEN EXCLUDED.last IS NULL OR (t.last IS NOT NULL AND "
      "(EXCLUDED.last_run, EXCLUDED.last_steps) < (t.last_run, t.last_steps)) "
      "THEN t.last ELSE EXCLUDED.last END, "
      "last_steps = CASE WHEN (EXCLUDED.last_run, EXCLUDED.last_steps) < (t.last_run, "
      "t.last_steps) "
      "THEN t.last_steps ELSE EXCLUDED.last_steps END, "
      "last_run = greatest(t.last_run, EXCLUDED.last_run), "
      "last_at = greatest(t.last_at, EXCLUDED.last_at), "
      "max_steps = greatest(t.max_steps, EXCLUDED.max_steps)");
}

// The trials whose summaries have to be made anew.
std::vector<int64_t> MetricSummaries::StoreRuns(pqxx::work& tx,
                                                const std::vector<AcceptedReport>& reports) {
  learned_.clear();
  for (const auto& [shipment, report] : reports) {
    if (shipment->stream == kSampleStream) continue;
    const auto& metrics = std::get<Metrics>(report->body);
    RunKey key{
        shipment->trial.value(), shipment->allocation.value(), pg::StorableText(metrics.group)};
    const auto known = known_.find(key);
    if (known != known_.end() && known->second <= metrics.steps_completed) continue;
    const auto [at, is_new] = learned_.emplace(std::move(key), metrics.steps_completed);
    at->second = std::min(at->second, metrics.steps_completed);
  }
  std::vector<int64_t> made_anew;
  if (learned_.empty()) return made_anew;
  std::vector<int64_t> trials, allocations, firsts;
  std::vector<std::string> groups;
  for (const auto& [key, first] : learned_) {
    trials.push_back(std::get<0>(key));
    allocations.push_back(std::get<1>(key));
    groups.push_back(std::get<2>(key));
    firsts.push_back(first);
  }
  for (const auto& row : tx.exec_prepared(kRuns,
                                          pg::ArrayOf(trials),
                                          pg::ArrayOf(allocations),
                                          pg::ArrayOf(groups),
                                          pg::ArrayOf(firsts))) {
    made_anew.push_back(row[0].as<int64_t>());
  }
  return made_anew;
}

void MetricSummaries::Store(pqxx::work& tx, const std::vector<AcceptedReport>& reports) {
  learned_.clear();
  if (reports.empty()) return;
  const std::vector<int64_t> made_anew = StoreRuns(tx, reports);
  StoreSummaries(tx, Summarize(reports, made_anew));
  if (!made_anew.empty())
    tx.exec_params("SELECT det_summarize($1::bigint[])", pg::ArrayOf(made_anew));
}

void MetricSummaries::OnCommitted() {
  if (known_.size() > kKnownMax) known_.clear();
  for (auto& [key, first] : learned_) known_.insert_or_assign(key, first);
  learned_.clear();
}

}  // namespace det::ingest
