#include "master/ingest/batch_writer.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "common/base/overload.h"
#include "common/base/strings.h"
#include "common/pg/pg.h"
#include "master/ingest/limits.h"
#include "master/ingest/log_rows.h"
#include "master/ingest/metric_rows.h"
#include "master/ingest/stream_table.h"

namespace det::ingest {
namespace {

constexpr char kBegin[] = "begin_batch";

// The latest of what a trial says of itself.
struct Live {
  std::optional<double> progress;
  std::optional<std::string> training;
  int64_t training_steps = 0;
};

struct Accepted {
  std::vector<AcceptedReport> reports;
  std::vector<AcceptedLine> lines;
  std::map<TrialId, Live> live;
  std::vector<Note> notes;
  int64_t retention = -1;  // of the shipment that is looked at
};

// One note tells of all unreadable reports of a shipment.
void TakeUnreadable(const Shipment& shipment,
                    const Report& report,
                    const Unreadable& unreadable,
                    Accepted* accepted) {
  std::vector<Note>& notes = accepted->notes;
  if (notes.empty() || notes.back().shipment != &shipment) {
    notes.push_back({&shipment, 0, report.id.seq, unreadable.why, accepted->retention});
  }
  ++notes.back().records;
}

void Take(const Shipment& shipment, const Report& report, Accepted* accepted) {
  if (const auto* progress = std::get_if<Progress>(&report.body)) {
    accepted->live[shipment.trial].progress = progress->fraction;
  } else if (const auto* metrics = std::get_if<Metrics>(&report.body)) {
    accepted->reports.emplace_back(&shipment, &report);
    if (metrics->group != "training" || shipment.stream == kSampleStream) return;
    Live& live = accepted->live[shipment.trial];
    live.training = pg::StorableJson(metrics->values.ToJson());
    live.training_steps = metrics->steps_completed;
  } else if (const auto* unreadable = std::get_if<Unreadable>(&report.body)) {
    TakeUnreadable(shipment, report, *unreadable, accepted);
  }
}

// Takes what is new and in order. A gap in the reports ends the shipment: the sender goes back.
// Gaps in the log are what its records say was dropped.
void Accept(const Shipment& shipment, int64_t& high, Accepted* accepted, Stored* result) {
  for (const Report& report : shipment.reports) {
    if (report.id.seq <= high) continue;
    // Reports read from the log are numbered by their line: they have gaps by nature.
    if (shipment.stream == kRelayStream && report.id.seq != high + 1) break;
    Take(shipment, report, accepted);
    if (const auto* metrics = std::get_if<Metrics>(&report.body))
      result->metric_rows += static_cast<int64_t>(metrics->values.as_object().size());
    high = report.id.seq;
  }
  for (const LogRecord& record : shipment.logs) {
    if (record.seq <= high) continue;
    accepted->lines.push_back({&shipment, &record, accepted->retention});
    ++result->log_rows;
    high = record.seq;
  }
}

// An array parameter some of whose items are null.
std::string NullableArray(const std::vector<std::optional<std::string>>& items) {
  return StrCat("{",
                StrJoin(items,
                        ",",
                        [](const std::optional<std::string>& item) -> std::string {
                          if (!item.has_value()) return "NULL";
                          const std::string one = pg::ArrayOf(std::vector<std::string>{*item});
                          return one.substr(1, one.size() - 2);
                        }),
                "}");
}

// What trials said of themselves, of those that said how far they are or of those that did not.
void StoreLiveWhere(pqxx::work& tx, const std::map<TrialId, Live>& all, bool has_progress) {
  std::vector<int64_t> trials, steps;
  std::vector<std::string> progress;
  std::vector<std::optional<std::string>> training;
  for (const auto& [trial, live] : all) {
    if (live.progress.has_value() != has_progress) continue;
    trials.push_back(trial.value());
    progress.push_back(FormatDouble(live.progress.value_or(0)));
    training.push_back(live.training);
    steps.push_back(live.training_steps);
  }
  if (trials.empty()) return;
  tx.exec_params(
      StrCat(
          "INSERT INTO trial_live (trial_id, progress, training, training_steps) "
          "SELECT * FROM unnest($1::bigint[], $2::double precision[], $3::jsonb[], $4::bigint[]) "
          "ON CONFLICT (trial_id) DO UPDATE SET ",
          has_progress ? "progress = EXCLUDED.progress, " : "",
          "training = coalesce(EXCLUDED.training, trial_live.training), "
          "training_steps = CASE WHEN EXCLUDED.training IS NULL THEN trial_live.training_steps "
          "ELSE EXCLUDED.training_steps END, updated_at = now()"),
      pg::ArrayOf(trials),
      pg::ArrayOf(progress),
      NullableArray(training),
      pg::ArrayOf(steps));
}

// What was not said leaves what is there.
void StoreLive(pqxx::work& tx, const std::map<TrialId, Live>& all) {
  StoreLiveWhere(tx, all, true);
  StoreLiveWhere(tx, all, false);
}

int64_t RecordsOf(const Shipment& shipment) {
  return static_cast<int64_t>(shipment.reports.size() + shipment.logs.size());
}

int64_t LastSeq(const Shipment& shipment) {
  int64_t last = 0;
  for (const Report& report : shipment.reports) last = std::max(last, report.id.seq);
  for (const LogRecord& record : shipment.logs) last = std::max(last, record.seq);
  return last;
}

}  // namespace

BatchWriter::BatchWriter(const Options& options)
    : connection_(std::make_unique<pg::Connection>(options.conninfo)),
      options_(options),
      partitions_(std::make_unique<LogPartitions>()),
      summaries_(std::make_unique<MetricSummaries>()) {
  connection_->OnConnect([](pqxx::connection& c) {
    const auto life = std::to_string(absl::ToInt64Milliseconds(kStatementLife));
    c.set_variable("statement_timeout", life);
    c.set_variable("idle_in_transaction_session_timeout", life);
    c.prepare(kBegin, "SELECT det_fence($1), (extract(epoch from now()) * 1000000)::bigint");
    StreamTable::Prepare(c);
    MetricSummaries::Prepare(c);
  });
}

BatchWriter::~BatchWriter() = default;

// The database's time.
absl::Time BatchWriter::Begin(pqxx::work& tx) const {
  return absl::FromUnixMicros(tx.exec_prepared1(kBegin, options_.epoch)[1].as<int64_t>());
}

absl::Status BatchWriter::Write(const std::vector<const Shipment*>& shipments,
                                std::vector<Stored>* stored) {
  const absl::Status status = connection_->Transact([&](pqxx::work& tx) {
    stored->clear();
    const absl::Time now = Begin(tx);
    StreamTable streams;
    streams.Lock(tx, shipments, options_.log_retention_days);
    Accepted accepted;
    for (const Shipment* shipment : shipments) {
      Stored result{.ended = streams.Refuses(*shipment)};
      int64_t& high = streams.High(*shipment);
      accepted.retention = streams.RetentionOf(*shipment);
      if (!result.ended) Accept(*shipment, high, &accepted, &result);
      result.high = high;
      stored->push_back(result);
    }
    for (const AcceptedLine& line : accepted.lines) partitions_->Ensure(tx, line.retention, now);
    for (const Note& note : accepted.notes) partitions_->Ensure(tx, note.retention, now);
    CopyMetrics(tx, accepted.reports, now);
    summaries_->Store(tx, accepted.reports);
    CopyLines(tx, accepted.lines, now);
    StoreLive(tx, accepted.live);
    streams.Store(tx);
    StoreNotes(tx, accepted.notes, now);
    for (const Note& note : accepted.notes) {
      const auto at = std::find(shipments.begin(), shipments.end(), note.shipment);
      (*stored)[static_cast<size_t>(at - shipments.begin())].unreadable = note.records;
    }
  });
  Learn(status);
  return status;
}

// What was noted of the store is true only when the transaction is durable.
void BatchWriter::Learn(const absl::Status& status) {
  if (status.ok()) return summaries_->OnCommitted();
  summaries_->OnFailed();
  partitions_->Forget();
}

absl::Status BatchWriter::GiveUp(const Shipment& shipment, std::string_view why, Stored* stored) {
  const absl::Status status = connection_->Transact([&](pqxx::work& tx) {
    const absl::Time now = Begin(tx);
    StreamTable streams;
    streams.Lock(tx, {&shipment}, options_.log_retention_days);
    int64_t& high = streams.High(shipment);
    high = std::max(high, LastSeq(shipment));
    *stored = {.high = high, .unreadable = RecordsOf(shipment)};
    streams.Store(tx);
    const int64_t first = shipment.logs.empty() ? shipment.reports[0].id.seq : shipment.logs[0].seq;
    const int64_t retention = streams.RetentionOf(shipment);
    partitions_->Ensure(tx, retention, now);
    StoreNotes(tx, {{&shipment, stored->unreadable, first, std::string(why), retention}}, now);
  });
  Learn(status);
  return status;
}

absl::Status BatchWriter::EnsurePartitions() {
  partitions_->Forget();
  return connection_->Transact([&](pqxx::work& tx) {
    Begin(tx);
    tx.exec("SELECT det_ensure_partitions(now())");
  });
}

}  // namespace det::ingest
