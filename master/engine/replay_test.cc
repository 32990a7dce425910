#include <atomic>
#include <csignal>

#include <gtest/gtest.h>

#include "common/base/strings.h"
#include "common/pg/private_server.h"
#include "common/testing/eventually.h"
#include "common/testing/tmp_dir.h"
#include "master/engine/verify_journal.h"
#include "master/journal/memory_journal.h"
#include "master/journal/postgres_journal.h"
#include "master/store/migrate.h"
#include "master/testing/commands.h"
#include "master/testing/scenario.h"
#include "master/testing/test_database.h"
#include "master/testing/test_engine.h"

// What is in the journal is what lived: on every kind of journal.
namespace det::engine {
namespace {

using test::TestEngine;

class MemoryBackend {
 public:
  std::unique_ptr<journal::Journal> Open() {
    return std::make_unique<journal::MemoryJournal>(store_);
  }

 private:
  std::shared_ptr<journal::MemoryStore> store_ = std::make_shared<journal::MemoryStore>();
};

class PostgresBackend {
 public:
  std::unique_ptr<journal::Journal> Open() {
    return std::make_unique<journal::PostgresJournal>(database_.conninfo(), "a/1/1");
  }

 private:
  test::TestDatabase database_;
};

template <class T>
class ReplayOnEach : public testing::Test {
 protected:
  T backend;
};
using Backends = testing::Types<MemoryBackend, PostgresBackend>;
TYPED_TEST_SUITE(ReplayOnEach, Backends);

TYPED_TEST(ReplayOnEach, FromTheFirstEventItGivesTheLiveState) {
  auto journal = this->backend.Open();
  TestEngine engine(*journal);
  test::StartSearches(engine);
  ASSERT_TRUE(test::PlayRound(engine));
  const TestEngine::Mark midway = engine.State();
  engine.Stop();
  EXPECT_EQ(test::Replayed(*this->backend.Open()), midway);
}

TYPED_TEST(ReplayOnEach, SnapshotsAndTheTailGiveTheLiveStateToo) {
  auto journal = this->backend.Open();
  TestEngine engine(*journal, {.snapshot_lag_events = 20});
  test::StartSearches(engine);
  test::PlayToEnd(engine);
  engine.Must(test::Submit());
  const TestEngine::Mark live = engine.State();
  engine.Stop();
  auto reader = this->backend.Open();
  const auto recovered = Recover(*reader, {.snapshot_lag_events = 20});
  ASSERT_TRUE(recovered.ok()) << recovered.status();
  EXPECT_TRUE(recovered->from_snapshots);
  EXPECT_LT(recovered->events_read, live.seq);
  EXPECT_EQ((TestEngine::Mark{recovered->state.seq, core::CompleteHash(recovered->state)}), live);
  EXPECT_EQ(test::Replayed(*reader), live);
}

// Its experiments are larger than that, its trials are not.
TYPED_TEST(ReplayOnEach, WhatIsTooLargeToBeSavedIsReadFromTheJournal) {
  const RecoverOptions small{.snapshot_lag_events = 20, .snapshot_part_bytes_max = 700};
  for (int term = 0; term < 3; ++term) {
    auto journal = this->backend.Open();
    TestEngine engine(*journal, small);
    if (term == 0) test::StartSearches(engine);
    test::PlayRound(engine);
    const TestEngine::Mark live = engine.State();
    engine.Stop();
    auto reader = this->backend.Open();
    const auto loaded = reader->Load();
    for (const journal::SnapshotPart& part : loaded->snapshots) {
      EXPECT_LE(part.bytes->size(), 700U) << part.key;
    }
    const auto recovered = Recover(*reader, small);
    ASSERT_TRUE(recovered.ok()) << recovered.status();
    EXPECT_TRUE(recovered->from_snapshots);
    EXPECT_EQ((TestEngine::Mark{recovered->state.seq, core::CompleteHash(recovered->state)}), live);
  }
}

TYPED_TEST(ReplayOnEach, TheNextTermGoesOnWhereTheLastOneEnded) {
  for (int term = 0; term < 4; ++term) {
    auto journal = this->backend.Open();
    TestEngine engine(*journal, {.snapshot_lag_events = 20});
    if (term == 0) test::StartSearches(engine);
    test::PlayRound(engine);
    engine.Stop();
  }
  auto reader = this->backend.Open();
  const auto report = VerifyJournal(*reader);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->broken, "");
  EXPECT_GT(report->events, 50);
  EXPECT_GT(report->commits, 10);
}

TYPED_TEST(ReplayOnEach, AStateThatWasNotTheRecordedOneIsFound) {
  auto journal = this->backend.Open();
  TestEngine engine(*journal);
  engine.Must(test::Submit());
  engine.Stop();
  auto writer = this->backend.Open();
  ASSERT_TRUE(writer->Acquire().ok());
  const int64_t next = writer->Load()->last_seq + 1;
  journal::Batch batch{.first_seq = next, .state_hash = 4711};
  batch.events.push_back({absl::Now(), core::TaskDequeued{TaskId(1)}});
  ASSERT_TRUE(writer->Append(batch).ok());
  const auto report = VerifyJournal(*writer);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->broken, StrCat("after event ", next, " the state is not the recorded one"));
  EXPECT_EQ(Recover(*writer, {}).status().code(), absl::StatusCode::kDataLoss);
}

TEST(ReplayTest, ATakenLeaseEndsTheEngineBeforeItWritesMore) {
  test::TestDatabase database;
  journal::PostgresJournal journal(database.conninfo(), "a/1/1");
  TestEngine engine(journal);
  engine.Must(test::Submit());
  database.TakeLease();
  EXPECT_EQ(engine.Run(test::Submit()).status().code(), absl::StatusCode::kUnavailable);
  ASSERT_TRUE(Eventually([&] { return engine.fatal().has_value(); }));
  EXPECT_EQ(engine.fatal()->code(), absl::StatusCode::kAborted);
  EXPECT_EQ(database.Count("SELECT count(*) FROM experiments"), 1);
}

TEST(ReplayTest, ProjectionsFollowTheJournal) {
  test::TestDatabase database;
  journal::PostgresJournal journal(database.conninfo(), "a/1/1");
  TestEngine engine(journal);
  test::StartSearches(engine);
  test::PlayToEnd(engine);
  EXPECT_EQ(database.Text("SELECT string_agg(state, ',' ORDER BY id) FROM experiments"),
            "COMPLETED,COMPLETED,PAUSED");
  EXPECT_EQ(database.Count("SELECT count(*) FROM trials WHERE experiment_id = 1"), 5);
  EXPECT_EQ(database.Count("SELECT count(*) FROM trials WHERE experiment_id = 2"), 8);
  EXPECT_EQ(database.Count("SELECT count(*) FROM allocations WHERE ended_at IS NULL"), 0);
  EXPECT_EQ(database.Count("SELECT count(*) FROM checkpoints"),
            database.Count("SELECT count(*) FROM allocations"));
  EXPECT_EQ(database.Count("SELECT count(*) FROM trials t WHERE restarts <> (SELECT count(*) FROM "
                           "allocations a WHERE a.trial_id = t.id AND a.exit_code <> 0)"),
            0);
  EXPECT_EQ(database.Count("SELECT count(*) FROM transitions WHERE code = '' AND kind IN "
                           "('experiment', 'trial')"),
            0);
}

TEST(ReplayTest, TextsThatPostgresCannotHoldDoNotEndTheMaster) {
  test::TestDatabase database;
  journal::PostgresJournal journal(database.conninfo(), "a/1/1");
  TestEngine engine(journal);
  const AgentId agent("a");
  core::Command connect = test::Connect(agent, 1);
  std::get<core::ConnectAgent>(connect.body).address = std::string("a\0b", 3);
  engine.Must(std::move(connect));
  engine.Must(test::Submit(R"({"searcher":{"name":"adaptive_asha","max_trials":1,
                              "time_metric":"batches","max_time":4}})"));
  const AllocationId run = engine.OnlyAllocation();
  core::ReportCheckpoint checkpoint{.agent = agent, .report = {run, 0, 1}, .uuid = "c"};
  checkpoint.files = Value(Value::Object{{std::string("\0", 1), 1}});
  checkpoint.metadata = Value(Value::Object{{"note", std::string("\\u0000 and \0 \\", 14)}});
  engine.Must(test::AsAgent(agent, std::move(checkpoint)));
  // A reason that is cut amid a character of several bytes.
  core::Command validated = test::Validated(agent, {run, 0, 2}, 1.0);
  Value odd(Value::Object{});
  for (int i = 0; i < 100; ++i) {
    std::string name = std::to_string(i);
    for (int j = 0; j < 20; ++j) name += "\xe2\x82\xac";
    odd[name] = 1;
  }
  std::get<core::ReportValidation>(validated.body).metrics = odd;
  engine.Must(std::move(validated));
  EXPECT_FALSE(engine.fatal().has_value());
  EXPECT_EQ(database.Text("SELECT files::text FROM checkpoints"), "{\"\\\\0\": 1}");
  EXPECT_EQ(database.Text("SELECT metadata->>'note' FROM checkpoints"), "\\u0000 and \\0 \\");
  EXPECT_EQ(database.Text("SELECT address FROM agents"), "a\\0b");
  EXPECT_EQ(database.Text("SELECT reason_code FROM experiments"), "METRIC_MISSING");
  const TestEngine::Mark live = engine.State();
  engine.Stop();
  EXPECT_EQ(test::Replayed(journal), live);
}

TEST(ReplayTest, APostgresThatIsKilledAgainAndAgainLosesNothingThatWasAnswered) {
  TmpDir dir;
  auto server = pg::PrivateServer::Start({.directory = dir / "pg"});
  ASSERT_TRUE(server.ok()) << server.status();
  ASSERT_TRUE(store::Migrate((*server)->conninfo()).ok());
  journal::PostgresJournal journal((*server)->conninfo(), "a/1/1");
  TestEngine engine(journal);
  // A commit may get through before its backend notices: then the kill hit nothing.
  constexpr int64_t kKillsMin = 3;
  constexpr int64_t kKillsMax = 100;
  for (int64_t i = 1; i <= kKillsMin || (engine.probe().retries == 0 && i <= kKillsMax); ++i) {
    ASSERT_TRUE(Eventually([&] { return (*server)->pid() > 0; }));
    ASSERT_EQ(kill((*server)->pid(), SIGKILL), 0);
    const core::Events events = engine.Must(test::Submit());
    EXPECT_EQ(std::get<core::ExperimentCreated>(events.front()).id, ExperimentId(i));
  }
  const TestEngine::Mark live = engine.State();
  engine.Stop();
  EXPECT_GT(engine.probe().retries, 0);
  EXPECT_EQ(test::Replayed(journal), live);
  EXPECT_EQ(VerifyJournal(journal)->broken, "");
}

}  // namespace
}  // namespace det::engine
