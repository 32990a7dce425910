#include "master/store/partitions.h"

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/pg/pg.h"

namespace det::store {
namespace {

absl::StatusOr<std::vector<std::string>> Expired(pg::Connection& connection, absl::Time now) {
  std::vector<std::string> names;
  DET_RETURN_IF_ERROR(connection.Transact([&](pqxx::work& tx) {
    const pqxx::result rows = tx.exec_params(
        "SELECT name FROM log_partitions WHERE retention >= 0 "
        "AND until + make_interval(days => retention) <= $1::timestamptz ORDER BY until, name",
        pg::Timestamp(now));
    names.clear();
    for (const auto& row : rows) names.push_back(row[0].as<std::string>());
  }));
  return names;
}

}  // namespace

absl::Status EnsurePartitions(const std::string& conninfo, int64_t epoch) {
  return pg::Connection(conninfo).Transact([&](pqxx::work& tx) {
    tx.exec_params("SELECT det_fence($1)", epoch);
    tx.exec("SELECT det_ensure_partitions(now())");
  });
}

absl::StatusOr<std::vector<std::string>> DropExpiredLogs(const std::string& conninfo,
                                                         int64_t epoch,
                                                         absl::Time now) {
  pg::Connection connection(conninfo);
  DET_ASSIGN_OR_RETURN(const std::vector<std::string> names, Expired(connection, now));
  std::vector<std::string> dropped;
  for (const std::string& name : names) {
    const absl::Status status = connection.Transact([&](pqxx::work& tx) {
      // Readers behind the drop would wait as long as it waits for those before it.
      tx.exec("SET LOCAL lock_timeout = '2s'");
      tx.exec_params("SELECT det_fence($1)", epoch);
      tx.exec(StrCat("DROP TABLE IF EXISTS ", tx.quote_name(name)));
      tx.exec_params("DELETE FROM log_partitions WHERE name = $1", name);
    });
    if (absl::IsAborted(status)) return status;
    if (status.ok()) dropped.push_back(name);
  }
  return dropped;
}

}  // namespace det::store
