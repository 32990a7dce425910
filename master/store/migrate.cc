#include "master/store/migrate.h"

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/pg/pg.h"
#include "master/store/migrations.h"

namespace det::store {
namespace {

// Any number, the same in every version: "det" in letters.
constexpr int64_t kLockKey = 0x646574;

int CurrentVersion(pqxx::work& tx) {
  tx.exec(
      "CREATE TABLE IF NOT EXISTS schema_migrations ("
      "version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT "
      "now())");
  return tx.exec1("SELECT coalesce(max(version), 0) FROM schema_migrations")[0].as<int>();
}

}  // namespace

int SchemaVersion() {
  return Migrations().back().version;
}

absl::Status Migrate(const std::string& conninfo) {
  pg::Connection connection(conninfo);
  DET_RETURN_IF_ERROR(connection.Run([](pqxx::connection& c) {
    pqxx::nontransaction(c).exec_params("SELECT pg_advisory_lock($1)", kLockKey);
  }));
  int version = 0;
  DET_RETURN_IF_ERROR(connection.Transact([&](pqxx::work& tx) { version = CurrentVersion(tx); }));
  if (version > SchemaVersion()) {
    return Error(
        absl::StatusCode::kFailedPrecondition,
        "NEWER_SCHEMA",
        StrCat("the database has schema ", version, ", this det-master knows ", SchemaVersion()),
        "start the newer det-master that made it, or use another database");
  }
  for (const Migration& migration : Migrations()) {
    if (migration.version <= version) continue;
    const absl::Status status = connection.Transact([&](pqxx::work& tx) {
      tx.exec(std::string(migration.sql));
      tx.exec_params("INSERT INTO schema_migrations (version, name) VALUES ($1, $2)",
                     migration.version,
                     std::string(migration.name));
    });
    if (!status.ok()) return Annotate(status, StrCat("migration ", migration.name));
  }
  return connection.Run([](pqxx::connection& c) {
    pqxx::nontransaction tx(c);
    tx.exec("SELECT det_ensure_partitions(now())");
    tx.exec_params("SELECT pg_advisory_unlock($1)", kLockKey);
  });
}

}  // namespace det::store
