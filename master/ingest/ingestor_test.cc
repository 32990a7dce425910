#include "master/ingest/ingestor.h"

#include <cmath>
#include <csignal>

#include <gtest/gtest.h>

#include "common/base/strings.h"
#include "common/pg/pg.h"
#include "common/pg/private_server.h"
#include "common/testing/tmp_dir.h"
#include "master/ingest/limits.h"
#include "master/store/migrate.h"
#include "master/testing/ingest_bench.h"

namespace det::ingest {
namespace {

class IngestorTest : public testing::Test {
 protected:
  test::TestDatabase database;
  Bench bench{database.conninfo()};
  const AcksPtr acks = NewAcks();
};

TEST_F(IngestorTest, AnAckComesOnlyAfterTheCommit) {
  // Holds up every commit: the row of the lease is locked as a takeover locks it.
  pg::Connection other(database.conninfo());
  ASSERT_TRUE(other
                  .Transact([&](pqxx::work& tx) {
                    tx.exec("SELECT epoch FROM lease FOR UPDATE");
                    bench.Ship(bench.Reports({Loss(1, 0.5)}), acks);
                    ASSERT_TRUE(Eventually([&] {
                      return database.Count(
                                 "SELECT count(*) FROM pg_stat_activity WHERE "
                                 "wait_event_type = 'Lock' AND datname = "
                                 "current_database()") > 0;
                    }));
                    EXPECT_EQ(acks->high(), 0);
                    EXPECT_TRUE(bench.MetricSteps().empty());
                  })
                  .ok());
  EXPECT_TRUE(acks->Reaches(1));
  EXPECT_EQ(bench.MetricSteps(), std::vector<int64_t>{1});
  EXPECT_EQ(bench.Validations(), 1);
}

TEST_F(IngestorTest, WhatTheCoreDoesNotHearOfDoesNotAcknowledgeWhatItDoes) {
  pg::Connection other(database.conninfo());
  ASSERT_TRUE(other
                  .Transact([&](pqxx::work& tx) {
                    // The core's events wait; metrics don't.
                    tx.exec("LOCK TABLE journal IN SHARE MODE");
                    bench.Ship(bench.Reports({Loss(1, 0.5)}), acks);
                    bench.Ship(bench.Reports({MetricsReport(
                                   2, "training", Value(Value::Object{{"loss", 0.4}}))}),
                               acks);
                    bench.Ship(bench.Reports({{.id = {.seq = 3}, .body = Progress{0.5}}}), acks);
                    ASSERT_TRUE(Eventually([&] {
                      return database.Count("SELECT coalesce(max(high_seq), 0) FROM streams") == 3;
                    }));
                    EXPECT_TRUE(Eventually([&] { return bench.ingestor().queued_bytes() == 0; }));
                    EXPECT_EQ(acks->high(), 0);
                  })
                  .ok());
  EXPECT_TRUE(acks->Reaches(3));
  EXPECT_EQ(bench.Validations(), 1);
}

TEST_F(IngestorTest, ATableThatIsAwayIsWaitedFor) {
  database.Exec("ALTER TABLE task_logs RENAME TO away");
  bench.Ship(bench.Logs({Line(1, "one")}), acks);
  ASSERT_TRUE(Eventually([&] { return bench.ingestor().totals().retries > 1; }));
  EXPECT_EQ(acks->high(), 0);
  database.Exec("ALTER TABLE away RENAME TO task_logs");
  EXPECT_TRUE(acks->Reaches(1));
  EXPECT_EQ(bench.LogTexts(), std::vector<std::string>{"one"});
}

TEST_F(IngestorTest, WhatATrialDoesNotSayOfItselfStays) {
  bench.Ship(bench.Reports({{.id = {.seq = 1}, .body = Progress{0.25}}}), acks);
  ASSERT_TRUE(acks->Reaches(1));
  bench.Ship(bench.Reports({MetricsReport(2, "training", Value(Value::Object{{"loss", 0.4}}))}),
             acks);
  ASSERT_TRUE(acks->Reaches(2));
  bench.Ship(bench.Reports({{.id = {.seq = 3}, .body = Progress{0.5}}}), acks);
  ASSERT_TRUE(acks->Reaches(3));
  EXPECT_EQ(database.Text("SELECT progress || ' ' || training::text || ' ' || training_steps "
                          "FROM trial_live"),
            "0.5 {\"loss\": 0.4} 2");
}

TEST_F(IngestorTest, WhatIsSentAgainIsStoredAndDecidedOnOnce) {
  bench.Ship(bench.Reports({Loss(1, 0.5), Loss(2, 0.4)}), acks);
  ASSERT_TRUE(acks->Reaches(2));
  const AcksPtr again = NewAcks();
  bench.Ship(bench.Reports({Loss(1, 0.5), Loss(2, 0.4), Loss(3, 0.3)}), again);
  ASSERT_TRUE(again->Reaches(3));
  EXPECT_EQ(bench.MetricSteps(), (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(bench.Validations(), 3);
  EXPECT_EQ(bench.ingestor().totals().metric_rows, 3);
  bench.Ship(bench.Logs({Line(1, "one"), Line(2, "two")}), acks);
  bench.Ship(bench.Logs({Line(2, "two"), Line(3, "three")}), acks);
  ASSERT_TRUE(acks->Reaches(3));
  EXPECT_EQ(bench.LogTexts(), (std::vector<std::string>{"one", "two", "three"}));
}

TEST_F(IngestorTest, AGapInTheReportsIsNeitherStoredNorAcknowledged) {
  bench.Ship(bench.Reports({Loss(1, 0.5), Loss(3, 0.3)}), acks);
  ASSERT_TRUE(acks->Reaches(1));
  const AcksPtr later = NewAcks();
  bench.Ship(bench.Reports({Loss(4, 0.2)}), later);
  const AcksPtr missing = NewAcks();
  bench.Ship(bench.Reports({Loss(2, 0.4), Loss(3, 0.3)}), missing);
  ASSERT_TRUE(missing->Reaches(3));
  EXPECT_EQ(acks->high(), 1);
  EXPECT_EQ(later->high(), 0);
  EXPECT_EQ(bench.MetricSteps(), (std::vector<int64_t>{1, 2, 3}));
}

TEST_F(IngestorTest, WhatWasDroppedOfALogIsSaidBesideTheNextRecord) {
  LogRecord after_gap = Line(9, "nine");
  after_gap.dropped = 7;
  bench.Ship(bench.Logs({Line(1, "one"), after_gap}), acks);
  ASSERT_TRUE(acks->Reaches(9));
  EXPECT_EQ(bench.Lines().back().dropped, 7);
}

TEST_F(IngestorTest, NumbersThatJsonHasNoNameForAreKept) {
  bench.Ship(bench.Reports({Loss(1, std::nan("")),
                            Loss(2, "Infinity"),
                            MetricsReport(3, "training", Value(Value::Object{{"a", -INFINITY}})),
                            MetricsReport(4, "my\tgroup\\", Value(Value::Object{{"b", "text"}}))}),
             acks);
  ASSERT_TRUE(acks->Reaches(4));
  const auto rows = bench.metrics().Points(bench.trial(), {.limit = 10});
  ASSERT_TRUE(rows.ok() && rows->size() == 4);
  EXPECT_EQ((*rows)[0].other, "\"text\"");
  EXPECT_EQ((*rows)[0].place.group, "my\tgroup\\");
  EXPECT_EQ((*rows)[1].value, -INFINITY);
  EXPECT_TRUE(std::isnan((*rows)[2].value));
  EXPECT_EQ((*rows)[3].value, INFINITY);
  EXPECT_EQ(bench.Validations(), 2);
}

TEST_F(IngestorTest, AnUnreadableReportIsTakenAndToldInTheTrialsLog) {
  bench.Ship(bench.Logs({Line(1, "one")}), acks);
  ASSERT_TRUE(acks->Reaches(1));
  const AcksPtr reports = NewAcks();
  bench.Ship(bench.Reports({Loss(1, 0.5),
                            {.id = {.seq = 2}, .body = Unreadable{"metrics: line 1: what?"}},
                            {.id = {.seq = 3}, .body = Unreadable{"again"}},
                            Loss(4, 0.4)}),
             reports);
  ASSERT_TRUE(reports->Reaches(4));
  bench.Ship(bench.Logs({Line(2, "two")}), acks);
  ASSERT_TRUE(acks->Reaches(2));
  EXPECT_EQ(bench.MetricSteps(), (std::vector<int64_t>{1, 4}));
  EXPECT_EQ(bench.Validations(), 2);
  EXPECT_EQ(
      bench.LogTexts(),
      (std::vector<std::string>{
          "one", "det: 2 records were not taken; the first, 2: metrics: line 1: what?", "two"}));
  EXPECT_EQ(bench.ingestor().totals().unreadable, 2);
  // Sent again, it is known.
  const AcksPtr again = NewAcks();
  bench.Ship(bench.Reports({{.id = {.seq = 2}, .body = Unreadable{"metrics: line 1: what?"}}}),
             again);
  ASSERT_TRUE(again->Reaches(2));
  EXPECT_EQ(bench.LogTexts().size(), 3U);
}

TEST_F(IngestorTest, AFollowerOfTheLogSeesEveryNote) {
  bench.Ship(bench.Logs({Line(1, "one")}), acks);
  ASSERT_TRUE(acks->Reaches(1));
  store::LogScan scan(&bench.logs(), bench.trial(), {}, store::LogScan::Direction::kForward);
  std::vector<store::LogRow> seen;
  ASSERT_TRUE(scan.Step(10, &seen).ok());
  for (int64_t seq = 1; seq <= 3; ++seq) {
    const AcksPtr reports = NewAcks();
    bench.Ship(bench.Reports({{.id = {.seq = seq}, .body = Unreadable{"no"}}}), reports);
    ASSERT_TRUE(reports->Reaches(seq));
    const auto more = scan.Refresh();
    ASSERT_TRUE(more.ok() && *more) << more.status();
    ASSERT_TRUE(scan.Step(10, &seen).ok());
  }
  EXPECT_EQ(seen.size(), 4U);
  for (int64_t note = 0; note < 4; ++note) EXPECT_EQ(seen[static_cast<size_t>(note)].note, note);
  EXPECT_FALSE(*scan.Refresh());
}

TEST_F(IngestorTest, ARecordThatTheStoreRefusesTakesNoOtherWithIt) {
  database.Exec("ALTER TABLE metrics ADD CHECK (name <> 'poison')");
  bench.Ship(bench.Reports({Loss(1, 0.5),
                            MetricsReport(2, "training", Value(Value::Object{{"poison", 1}})),
                            Loss(3, 0.3)}),
             acks);
  ASSERT_TRUE(acks->Reaches(3));
  EXPECT_EQ(bench.MetricSteps(), (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(bench.ingestor().totals().unreadable, 1);
  const std::vector<std::string> log = bench.LogTexts();
  ASSERT_EQ(log.size(), 1U);
  EXPECT_TRUE(log[0].starts_with("det: record 2 was not taken: ")) << log[0];
}

TEST_F(IngestorTest, TextsWithNulBytesAreStoredWithVisibleOnes) {
  const std::string nul("a\0b", 3);
  bench.Ship(
      bench.Reports({MetricsReport(1, nul, Value(Value::Object{{nul, nul}})),
                     MetricsReport(2, "training", Value(Value::Object{{"x", nul}, {"y", 1}}))}),
      acks);
  ASSERT_TRUE(acks->Reaches(2));
  EXPECT_EQ(database.Text("SELECT grp || name || (other #>> '{}') FROM metrics WHERE seq = 1"),
            "a\\0ba\\0ba\\0b");
  bench.Ship(bench.Logs({Line(3, nul)}), acks);
  ASSERT_TRUE(acks->Reaches(3));
  EXPECT_EQ(bench.LogTexts(), std::vector<std::string>{nul});
}

TEST_F(IngestorTest, RowsWithoutAPartitionMakeIt) {
  for (const char* parent : {"metrics", "task_logs_keep"}) {
    database.Exec(
        StrCat("DO $$ DECLARE part text; BEGIN FOR part IN SELECT inhrelid::regclass::text FROM "
               "pg_inherits WHERE inhparent = '",
               parent,
               "'::regclass LOOP EXECUTE 'DROP TABLE ' || part; END LOOP; END $$"));
  }
  bench.Ship(bench.Reports({Loss(1, 0.5)}), acks);
  ASSERT_TRUE(acks->Reaches(1));
  EXPECT_EQ(bench.MetricSteps(), std::vector<int64_t>{1});
  EXPECT_TRUE(bench.LogTexts().empty());
}

TEST_F(IngestorTest, ARunThatIsOverOrAnotherAgentsIsRefusedAndForgotten) {
  Shipment foreign = bench.Reports({Loss(1, 0.5)});
  foreign.agent = AgentId("b");
  const AcksPtr refused = NewAcks();
  bench.Ship(std::move(foreign), refused);
  EXPECT_TRUE(refused->Reaches(1));
  EXPECT_TRUE(bench.MetricSteps().empty());
  bench.engine().Must(test::Exited(kAgent, bench.run()));
  bench.Ship(bench.Reports({Loss(1, 0.5)}), acks);
  EXPECT_TRUE(acks->Reaches(1));
  EXPECT_TRUE(bench.MetricSteps().empty());
  EXPECT_EQ(bench.ingestor().totals().refused, 2);
  // Log lines may be late.
  bench.Ship(bench.Logs({Line(2, "the end")}), acks);
  EXPECT_TRUE(acks->Reaches(2));
  EXPECT_EQ(bench.LogTexts(), std::vector<std::string>{"the end"});
}

TEST_F(IngestorTest, SendersWaitWhenTheStoreIsBehindAndAreCalledOnceThereIsRoom) {
  const std::string big(60 << 10, 'x');
  int64_t seq = 0;
  pg::Connection other(database.conninfo());
  ASSERT_TRUE(other
                  .Transact([&](pqxx::work& tx) {
                    tx.exec("SELECT epoch FROM lease FOR UPDATE");
                    while (true) {
                      Shipment shipment = bench.Logs({});
                      for (int i = 0; i < 5; ++i) shipment.logs.push_back(Line(++seq, big));
                      shipment.wire_bytes = static_cast<int64_t>(5 * big.size());
                      if (!bench.ingestor().Offer(&shipment, acks)) break;
                      ASSERT_LT(seq, 100000);
                    }
                    EXPECT_LT(bench.ingestor().queued_bytes(), 2 * kTestQueueBytes);
                    EXPECT_FALSE(acks->room());
                  })
                  .ok());
  EXPECT_TRUE(Eventually([&] { return acks->room(); }));
  EXPECT_TRUE(acks->Reaches(seq - 5));
  EXPECT_TRUE(Eventually([&] { return bench.ingestor().queued_bytes() == 0; }));
}

TEST_F(IngestorTest, ATakenLeaseEndsTheWriterAndAcknowledgesNothing) {
  database.TakeLease();
  bench.Ship(bench.Reports({Loss(1, 0.5)}), acks);
  EXPECT_TRUE(Eventually([&] { return !bench.fatal().ok(); }));
  EXPECT_EQ(bench.fatal().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(acks->high(), 0);
  EXPECT_EQ(database.Count("SELECT count(*) FROM metrics"), 0);
}

TEST_F(IngestorTest, AReportThatTheCoreDidNotHearIsNotAcknowledged) {
  bench.engine().engine().Stop();
  bench.Ship(bench.Reports({Loss(1, 0.5), Loss(2, 0.4)}), acks);
  ASSERT_TRUE(Eventually([&] { return !acks->error().ok(); }));
  EXPECT_EQ(acks->error().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(acks->high(), 0);
}

TEST(IngestorKillTest, APostgresKilledInTheMiddleStoresEveryReportOnce) {
  TmpDir dir;
  auto server = pg::PrivateServer::Start({.directory = dir / "pg"});
  ASSERT_TRUE(server.ok()) << server.status();
  ASSERT_TRUE(store::Migrate((*server)->conninfo()).ok());
  Bench bench((*server)->conninfo());
  const AcksPtr acks = NewAcks();
  constexpr int64_t kReports = 200;
  for (int64_t seq = 1; seq <= kReports; ++seq) {
    if (seq % 100 == 50) {
      ASSERT_TRUE(Eventually([&] { return (*server)->pid() > 0; }));
      ASSERT_EQ(kill((*server)->pid(), SIGKILL), 0);
    }
    bench.Ship(bench.Reports({Loss(seq, 1.0 / static_cast<double>(seq))}), acks);
    if (seq % 10 == 0) {
      ASSERT_TRUE(acks->Reaches(seq));
    }
  }
  ASSERT_TRUE(acks->Reaches(kReports));
  ASSERT_TRUE(Eventually([&] { return bench.store().Trial(bench.trial()).ok(); }));
  std::vector<int64_t> expected(kReports);
  for (int64_t i = 0; i < kReports; ++i) expected[static_cast<size_t>(i)] = i + 1;
  EXPECT_EQ(bench.MetricSteps(), expected);
  EXPECT_EQ(bench.Validations(), kReports);
}

}  // namespace
}  // namespace det::ingest
