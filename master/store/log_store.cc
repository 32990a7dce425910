#include "master/store/log_store.h"

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/pg/pg.h"
#include "master/store/row_fields.h"

namespace det::store {
namespace {

// Lines may come a while after their run's end: an agent that was away keeps them for a day.
constexpr absl::Duration kLate = absl::Hours(24 * 8);
// Between the clocks of the master and of its database.
constexpr absl::Duration kClockSlack = absl::Hours(1);

// Rows of the trial lie in partitions of its time alone; to know that saves opening all others.
constexpr char kOfPart[] =
    "trial_id = $1 AND received_at >= $2::timestamptz AND received_at < $3::timestamptz "
    "AND allocation_id = $4 AND rank = $5 ";

std::string Since(const TrialLog& log) {
  return pg::Timestamp(log.created - kClockSlack);
}
std::string Until(const TrialLog& log) {
  if (log.ended.has_value()) return pg::Timestamp(*log.ended + kLate);
  return "infinity";
}

LogRow ToLog(const pqxx::row& row, const LogPart& part) {
  RowFields f(row);
  LogRow l{.allocation = part.allocation, .run = part.run, .rank = part.rank};
  l.seq = f.Int();
  l.note = f.Int();
  l.at = f.Time();
  l.source = static_cast<int>(f.Int());
  l.level = static_cast<int>(f.Int());
  l.line = pg::FromBytea(f.Text());
  l.partial = f.Bool();
  l.dropped = f.Int();
  return l;
}

LogPart ToPart(const pqxx::row& row) {
  RowFields f(row);
  LogPart part;
  part.allocation = AllocationId(f.Int());
  part.run = f.Int();
  part.agent = f.Text();
  part.rank = f.Int();
  part.end.seq = f.Int();
  part.end.note = f.Int();
  return part;
}

// The first record of the part from this number on; nothing when there is none.
std::optional<std::pair<int64_t, absl::Time>> RecordFrom(pqxx::work& tx,
                                                         const TrialLog& log,
                                                         const LogPart& part,
                                                         int64_t seq) {
  const pqxx::result rows = tx.exec_params(StrCat("SELECT seq, ",
                                                  Micros("at"),
                                                  " FROM task_logs WHERE ",
                                                  kOfPart,
                                                  "AND seq >= $6 ORDER BY seq, note LIMIT 1"),
                                           log.trial.value(),
                                           Since(log),
                                           Until(log),
                                           part.allocation.value(),
                                           part.rank,
                                           seq);
  if (rows.empty()) return std::nullopt;
  RowFields f(rows[0]);
  const int64_t found = f.Int();
  return std::pair(found, f.Time());
}

}  // namespace

LogStore::LogStore(const std::string& conninfo, int connections_max)
    : pool_(std::make_unique<pg::Pool>(conninfo, connections_max)) {}
LogStore::~LogStore() = default;

absl::StatusOr<TrialLog> LogStore::Find(TrialId trial) {
  TrialLog log{.trial = trial};
  bool found = false;
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    const pqxx::result trials = tx.exec_params(StrCat("SELECT ",
                                                      Micros("created_at"),
                                                      ", ",
                                                      Micros("ended_at"),
                                                      " FROM trials WHERE id = $1"),
                                               trial.value());
    found = !trials.empty();
    if (!found) return;
    RowFields f(trials[0]);
    log.created = f.Time();
    log.ended = f.MaybeTime();
    log.parts.clear();
    for (const auto& row : tx.exec_params(
             "SELECT a.id, a.run, a.agent, s.rank, "
             "coalesce(max(s.high_seq) FILTER (WHERE s.stream = 1), 0), max(s.notes) "
             "FROM allocations a JOIN streams s ON s.allocation_id = a.id WHERE a.trial_id = $1 "
             "GROUP BY a.id, a.run, a.agent, s.rank ORDER BY a.id, s.rank",
             trial.value())) {
      log.parts.push_back(ToPart(row));
    }
  }));
  if (found) return log;
  return Error(absl::StatusCode::kNotFound,
               "TRIAL_NOT_FOUND",
               StrCat("trial ", trial.value(), " does not exist"));
}

absl::StatusOr<std::vector<LogRow>> LogStore::Read(const TrialLog& log,
                                                   const LogPart& part,
                                                   const Page& page) {
  std::vector<LogRow> rows;
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    ReadInOrder(tx);
    rows.clear();
    const char* order = page.backward ? "DESC" : "ASC";
    const pqxx::result found =
        tx.exec_params(StrCat("SELECT seq, note, ",
                              Micros("at"),
                              ", source, level, line, partial, dropped FROM task_logs WHERE ",
                              kOfPart,
                              "AND (seq, note) ",
                              page.backward ? "<" : ">",
                              " ($6, $7::integer) ORDER BY seq ",
                              order,
                              ", note ",
                              order,
                              " LIMIT $8"),
                       log.trial.value(),
                       Since(log),
                       Until(log),
                       part.allocation.value(),
                       part.rank,
                       page.from.seq,
                       std::min<int64_t>(page.from.note, INT32_MAX),
                       page.limit);
    rows.reserve(found.size());
    for (const auto& row : found) rows.push_back(ToLog(row, part));
  }));
  return rows;
}

absl::StatusOr<LogPlace> LogStore::Before(const TrialLog& log,
                                          const LogPart& part,
                                          absl::Time time) {
  int64_t low = 1;                  // all before it is earlier
  int64_t high = part.end.seq + 1;  // it and all behind it is not
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    ReadInOrder(tx);
    while (low < high) {
      const int64_t middle = low + (high - low) / 2;
      const auto record = RecordFrom(tx, log, part, middle);
      if (record.has_value() && record->second < time) {
        low = record->first + 1;
      } else {
        high = middle;
      }
    }
  }));
  return LogPlace{low - 1, INT64_MAX};
}

}  // namespace det::store
