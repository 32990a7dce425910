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

absl::Status CheckNotNewer(int version) {
  if (version <= SchemaVersion()) return absl::OkStatus();
  return Error(
      absl::StatusCode::kFailedPrecondition,
      "NEWER_SCHEMA",
      StrCat("the database has schema ", version, ", this det-master knows ", SchemaVersion()),
      "start the newer det-master that made it, or use another database");
}

void Fence(pqxx::work& tx, int64_t epoch) {
  if (epoch != 0) tx.exec_params("SELECT det_fence($1)", epoch);
}

struct BringOptions {
  bool only_empty = false;
  int64_t epoch = 0;
};

// The lock goes with the connection.
absl::Status Bring(const std::string& conninfo, const BringOptions& options) {
  pg::Connection connection(conninfo);
  DET_RETURN_IF_ERROR(connection.Run([](pqxx::connection& c) {
    pqxx::nontransaction(c).exec_params("SELECT pg_advisory_lock($1)", kLockKey);
  }));
  int version = 0;
  DET_RETURN_IF_ERROR(connection.Transact([&](pqxx::work& tx) { version = CurrentVersion(tx); }));
  DET_RETURN_IF_ERROR(CheckNotNewer(version));
  if (options.only_empty && version != 0) return absl::OkStatus();
  for (const Migration& migration : Migrations()) {
    if (migration.version <= version) continue;
    const absl::Status status = connection.Transact([&](pqxx::work& tx) {
      Fence(tx, options.epoch);
      tx.exec(std::string(migration.sql));
      tx.exec_params("INSERT INTO schema_migrations (version, name) VALUES ($1, $2)",
                     migration.version,
                     std::string(migration.name));
    });
    if (!status.ok()) return Annotate(status, StrCat("migration ", migration.name));
  }
  return connection.Transact([&](pqxx::work& tx) {
    Fence(tx, options.epoch);
    tx.exec("SELECT det_ensure_partitions(now())");
  });
}

}  // namespace

int SchemaVersion() {
  return Migrations().back().version;
}

absl::Status MakeSchema(const std::string& conninfo) {
  return Bring(conninfo, {.only_empty = true});
}

absl::Status Migrate(const std::string& conninfo, int64_t epoch) {
  return Bring(conninfo, {.epoch = epoch});
}

}  // namespace det::store
