#include "master/ingest/stream_table.h"

#include "common/pg/pg.h"
#include "master/ingest/retention.h"

namespace det::ingest {
namespace {

constexpr char kLock[] = "lock_streams";
constexpr char kRuns[] = "load_runs";
constexpr char kAdvance[] = "advance_streams";

}  // namespace

void StreamTable::Prepare(pqxx::connection& connection) {
  connection.prepare(
      kLock,
      "INSERT INTO streams (allocation_id, rank, stream, high_seq) "
      "SELECT a, r, s, 0 FROM unnest($1::bigint[], $2::integer[], $3::integer[]) AS k(a, r, s) "
      "ON CONFLICT (allocation_id, rank, stream) DO UPDATE SET high_seq = streams.high_seq "
      "RETURNING allocation_id, rank, stream, high_seq");
  connection.prepare(
      kRuns,
      "SELECT a.id, a.agent, a.ended_at IS NOT NULL, a.exit_kind IS NOT DISTINCT FROM 'LOST', "
      "coalesce(e.log_retention_days, "
      "(s.config #>> '{retention_policy,log_retention_days}')::integer, $2::integer) "
      "FROM allocations a LEFT JOIN trials t ON t.id = a.trial_id "
      "LEFT JOIN experiments e ON e.id = t.experiment_id "
      "LEFT JOIN submissions s ON s.experiment_id = t.experiment_id "
      "WHERE a.id = ANY ($1::bigint[])");
  connection.prepare(
      kAdvance,
      "UPDATE streams SET high_seq = k.h "
      "FROM unnest($1::bigint[], $2::integer[], $3::integer[], $4::bigint[]) AS k(a, r, s, h) "
      "WHERE allocation_id = k.a AND rank = k.r AND stream = k.s");
}

void StreamTable::Lock(pqxx::work& tx,
                       const std::vector<const Shipment*>& shipments,
                       int64_t default_retention) {
  for (const Shipment* shipment : shipments) high_.emplace(shipment->key(), 0);
  std::vector<int64_t> allocations, ranks, streams;
  for (const auto& [key, high] : high_) {
    allocations.push_back(key.allocation.value());
    ranks.push_back(key.rank);
    streams.push_back(key.stream);
  }
  const pqxx::result rows =
      tx.exec_prepared(kLock, pg::ArrayOf(allocations), pg::ArrayOf(ranks), pg::ArrayOf(streams));
  for (const auto& row : rows) {
    high_[{AllocationId(row[0].as<int64_t>()), row[1].as<int64_t>(), row[2].as<int64_t>()}] =
        row[3].as<int64_t>();
  }
  before_ = high_;
  LoadRuns(tx, pg::ArrayOf(allocations), default_retention);
}

void StreamTable::LoadRuns(pqxx::work& tx,
                           const std::string& allocations,
                           int64_t default_retention) {
  for (const auto& row : tx.exec_prepared(kRuns, allocations, default_retention)) {
    runs_[row[0].as<int64_t>()] = {row[1].as<std::string>(),
                                   row[2].as<bool>(),
                                   row[3].as<bool>(),
                                   RetentionClass(row[4].as<int64_t>())};
  }
}

bool StreamTable::Refuses(const Shipment& shipment) const {
  const auto run = runs_.find(shipment.allocation.value());
  if (run == runs_.end() || run->second.agent != shipment.agent.value()) return true;
  return run->second.lost || (run->second.ended && shipment.stream != kLogStream);
}

int64_t StreamTable::RetentionOf(const Shipment& shipment) const {
  const auto run = runs_.find(shipment.allocation.value());
  return run == runs_.end() ? -1 : run->second.retention;
}

void StreamTable::Store(pqxx::work& tx) const {
  std::vector<int64_t> allocations, ranks, streams, highs;
  for (const auto& [key, high] : high_) {
    if (before_.at(key) == high) continue;
    allocations.push_back(key.allocation.value());
    ranks.push_back(key.rank);
    streams.push_back(key.stream);
    highs.push_back(high);
  }
  if (highs.empty()) return;
  tx.exec_prepared(kAdvance,
                   pg::ArrayOf(allocations),
                   pg::ArrayOf(ranks),
                   pg::ArrayOf(streams),
                   pg::ArrayOf(highs));
}

}  // namespace det::ingest
