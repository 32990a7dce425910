#include "master/testing/test_database.h"

#include <atomic>

#include <gtest/gtest.h>

#include "common/base/check.h"
#include "common/base/strings.h"
#include "common/pg/pg.h"
#include "common/testing/tmp_dir.h"
#include "master/store/migrate.h"

namespace det::test {
namespace {

constexpr char kTemplate[] = "det_template";

void Must(const absl::Status& status) {
  DET_CHECK(status.ok(), status.ToString());
}

void ExecOn(const std::string& conninfo, const std::string& sql) {
  Must(pg::Connection(conninfo).Run(
      [&](pqxx::connection& c) { pqxx::nontransaction(c).exec(sql); }));
}

pg::PrivateServer& Server() {
  static TmpDir dir;
  static const std::unique_ptr<pg::PrivateServer> server = [] {
    auto started = pg::PrivateServer::Start({.directory = dir / "pg", .durable = false});
    Must(started.status());
    return *std::move(started);
  }();
  return *server;
}

std::string ConninfoOf(const std::string& database) {
  return StrCat(Server().conninfo(), " dbname=", database);
}

// Migrated once: copies of it cost a tenth of a migration.
void MakeTemplate() {
  static const bool made = [] {
    ExecOn(Server().conninfo(), StrCat("CREATE DATABASE ", kTemplate));
    Must(store::Migrate(ConninfoOf(kTemplate)));
    return true;
  }();
  static_cast<void>(made);
}

}  // namespace

TestDatabase::TestDatabase(Schema schema) {
  static std::atomic<int> number{0};
  const std::string name = StrCat("test", ++number);
  std::string sql = StrCat("CREATE DATABASE ", name);
  if (schema == Schema::kCurrent) {
    MakeTemplate();
    StrAppend(sql, " TEMPLATE ", kTemplate);
  }
  ExecOn(Server().conninfo(), sql);
  conninfo_ = ConninfoOf(name);
}

void TestDatabase::Exec(const std::string& sql) const {
  ExecOn(conninfo_, sql);
}

std::string TestDatabase::Text(const std::string& sql) const {
  std::string text;
  Must(pg::Connection(conninfo_).Transact([&](pqxx::work& tx) {
    const pqxx::result rows = tx.exec(sql);
    if (!rows.empty()) text = rows[0][0].as<std::string>(std::string());
  }));
  return text;
}

int64_t TestDatabase::Count(const std::string& sql) const {
  return std::stoll(Text(sql));
}

int64_t TestDatabase::TakeLease() const {
  return Count(
      "UPDATE lease SET epoch = epoch + 1, holder = 'a test', expires_at = 'infinity' "
      "RETURNING epoch");
}

}  // namespace det::test
