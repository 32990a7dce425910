#include "master/journal/postgres_journal.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include <sys/stat.h>
#include <unistd.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/process.h"
#include "common/pg/pg.h"
#include "master/core/state_hash.h"
#include "master/journal/codec.h"

namespace det::journal {
namespace {

constexpr char kAppend[] = "det_append";
// Longer than the largest commit takes; a statement of a master that is gone ends some time.
constexpr absl::Duration kJournalStatementLife = absl::Seconds(60);
constexpr int64_t kReadChunk = 5000;
// Parameters of the statement before the tables' rows.
constexpr size_t kFixedParameters = 11;

// INSERT INTO trials (...) SELECT ... ON CONFLICT (id) DO UPDATE SET ...
std::string UpsertSql(Table table, size_t parameter) {
  const TableShape& shape = ShapeOf(table);
  const std::string columns = StrJoin(shape.columns, ", ");
  std::vector<std::string_view> updated = shape.columns;
  std::erase_if(updated, [&](std::string_view column) {
    return std::find(shape.insert_only.begin(), shape.insert_only.end(), column) !=
           shape.insert_only.end();
  });
  const std::string updates = StrJoin(updated, ", ", [](std::string_view column) {
    return StrCat(column, " = EXCLUDED.", column);
  });
  return StrCat("INSERT INTO ",
                shape.name,
                " (",
                columns,
                ") SELECT ",
                columns,
                " FROM json_populate_recordset(NULL::",
                shape.name,
                ", $",
                parameter,
                "::json) ON CONFLICT (",
                shape.key,
                ") DO UPDATE SET ",
                updates);
}

// One statement is one round trip and one commit. Its parts see the same snapshot and touch
// different tables, so their order does not matter; the fence is part of the journal's own insert.
std::string AppendSql() {
  std::string sql =
      "WITH fence AS MATERIALIZED (SELECT det_fence($1::bigint) AS held), "
      "events AS (INSERT INTO journal (seq, at, epoch, record, state_hash, hash_format) "
      "SELECT e.seq, e.at, $1::bigint, e.record, "
      "CASE WHEN e.seq = $5::bigint THEN $6::bigint END, "
      "CASE WHEN e.seq = $5::bigint THEN $7::integer END "
      "FROM fence, unnest($2::bigint[], $3::timestamptz[], $4::bytea[]) AS e(seq, at, record)), "
      "saved AS (INSERT INTO snapshots (key, seq, bytes) "
      "SELECT * FROM unnest($8::text[], $9::bigint[], $10::bytea[]) "
      "ON CONFLICT (key) DO UPDATE SET seq = EXCLUDED.seq, bytes = EXCLUDED.bytes), "
      "gone AS (DELETE FROM snapshots WHERE key = ANY ($11::text[])), ";
  for (size_t i = 0; i < kTables; ++i) {
    const auto table = static_cast<Table>(i);
    StrAppend(sql, "t", i, " AS (", UpsertSql(table, kFixedParameters + 1 + i), "), ");
  }
  const size_t floor = kFixedParameters + kTables + 1;
  StrAppend(sql,
            "floor AS (UPDATE snapshot_floor SET floor = $",
            floor,
            "::bigint WHERE $",
            floor,
            "::bigint > 0) SELECT 1");
  return sql;
}

// The rows of each table as a JSON array.
std::array<std::string, kTables> RowsByTable(const std::vector<Row>& rows) {
  std::array<std::string, kTables> arrays;
  for (const Row& row : rows) {
    std::string& array = arrays[static_cast<size_t>(row.table)];
    array.append(array.empty() ? "[" : ",").append(pg::StorableJson(row.values.ToJson()));
  }
  for (std::string& array : arrays) array.append(array.empty() ? "[]" : "]");
  return arrays;
}

struct Parameters {
  std::vector<int64_t> seqs;
  std::vector<std::string> times;
  std::vector<std::string> records;
  std::vector<std::string> saved_keys;
  std::vector<int64_t> saved_seqs;
  std::vector<std::string> saved_bytes;
  std::vector<std::string> gone_keys;
};

Parameters ParametersOf(const Batch& batch) {
  Parameters p;
  for (size_t i = 0; i < batch.events.size(); ++i) {
    p.seqs.push_back(batch.first_seq + static_cast<int64_t>(i));
    p.times.push_back(pg::Timestamp(batch.events[i].at));
    p.records.push_back(EncodeEvent(batch.events[i]));
  }
  for (const SnapshotPart& part : batch.snapshots) {
    if (!part.bytes.has_value()) {
      p.gone_keys.push_back(part.key);
      continue;
    }
    p.saved_keys.push_back(part.key);
    p.saved_seqs.push_back(part.seq);
    p.saved_bytes.push_back(*part.bytes);
  }
  return p;
}

// Of the parameters as they are sent: a byte of a bytea is two digits.
int64_t EncodedBytes(const Parameters& p, const std::array<std::string, kTables>& rows) {
  size_t bytes = 0;
  for (const std::string& record : p.records) bytes += 2 * record.size();
  for (const std::string& saved : p.saved_bytes) bytes += 2 * saved.size();
  for (const std::string& array : rows) bytes += array.size();
  return static_cast<int64_t>(bytes);
}

absl::Status CheckSize(const Batch& batch, int64_t bytes) {
  if (bytes <= kCommitBytesMax) return absl::OkStatus();
  return Error(absl::StatusCode::kOutOfRange,
               "COMMIT_TOO_LARGE",
               StrCat("a commit of ",
                      batch.events.size(),
                      " events and ",
                      batch.snapshots.size(),
                      " snapshots is ",
                      bytes,
                      " bytes, and the database takes at most ",
                      kCommitBytesMax),
               "nothing of it was written; this is a fault of det-master: report it");
}

// Reading again does no harm: an answer that was lost is no more than one that did not come.
absl::Status OfRead(const absl::Status& status) {
  if (status.code() != absl::StatusCode::kUnknown) return status;
  return Error(absl::StatusCode::kUnavailable, "STORE_DOWN", FromAbsl(status.message()));
}

// Names the numbering of processes that this one lives in; "" when it can't be told.
std::string PidNamespace() {
  struct stat info {};
  return stat("/proc/self/ns/pid", &info) == 0 ? StrCat(info.st_ino) : "";
}

// A holder on this machine that has ended holds nothing any more. Of one in another container,
// whose processes have other numbers, nothing is known; neither is it of a record that names no
// namespace.
bool IsDeadHere(const std::string& holder) {
  ProcessId process;
  const size_t first = holder.find('/');
  const size_t second = holder.find('/', first + 1);
  const size_t third = holder.find('/', second + 1);
  if (first == std::string::npos || second == std::string::npos || third == std::string::npos)
    return false;
  if (const std::string here = PidNamespace(); here.empty() || holder.substr(third + 1) != here)
    return false;
  process.boot_id = holder.substr(0, first);
  process.pid = static_cast<pid_t>(std::strtol(holder.c_str() + first + 1, nullptr, 10));
  process.start_time = std::strtoll(holder.c_str() + second + 1, nullptr, 10);
  const absl::StatusOr<std::string> here = BootId();
  if (!here.ok() || *here != process.boot_id) return false;
  const absl::StatusOr<bool> alive = IsAlive(process);
  return alive.ok() && !*alive;
}

}  // namespace

PostgresJournal::PostgresJournal(const std::string& conninfo, std::string holder)
    : connection_(std::make_unique<pg::Connection>(conninfo)), holder_(std::move(holder)) {
  connection_->OnConnect([](pqxx::connection& c) {
    c.set_variable("statement_timeout",
                   std::to_string(absl::ToInt64Milliseconds(kJournalStatementLife)));
    c.prepare(kAppend, AppendSql());
  });
}

PostgresJournal::~PostgresJournal() = default;

absl::StatusOr<std::string> PostgresJournal::ThisProcess() {
  DET_ASSIGN_OR_RETURN(const ProcessId me, ReadProcessId(getpid()));
  return StrCat(me.boot_id, "/", me.pid, "/", me.start_time, "/", PidNamespace());
}

absl::StatusOr<int64_t> PostgresJournal::Acquire() {
  absl::Status refused;
  const absl::Status status = connection_->Transact([&](pqxx::work& tx) {
    const pqxx::row lease =
        tx.exec1("SELECT holder, expires_at < now() AS lapsed, expires_at FROM lease FOR UPDATE");
    const auto holder = lease[0].as<std::string>();
    if (!lease[1].as<bool>() && holder != holder_ && !IsDeadHere(holder)) {
      refused = Error(
          absl::StatusCode::kUnavailable,
          "LEASE_HELD",
          StrCat(
              "another master (", holder, ") holds the lease until ", lease[2].as<std::string>()));
      return;
    }
    epoch_ = tx.exec_params1(
                   "UPDATE lease SET epoch = epoch + 1, holder = $1, "
                   "expires_at = now() + $2 * interval '1 second' RETURNING epoch",
                   holder_,
                   absl::ToInt64Seconds(kLeaseLife))[0]
                 .as<int64_t>();
  });
  DET_RETURN_IF_ERROR(refused);
  // An epoch that may or may not have been raised is simply raised again.
  DET_RETURN_IF_ERROR(OfRead(status));
  return epoch_;
}

absl::Status PostgresJournal::Renew() {
  bool held = false;
  const absl::Status status = connection_->Transact([&](pqxx::work& tx) {
    held = tx.exec_params(
                 "UPDATE lease SET expires_at = now() + $2 * interval '1 second' WHERE epoch = $1",
                 epoch_,
                 absl::ToInt64Seconds(kLeaseLife))
               .affected_rows() == 1;
  });
  if (status.ok() && !held) {
    return Error(absl::StatusCode::kAborted,
                 "LEASE_LOST",
                 StrCat("the lease of epoch ", epoch_, " was taken by another master"));
  }
  return OfRead(status);
}

absl::Status PostgresJournal::Release() {
  return connection_->Transact([&](pqxx::work& tx) {
    tx.exec_params("UPDATE lease SET expires_at = now() WHERE epoch = $1", epoch_);
  });
}

absl::Status PostgresJournal::Append(const Batch& batch) {
  const Parameters p = ParametersOf(batch);
  const std::array<std::string, kTables> rows = RowsByTable(batch.rows);
  DET_RETURN_IF_ERROR(CheckSize(batch, EncodedBytes(p, rows)));
  const absl::Status status = connection_->Run([&](pqxx::connection& c) {
    pqxx::nontransaction tx(c);
    static_assert(kTables == 9, "one parameter a table");
    tx.exec_prepared(kAppend,
                     epoch_,
                     pg::ArrayOf(p.seqs),
                     pg::ArrayOf(p.times),
                     pg::ByteaArrayOf(p.records),
                     batch.last_seq(),
                     static_cast<int64_t>(batch.state_hash),
                     core::kHashFormat,
                     pg::ArrayOf(p.saved_keys),
                     pg::ArrayOf(p.saved_seqs),
                     pg::ByteaArrayOf(p.saved_bytes),
                     pg::ArrayOf(p.gone_keys),
                     rows[0],
                     rows[1],
                     rows[2],
                     rows[3],
                     rows[4],
                     rows[5],
                     rows[6],
                     rows[7],
                     rows[8],
                     batch.snapshot_floor);
  });
  switch (status.code()) {
    case absl::StatusCode::kAlreadyExists:
      // Our own events, by a statement whose answer was lost and that was slow to arrive; or
      // another writer's. IsDurable tells.
      return Error(absl::StatusCode::kUnknown, "JOURNAL_TAKEN", FromAbsl(status.message()));
    case absl::StatusCode::kResourceExhausted:
      return Error(absl::StatusCode::kUnavailable,
                   ErrorReason(status),
                   FromAbsl(status.message()),
                   ErrorHint(status));
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kInternal:
      return Error(absl::StatusCode::kDataLoss, "JOURNAL_REFUSED", FromAbsl(status.message()));
    default:
      return status;
  }
}

absl::StatusOr<bool> PostgresJournal::IsDurable(const Batch& batch) {
  int64_t epoch = 0;
  int64_t last = 0;
  bool same = true;
  const absl::Status status = connection_->Transact([&](pqxx::work& tx) {
    // Waits for a transaction of ours that is still under way in a backend we lost sight of.
    epoch = tx.exec1("SELECT epoch FROM lease FOR UPDATE")[0].as<int64_t>();
    last = tx.exec1("SELECT coalesce(max(seq), 0) FROM journal")[0].as<int64_t>();
    if (last >= batch.first_seq) {
      same = tx.exec_params1("SELECT bool_and(epoch = $1) FROM journal WHERE seq >= $2",
                             epoch_,
                             batch.first_seq)[0]
                 .as<bool>();
    }
  });
  DET_RETURN_IF_ERROR(OfRead(status));
  if (epoch != epoch_) {
    return Error(absl::StatusCode::kAborted,
                 "LEASE_LOST",
                 StrCat("the lease of epoch ", epoch_, " was taken by epoch ", epoch));
  }
  if (last == batch.first_seq - 1) return false;
  if (last == batch.last_seq() && same) return true;
  return Error(absl::StatusCode::kDataLoss,
               "JOURNAL_GAP",
               StrCat("the journal ends at event ",
                      last,
                      " after a batch of ",
                      batch.first_seq,
                      " to ",
                      batch.last_seq()));
}

absl::StatusOr<Loaded> PostgresJournal::Load() {
  Loaded loaded;
  const absl::Status status = connection_->Transact([&](pqxx::work& tx) {
    tx.exec("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ");
    loaded.floor = tx.exec1("SELECT floor FROM snapshot_floor")[0].as<int64_t>();
    for (const auto& row : tx.exec("SELECT key, seq, bytes FROM snapshots")) {
      loaded.snapshots.push_back({row[0].as<std::string>(),
                                  row[1].as<int64_t>(),
                                  pg::FromBytea(row[2].as<std::string>())});
    }
    const pqxx::result last = tx.exec(
        "SELECT seq, coalesce(state_hash, 0), coalesce(hash_format, 0) FROM journal ORDER BY seq "
        "DESC LIMIT 1");
    if (last.empty()) return;
    loaded.last_seq = last[0][0].as<int64_t>();
    loaded.state_hash = static_cast<uint64_t>(last[0][1].as<int64_t>());
    loaded.hash_format = last[0][2].as<int64_t>();
  });
  DET_RETURN_IF_ERROR(OfRead(status));
  return loaded;
}

absl::Status PostgresJournal::Read(int64_t from, const Visit& visit) {
  while (true) {
    pqxx::result rows;
    DET_RETURN_IF_ERROR(OfRead(connection_->Transact([&](pqxx::work& tx) {
      rows = tx.exec_params(
          "SELECT seq, record, coalesce(state_hash, 0), coalesce(hash_format, 0) FROM journal "
          "WHERE seq >= $1 ORDER BY seq LIMIT $2",
          from,
          kReadChunk);
    })));
    for (const auto& row : rows) {
      Recorded recorded{.seq = row[0].as<int64_t>(),
                        .state_hash = static_cast<uint64_t>(row[2].as<int64_t>()),
                        .hash_format = row[3].as<int64_t>()};
      DET_ASSIGN_OR_RETURN(recorded.event, DecodeEvent(pg::FromBytea(row[1].as<std::string>())));
      DET_RETURN_IF_ERROR(visit(recorded));
      from = recorded.seq + 1;
    }
    if (static_cast<int64_t>(rows.size()) < kReadChunk) return absl::OkStatus();
  }
}

}  // namespace det::journal
