#include "master/ingest/batch_writer.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "common/base/overload.h"
#include "common/base/strings.h"
#include "common/pg/pg.h"
#include "master/ingest/limits.h"

namespace det::ingest {
namespace {

// What the transaction knows of the streams that it touches.
class Streams {
 public:
  // Locks the rows in one order, so that writers never wait for each other in a circle.
  void Lock(pqxx::work& tx, const std::vector<const Shipment*>& shipments) {
    for (const Shipment* shipment : shipments) high_.emplace(shipment->key(), 0);
    std::vector<int64_t> allocations, ranks, streams;
    for (const auto& [key, high] : high_) {
      allocations.push_back(key.allocation.value());
      ranks.push_back(key.rank);
      streams.push_back(key.stream);
    }
    const pqxx::result rows = tx.exec_params(
        "INSERT INTO streams (allocation_id, rank, stream, high_seq) "
        "SELECT a, r, s, 0 FROM unnest($1::bigint[], $2::integer[], $3::integer[]) AS k(a, r, s) "
        "ON CONFLICT (allocation_id, rank, stream) DO UPDATE SET high_seq = streams.high_seq "
        "RETURNING allocation_id, rank, stream, high_seq",
        pg::ArrayOf(allocations),
        pg::ArrayOf(ranks),
        pg::ArrayOf(streams));
    for (const auto& row : rows) {
      high_[{AllocationId(row[0].as<int64_t>()), row[1].as<int64_t>(), row[2].as<int64_t>()}] =
          row[3].as<int64_t>();
    }
    before_ = high_;
    LoadRuns(tx, allocations);
  }

  // Logs may follow the end of their run; nothing may follow a run that was given up, whose copy
  // may still be writing somewhere, nor come from another agent than the run's.
  bool Refuses(const Shipment& shipment) const {
    const auto run = runs_.find(shipment.allocation.value());
    if (run == runs_.end() || run->second.agent != shipment.agent.value()) return true;
    return run->second.lost || (run->second.ended && shipment.stream != kLogStream);
  }

  int64_t& High(const Shipment& shipment) { return high_[shipment.key()]; }

  void Store(pqxx::work& tx) const {
    std::vector<int64_t> allocations, ranks, streams, highs;
    for (const auto& [key, high] : high_) {
      if (before_.at(key) == high) continue;
      allocations.push_back(key.allocation.value());
      ranks.push_back(key.rank);
      streams.push_back(key.stream);
      highs.push_back(high);
    }
    if (highs.empty()) return;
    tx.exec_params(
        "UPDATE streams SET high_seq = k.h "
        "FROM unnest($1::bigint[], $2::integer[], $3::integer[], $4::bigint[]) AS k(a, r, s, h) "
        "WHERE allocation_id = k.a AND rank = k.r AND stream = k.s",
        pg::ArrayOf(allocations),
        pg::ArrayOf(ranks),
        pg::ArrayOf(streams),
        pg::ArrayOf(highs));
  }

 private:
  struct Run {
    std::string agent;
    bool ended = false;
    bool lost = false;  // given up
  };

  // A run that the store never heard of has no entry.
  void LoadRuns(pqxx::work& tx, const std::vector<int64_t>& allocations) {
    const pqxx::result rows = tx.exec_params(
        "SELECT id, agent, ended_at IS NOT NULL, exit_kind IS NOT DISTINCT FROM 'LOST' "
        "FROM allocations WHERE id = ANY ($1::bigint[])",
        pg::ArrayOf(allocations));
    for (const auto& row : rows) {
      runs_[row[0].as<int64_t>()] = {
          row[1].as<std::string>(), row[2].as<bool>(), row[3].as<bool>()};
    }
  }

  std::map<StreamKey, int64_t> high_;
  std::map<StreamKey, int64_t> before_;
  std::map<int64_t, Run> runs_;
};

// The latest of what a trial says of itself.
struct Live {
  std::optional<double> progress;
  std::optional<std::string> training;
  int64_t training_steps = 0;
};

// A line of ours in a trial's log.
struct Note {
  const Shipment* shipment = nullptr;
  int64_t records = 0;  // that it is about
  int64_t first = 0;    // of them
  std::string why;
};

struct Accepted {
  std::vector<std::pair<const Shipment*, const Report*>> reports;
  std::vector<std::pair<const Shipment*, const LogRecord*>> logs;
  std::map<TrialId, Live> live;
  std::vector<Note> notes;
};

// One note tells of all unreadable reports of a shipment.
void TakeUnreadable(const Shipment& shipment,
                    const Report& report,
                    const Unreadable& unreadable,
                    Accepted* accepted) {
  std::vector<Note>& notes = accepted->notes;
  if (notes.empty() || notes.back().shipment != &shipment) {
    notes.push_back({&shipment, 0, report.id.seq, unreadable.why});
  }
  ++notes.back().records;
}

void Take(const Shipment& shipment, const Report& report, Accepted* accepted) {
  if (const auto* progress = std::get_if<Progress>(&report.body)) {
    accepted->live[shipment.trial].progress = progress->fraction;
  } else if (const auto* metrics = std::get_if<Metrics>(&report.body)) {
    accepted->reports.emplace_back(&shipment, &report);
    if (metrics->group != "training") return;
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
    accepted->logs.emplace_back(&shipment, &record);
    ++result->log_rows;
    high = record.seq;
  }
}

void CopyMetrics(pqxx::work& tx, const Accepted& accepted, const std::string& now) {
  if (accepted.reports.empty()) return;
  pqxx::stream_to out(tx,
                      "metrics",
                      std::vector<std::string>{"trial_id",
                                               "allocation_id",
                                               "stream",
                                               "seq",
                                               "grp",
                                               "name",
                                               "steps",
                                               "value",
                                               "other",
                                               "at",
                                               "received_at"});
  for (const auto& [shipment, report] : accepted.reports) {
    const auto& metrics = std::get<Metrics>(report->body);
    const std::string at = pg::Timestamp(report->at);
    for (const auto& [name, value] : metrics.values.as_object()) {
      std::optional<std::string> number;
      std::optional<std::string> other;
      const bool word =
          value.is_string() && (value.as_string() == "NaN" || value.as_string() == "Infinity" ||
                                value.as_string() == "-Infinity");
      if (value.is_number()) {
        number = FormatDouble(value.as_number());
      } else if (word) {
        number = value.as_string();
      } else {
        other = pg::StorableJson(value.ToJson());
      }
      out << std::make_tuple(shipment->trial.value(),
                             shipment->allocation.value(),
                             shipment->stream,
                             report->id.seq,
                             pg::StorableText(metrics.group),
                             pg::StorableText(name),
                             metrics.steps_completed,
                             number.has_value() ? number->c_str() : nullptr,
                             other.has_value() ? other->c_str() : nullptr,
                             at,
                             now);
    }
  }
  out.complete();
}

void CopyLogs(pqxx::work& tx, const Accepted& accepted, const std::string& now) {
  if (accepted.logs.empty()) return;
  pqxx::stream_to out(tx,
                      "task_logs",
                      std::vector<std::string>{"trial_id",
                                               "allocation_id",
                                               "rank",
                                               "seq",
                                               "source",
                                               "partial",
                                               "dropped",
                                               "line",
                                               "at",
                                               "received_at"});
  for (const auto& [shipment, record] : accepted.logs) {
    out << std::make_tuple(shipment->trial.value(),
                           shipment->allocation.value(),
                           shipment->rank,
                           record->seq,
                           static_cast<int>(record->source),
                           record->partial,
                           record->dropped,
                           pg::ToBytea(record->text),
                           pg::Timestamp(record->at),
                           now);
  }
  out.complete();
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

std::string TextOf(const Note& note) {
  const std::string_view why = CutUtf8(note.why, kNoteBytesMax);
  if (note.records == 1) return StrCat("det: record ", note.first, " was not taken: ", why);
  return StrCat(
      "det: ", note.records, " records were not taken; the first, ", note.first, ": ", why);
}

// After the streams' rows: a note follows what is stored of the log by now.
void StoreNotes(pqxx::work& tx, const std::vector<Note>& notes, const std::string& now) {
  if (notes.empty()) return;
  std::vector<int64_t> trials, allocations, ranks;
  std::vector<std::string> lines;
  for (const Note& note : notes) {
    trials.push_back(note.shipment->trial.value());
    allocations.push_back(note.shipment->allocation.value());
    ranks.push_back(note.shipment->rank);
    lines.push_back(TextOf(note));
  }
  tx.exec_params(
      "INSERT INTO task_logs (trial_id, allocation_id, rank, seq, note, source, partial, "
      "dropped, line, at, received_at) "
      "SELECT n.t, n.a, n.r, s.high, "
      "row_number() OVER (PARTITION BY n.t, n.a, n.r ORDER BY n.place) "
      "+ coalesce((SELECT max(l.note) FROM task_logs l WHERE l.trial_id = n.t "
      "AND l.allocation_id = n.a AND l.rank = n.r AND l.seq = s.high), 0), "
      "$5::integer, false, 0, n.line, $6::timestamptz, $6::timestamptz "
      "FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::bytea[]) "
      "WITH ORDINALITY AS n(t, a, r, line, place) "
      "CROSS JOIN LATERAL (SELECT coalesce(max(high_seq), 0) AS high FROM streams "
      "WHERE allocation_id = n.a AND rank = n.r AND stream = $7::integer) s",
      pg::ArrayOf(trials),
      pg::ArrayOf(allocations),
      pg::ArrayOf(ranks),
      pg::ByteaArrayOf(lines),
      static_cast<int>(LogSource::kAgent),
      now,
      kLogStream);
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

BatchWriter::BatchWriter(const std::string& conninfo, int64_t epoch)
    : connection_(std::make_unique<pg::Connection>(conninfo)), epoch_(epoch) {
  connection_->OnConnect([](pqxx::connection& c) {
    const auto life = std::to_string(absl::ToInt64Milliseconds(kStatementLife));
    c.set_variable("statement_timeout", life);
    c.set_variable("idle_in_transaction_session_timeout", life);
  });
}

BatchWriter::~BatchWriter() = default;

absl::Status BatchWriter::Write(const std::vector<const Shipment*>& shipments,
                                std::vector<Stored>* stored) {
  return connection_->Transact([&](pqxx::work& tx) {
    stored->clear();
    tx.exec_params("SELECT det_fence($1)", epoch_);
    const auto now = tx.exec1("SELECT now()")[0].as<std::string>();
    Streams streams;
    streams.Lock(tx, shipments);
    Accepted accepted;
    for (const Shipment* shipment : shipments) {
      Stored result{.ended = streams.Refuses(*shipment)};
      int64_t& high = streams.High(*shipment);
      if (!result.ended) Accept(*shipment, high, &accepted, &result);
      result.high = high;
      stored->push_back(result);
    }
    CopyMetrics(tx, accepted, now);
    CopyLogs(tx, accepted, now);
    StoreLive(tx, accepted.live);
    streams.Store(tx);
    StoreNotes(tx, accepted.notes, now);
    for (const Note& note : accepted.notes) {
      const auto at = std::find(shipments.begin(), shipments.end(), note.shipment);
      (*stored)[static_cast<size_t>(at - shipments.begin())].unreadable = note.records;
    }
  });
}

absl::Status BatchWriter::GiveUp(const Shipment& shipment, std::string_view why, Stored* stored) {
  return connection_->Transact([&](pqxx::work& tx) {
    tx.exec_params("SELECT det_fence($1)", epoch_);
    const auto now = tx.exec1("SELECT now()")[0].as<std::string>();
    Streams streams;
    streams.Lock(tx, {&shipment});
    int64_t& high = streams.High(shipment);
    high = std::max(high, LastSeq(shipment));
    *stored = {.high = high, .unreadable = RecordsOf(shipment)};
    streams.Store(tx);
    const int64_t first = shipment.logs.empty() ? shipment.reports[0].id.seq : shipment.logs[0].seq;
    StoreNotes(tx, {{&shipment, stored->unreadable, first, std::string(why)}}, now);
  });
}

absl::Status BatchWriter::EnsurePartitions() {
  return connection_->Transact([&](pqxx::work& tx) {
    tx.exec_params("SELECT det_fence($1)", epoch_);
    tx.exec("SELECT det_ensure_partitions(now())");
  });
}

}  // namespace det::ingest
