#include <cmath>

#include <gtest/gtest.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/testing/eventually.h"
#include "master/journal/postgres_journal.h"
#include "master/store/context_store.h"
#include "master/store/log_store.h"
#include "master/store/migrate.h"
#include "master/store/migrations.h"
#include "master/store/partitions.h"
#include "master/store/read_store.h"
#include "master/testing/commands.h"
#include "master/testing/scenario.h"
#include "master/testing/test_database.h"

namespace det::store {
namespace {

using test::TestDatabase;

TEST(MigrateTest, MakesTheSchemaAndDoesNothingTheSecondTime) {
  TestDatabase database(TestDatabase::Schema::kNone);
  ASSERT_TRUE(Migrate(database.conninfo()).ok());
  const std::string id = database.Text("SELECT id FROM cluster");
  ASSERT_TRUE(Migrate(database.conninfo()).ok());
  EXPECT_EQ(database.Text("SELECT id FROM cluster"), id);
  EXPECT_EQ(database.Count("SELECT max(version) FROM schema_migrations"), SchemaVersion());
  EXPECT_EQ(database.Count("SELECT count(*) FROM schema_migrations"), SchemaVersion());
}

TEST(MigrateTest, BringsAnOlderSchemaForwardWithItsData) {
  TestDatabase database(TestDatabase::Schema::kNone);
  const Migration& first = Migrations().front();
  database.Exec(std::string(first.sql));
  database.Exec("SELECT det_ensure_partitions(now())");
  database.Exec(
      "CREATE TABLE schema_migrations (version integer PRIMARY KEY, name text NOT NULL, "
      "applied_at timestamptz NOT NULL DEFAULT now())");
  database.Exec("INSERT INTO schema_migrations (version, name) VALUES (1, 'first')");
  database.Exec(
      "INSERT INTO task_logs (trial_id, allocation_id, rank, seq, source, partial, dropped, line, "
      "at, received_at) VALUES (1, 1, 0, 1, 1, false, 0, 'old', now(), now())");
  ASSERT_TRUE(Migrate(database.conninfo()).ok());
  EXPECT_EQ(database.Count("SELECT max(version) FROM schema_migrations"), SchemaVersion());
  const LogPart part{.allocation = AllocationId(1)};
  const TrialLog log{TrialId(1), absl::Now() - absl::Hours(2), std::nullopt, {part}};
  const auto logs = LogStore(database.conninfo()).Read(log, part, {});
  ASSERT_TRUE(logs.ok()) << logs.status();
  EXPECT_EQ(logs->at(0).line, "old");
}

TEST(MigrateTest, RefusesANewerSchemaAndLeavesItAsItIs) {
  TestDatabase database;
  database.Exec("INSERT INTO schema_migrations (version, name) VALUES (9999, 'later')");
  const absl::Status status = Migrate(database.conninfo());
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ErrorReason(status), "NEWER_SCHEMA");
  EXPECT_EQ(
      status.message(),
      ToAbsl(StrCat("the database has schema 9999, this det-master knows ", SchemaVersion())));
  EXPECT_NE(ErrorHint(status), "");
}

TEST(MigrateTest, AnOlderSchemaIsChangedOnlyByTheLeasesHolder) {
  TestDatabase database(TestDatabase::Schema::kNone);
  database.Exec(std::string(Migrations().front().sql));
  database.Exec(
      "CREATE TABLE schema_migrations (version integer PRIMARY KEY, name text NOT NULL, "
      "applied_at timestamptz NOT NULL DEFAULT now())");
  database.Exec("INSERT INTO schema_migrations (version, name) VALUES (1, 'first')");
  ASSERT_TRUE(MakeSchema(database.conninfo()).ok());
  EXPECT_EQ(database.Count("SELECT max(version) FROM schema_migrations"), 1);
  const int64_t epoch = database.TakeLease();
  EXPECT_EQ(Migrate(database.conninfo(), epoch + 1).code(), absl::StatusCode::kAborted);
  EXPECT_EQ(database.Count("SELECT max(version) FROM schema_migrations"), 1);
  EXPECT_TRUE(Migrate(database.conninfo(), epoch).ok());
  EXPECT_EQ(database.Count("SELECT max(version) FROM schema_migrations"), SchemaVersion());
}

TEST(MigrateTest, AnEmptyDatabaseGetsItsSchemaWithoutALease) {
  TestDatabase database(TestDatabase::Schema::kNone);
  ASSERT_TRUE(MakeSchema(database.conninfo()).ok());
  EXPECT_EQ(database.Count("SELECT max(version) FROM schema_migrations"), SchemaVersion());
}

TEST(MigrateTest, NumbersHaveNoGaps) {
  int expected = 0;
  for (const Migration& migration : Migrations()) EXPECT_EQ(migration.version, ++expected);
}

TEST(PartitionsTest, AreMadeForTheComingWeeksOnceAndOnlyByTheLeasesHolder) {
  TestDatabase database;
  const int64_t epoch = database.TakeLease();
  const char* count = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'metrics'::regclass";
  EXPECT_EQ(database.Count(count), 6);
  database.Exec(StrCat("DROP TABLE ",
                       database.Text("SELECT max(inhrelid::regclass::text) FROM "
                                     "pg_inherits WHERE inhparent = "
                                     "'metrics'::regclass")));
  ASSERT_TRUE(EnsurePartitions(database.conninfo(), epoch).ok());
  ASSERT_TRUE(EnsurePartitions(database.conninfo(), epoch).ok());
  EXPECT_EQ(database.Count(count), 6);
  EXPECT_EQ(EnsurePartitions(database.conninfo(), epoch - 1).code(), absl::StatusCode::kAborted);
}

// What a master left behind: experiments of two people, some ended, some not.
class ReadStoreTest : public testing::Test {
 protected:
  // A random search of `trials` whose trials validated with these losses, in order.
  ExperimentId Validate(std::vector<Value> losses, bool smaller_is_better) {
    const core::Events events = engine.Must(test::Submit(
        StrCat(R"({"searcher":{"name":"random","max_concurrent_trials":0,"max_trials":)",
               losses.size() + 1,
               R"(,"smaller_is_better":)",
               smaller_is_better ? "true" : "false",
               "}}")));
    const ExperimentId id = std::get<core::ExperimentCreated>(events.front()).id;
    const std::vector<AllocationId> runs = engine.Allocations();
    for (size_t i = 0; i < losses.size(); ++i)
      engine.Must(test::Validated(agent, {runs[i], 0, 1}, losses[i]));
    return id;
  }
  std::vector<std::string> Ranked(ExperimentId id) {
    std::vector<std::string> best;
    const auto trials = store.Trials({.experiment = id, .by_best = true});
    EXPECT_TRUE(trials.ok()) << trials.status();
    for (const TrialRow& trial : *trials)
      best.push_back(trial.best_metric.has_value() ? FormatDouble(*trial.best_metric) : "none");
    return best;
  }

  TestDatabase database;
  journal::PostgresJournal journal{database.conninfo(), "a/1/1"};
  test::TestEngine engine{journal};
  ReadStore store{database.conninfo()};
  const AgentId agent{"a"};
};

TEST_F(ReadStoreTest, WhatIsNotANumberIsATrialsBestOnlyWhileThereIsNoNumber) {
  engine.Must(test::Connect(agent, 1));
  const ExperimentId id = Validate({std::nan("")}, true);
  EXPECT_EQ(Ranked(id).front(), "NaN");
  const AllocationId run = engine.Allocations().front();
  for (const auto& [seq, loss] : {std::pair<int64_t, double>(2, 0.5), {3, 0.4}, {4, std::nan("")}})
    engine.Must(test::Validated(agent, {run, 0, seq}, loss));
  EXPECT_EQ(Ranked(id).front(), "0.4");
}

TEST_F(ReadStoreTest, TrialsAreRankedByTheirMetricWithNanAndNoneLast) {
  engine.Must(test::Connect(agent, 20));
  const std::vector<Value> losses = {0.5, std::nan(""), 0.1, "-Infinity", 2.0, "Infinity"};
  const ExperimentId smaller = Validate(losses, true);
  EXPECT_EQ(
      Ranked(smaller),
      (std::vector<std::string>{"-Infinity", "0.1", "0.5", "2.0", "Infinity", "NaN", "none"}));
  engine.Must(test::AsUser(core::KillExperiment{smaller}));
  for (const AllocationId run : engine.Allocations()) engine.Must(test::Exited(agent, run, 1));
  EXPECT_EQ(
      Ranked(Validate(losses, false)),
      (std::vector<std::string>{"Infinity", "2.0", "0.5", "0.1", "-Infinity", "NaN", "none"}));
}

TEST_F(ReadStoreTest, TrialsComeInPagesAndCanBeThoseThatHoldSlots) {
  engine.Must(test::Connect(agent, 2));
  const ExperimentId id = Validate({1.0, 2.0}, true);
  EXPECT_EQ(*store.CountTrials(id), 3);
  const auto page = store.Trials({.experiment = id, .limit = 2, .offset = 1});
  ASSERT_TRUE(page.ok() && page->size() == 2);
  EXPECT_EQ((*page)[0].id, TrialId(2));
  const auto running = store.Trials({.experiment = id, .only_running = true});
  ASSERT_TRUE(running.ok() && running->size() == 2);
  EXPECT_EQ((*running)[1].agent, "a");
  EXPECT_EQ((*running)[1].slots, std::vector<int64_t>{1});
  EXPECT_EQ((*store.Trials({.experiment = id}))[2].agent, "");
}

// The plan depends on the table's size, so the table has one.
TEST_F(ReadStoreTest, WhoRunsIsFoundWithoutReadingAllThatEverRan) {
  database.Exec(
      "INSERT INTO allocations (id, task_id, trial_id, run, agent, slots, state, level, level_text,"
      " placed_at, ended_at) SELECT n, n, n / 2 + 1, 1, 'a', '[0]', 'TERMINATED', 'RUN', '', now(),"
      " CASE WHEN n % 10000 = 0 THEN NULL ELSE now() END FROM generate_series(1, 200000) AS n");
  database.Exec(
      "INSERT INTO trials (id, experiment_id, bracket, index_in_bracket, hparams, seed, state, "
      "reason_code, reason_text, reason_actor, restarts, infrastructure_restarts, runs, "
      "latest_steps, created_at) SELECT n, n / 1000, 0, n, '{}', 1, 'ACTIVE', '', '', '', 0, 0, 1, "
      "0, now() FROM generate_series(1, 100000) AS n");
  database.Exec("ANALYZE allocations, trials");
  const char* scans = "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'allocations'";
  const char* used =
      "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'allocations_live'";
  const int64_t scans_before = database.Count(scans);
  {
    // A connection that ends tells what it read.
    ReadStore own(database.conninfo());
    const ReadStore::TrialFilter running{.experiment = ExperimentId(5), .only_running = true};
    EXPECT_EQ(own.Trials({.experiment = ExperimentId(5)})->size(), 100U);
    EXPECT_EQ(own.Trials(running)->size(), 1U);
    EXPECT_EQ(own.Trial(TrialId(5001))->agent, "a");
  }
  EXPECT_TRUE(Eventually([&] { return database.Count(used) >= 3; }));
  EXPECT_EQ(database.Count(scans), scans_before);
}

// The database counts what was read of an index when the connection that read it ends.
TEST_F(ReadStoreTest, APageOfALogReadsNoMoreThanThePage) {
  database.Exec(
      "INSERT INTO task_logs (trial_id, allocation_id, rank, seq, source, partial, dropped, line, "
      "at, received_at) SELECT 1, 1, 0, n, 1, false, 0, 'x', now(), now() "
      "FROM generate_series(1, 200000) AS n");
  database.Exec("ANALYZE task_logs");
  const char* read =
      "SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::bigint "
      "FROM pg_stat_user_tables WHERE relname LIKE 'task_logs%'";
  const int64_t before = database.Count(read);
  constexpr int64_t kPage = 1000;
  const LogPart part{.allocation = AllocationId(1), .end = {200000, 0}};
  const TrialLog log{TrialId(1), absl::Now() - absl::Hours(2), std::nullopt, {part}};
  LogPlace place;
  {
    LogStore own(database.conninfo());
    for (int page = 0; page < 5; ++page) {
      const auto rows = own.Read(log, part, {.from = place, .limit = kPage});
      ASSERT_TRUE(rows.ok() && rows->size() == kPage);
      place = {rows->back().seq, 0};
    }
    const auto tail = own.Read(log, part, {.from = kLogEnd, .backward = true, .limit = kPage});
    ASSERT_TRUE(tail.ok() && tail->size() == kPage);
    EXPECT_EQ(tail->back().seq, 199001);
    EXPECT_EQ(own.Before(log, part, absl::Now() - absl::Hours(1))->seq, 0);
    EXPECT_EQ(own.Before(log, part, absl::Now() + absl::Hours(1))->seq, 200000);
  }
  EXPECT_EQ(place.seq, 5 * kPage);
  EXPECT_TRUE(Eventually([&] { return database.Count(read) >= before + 6 * kPage; }));
  EXPECT_LT(database.Count(read), before + 10 * kPage);
}

TEST_F(ReadStoreTest, ExperimentsComeNewestFirstInPagesOfEverybodyOrOne) {
  for (const char* user : {"ann", "bob", "ann", "ann"}) {
    core::Command submit = test::Submit();
    submit.principal.name = user;
    engine.Must(std::move(submit));
  }
  const auto ids = [&](const ListQuery& query, const std::string& owner = "") {
    std::vector<int64_t> out;
    const auto page = store.ListExperiments(query, {.owner = owner});
    EXPECT_TRUE(page.ok()) << page.status();
    for (const ExperimentRow& row : page->rows) out.push_back(row.id.value());
    return out;
  };
  EXPECT_EQ(ids({}), (std::vector<int64_t>{4, 3, 2, 1}));
  EXPECT_EQ(ids({.limit = 2}), (std::vector<int64_t>{4, 3}));
  EXPECT_EQ(ids({.page = "i3", .limit = 2}), (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(ids({}, "ann"), (std::vector<int64_t>{4, 3, 1}));
  EXPECT_EQ(ids({}, "'; DROP TABLE experiments; --"), std::vector<int64_t>());
}

TEST_F(ReadStoreTest, WhatDoesNotExistIsNamed) {
  const absl::Status experiment = store.Experiment(ExperimentId(7)).status();
  EXPECT_EQ(experiment.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ErrorReason(experiment), "EXPERIMENT_NOT_FOUND");
  EXPECT_EQ(experiment.message(), "experiment 7 does not exist");
  EXPECT_EQ(ErrorReason(store.Trial(TrialId(8)).status()), "TRIAL_NOT_FOUND");
  EXPECT_EQ(ErrorReason(store.Checkpoint("x").status()), "CHECKPOINT_NOT_FOUND");
}

TEST_F(ReadStoreTest, HistoryTellsWhatBecameOfATrialAndItsRuns) {
  engine.Must(test::Connect(agent, 1));
  engine.Must(test::Submit());
  engine.Must(test::Running(agent, engine.OnlyAllocation()));
  engine.Must(test::Exited(agent, engine.OnlyAllocation(), 1));
  const auto history = store.History("trial", "1", 100);
  ASSERT_TRUE(history.ok()) << history.status();
  std::vector<std::string> states;
  for (const TransitionRow& line : *history) states.push_back(line.to_state);
  EXPECT_EQ(states,
            (std::vector<std::string>{
                "ACTIVE", "ASSIGNED", "RUNNING", "TERMINATED", "RESTARTED", "ASSIGNED"}));
  const auto last = store.History("trial", "1", 2);
  ASSERT_TRUE(last.ok() && last->size() == 2);
  EXPECT_EQ((*last)[0].to_state, "RESTARTED");
}

TEST_F(ReadStoreTest, CheckpointsOfAnExperimentComeBestFirstAndOfATrialNewestFirst) {
  test::StartSearches(engine);
  test::PlayToEnd(engine);
  const auto list = [&](const ListQuery& query, ReadStore::CheckpointScope scope) {
    const auto page = store.ListCheckpoints(query, scope);
    EXPECT_TRUE(page.ok()) << page.status();
    return page->rows;
  };
  const auto all = list({}, {.experiment = ExperimentId(1)});
  EXPECT_GE(all.size(), 5U);
  EXPECT_EQ(list({.limit = 2}, {.experiment = ExperimentId(1)}).size(), 2U);
  const auto one = store.Checkpoint(all.front().uuid);
  ASSERT_TRUE(one.ok());
  EXPECT_EQ(one->directory, StrCat("/c/", one->uuid));
  EXPECT_EQ(*store.LatestCheckpoint(one->trial), list({}, {.trial = one->trial}).front().uuid);
}

TEST_F(ReadStoreTest, ATrialsCheckpointIsReplacedByTheSameTrialAlone) {
  engine.Must(test::Connect(agent, 2));
  engine.Must(test::Submit());
  engine.Must(test::Submit());
  const std::vector<AllocationId> runs = engine.Allocations();
  ASSERT_EQ(runs.size(), 2U);
  const auto report = [&](const AllocationId run, int64_t seq, int64_t steps) {
    engine.Must(test::AsAgent(agent,
                              core::ReportCheckpoint{.agent = agent,
                                                     .report = {run, 0, seq},
                                                     .uuid = "step-1",
                                                     .steps_completed = steps,
                                                     .files = Value(Value::Object{}),
                                                     .metadata = Value(Value::Object{})}));
  };
  report(runs[0], 1, 1);
  EXPECT_EQ(store.Checkpoint("step-1")->trial, TrialId(1));
  report(runs[1], 1, 2);
  const absl::Status ambiguous = store.Checkpoint("step-1").status();
  EXPECT_EQ(ErrorReason(ambiguous), "AMBIGUOUS_CHECKPOINT");
  EXPECT_EQ(ambiguous.message(), "the trials 1, 2 each have a checkpoint step-1");
  EXPECT_EQ(ErrorHint(ambiguous), "name one as TRIAL/UUID: 1/step-1");
  // What somebody may not see is in nobody's way.
  EXPECT_EQ(ErrorReason(store.Checkpoint("step-1", Visible(std::vector<WorkspaceId>())).status()),
            "CHECKPOINT_NOT_FOUND");
  EXPECT_EQ(store.Checkpoint("1/step-1")->steps_completed, 1);
  EXPECT_EQ(store.Checkpoint("2/step-1")->steps_completed, 2);
  report(runs[0], 2, 5);
  EXPECT_EQ(store.Checkpoint("1/step-1")->steps_completed, 5);
  EXPECT_EQ(store.Checkpoint("2/step-1")->experiment, ExperimentId(2));
  for (const char* name : {"3/step-1", "x/step-1", "/step-1", "1/", "99999999999999999999/step-1"})
    EXPECT_EQ(ErrorReason(store.Checkpoint(name).status()), "CHECKPOINT_NOT_FOUND") << name;
}

std::string Sha256Hex(const std::string& name) {
  return name == "abc" ? "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
                       : "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
}

class ContextStoreTest : public testing::Test {
 protected:
  TestDatabase database;
  ContextStore contexts{database.conninfo(), database.TakeLease(), 600 << 10};
  const std::string abc = Sha256Hex("abc");
};

TEST_F(ContextStoreTest, GivesBackWhatWasUploaded) {
  EXPECT_FALSE(*contexts.Has(abc));
  auto upload = contexts.Begin(abc);
  ASSERT_TRUE(upload.ok());
  for (const char* part : {"a", "", "bc"}) ASSERT_TRUE((*upload)->Append(part).ok());
  EXPECT_FALSE(*contexts.Has(abc));
  EXPECT_EQ(*(*upload)->Finish(), 3);
  EXPECT_TRUE(*contexts.Has(abc));
  EXPECT_EQ(**contexts.Chunk(abc, 0), "abc");
  EXPECT_FALSE(contexts.Chunk(abc, 1)->has_value());
  EXPECT_EQ(contexts.Chunk(Sha256Hex(""), 0).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ContextStoreTest, AnEmptyDirectoryIsAContextToo) {
  auto upload = contexts.Begin(Sha256Hex(""));
  ASSERT_TRUE(upload.ok());
  EXPECT_EQ(*(*upload)->Finish(), 0);
  EXPECT_EQ(**contexts.Chunk(Sha256Hex(""), 0), "");
}

TEST_F(ContextStoreTest, BytesThatDoNotHashToTheirNameLeaveNothing) {
  {
    auto upload = contexts.Begin(abc);
    ASSERT_TRUE((*upload)->Append(std::string(300 << 10, 'x')).ok());
    const absl::Status status = (*upload)->Finish().status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(ErrorReason(status), "WRONG_SHA256");
  }
  EXPECT_FALSE(*contexts.Has(abc));
  EXPECT_EQ(database.Count("SELECT count(*) FROM context_chunks"), 0);
}

TEST_F(ContextStoreTest, AnUploadBeyondTheBoundIsRefused) {
  auto upload = contexts.Begin(abc);
  const std::string half(400 << 10, 'x');
  ASSERT_TRUE((*upload)->Append(half).ok());
  const absl::Status status = (*upload)->Append(half);
  EXPECT_EQ(ErrorReason(status), "CONTEXT_TOO_LARGE");
  EXPECT_NE(ErrorHint(status), "");
}

TEST_F(ContextStoreTest, TwoUploadsOfTheSameBytesAreOne) {
  auto first = contexts.Begin(abc);
  auto second = contexts.Begin(abc);
  ASSERT_TRUE((*first)->Append("abc").ok());
  ASSERT_TRUE((*second)->Append("abc").ok());
  EXPECT_TRUE((*first)->Finish().ok());
  EXPECT_TRUE((*second)->Finish().ok());
  first->reset();
  second->reset();
  EXPECT_EQ(database.Count("SELECT count(*) FROM context_chunks"), 1);
  EXPECT_EQ(**contexts.Chunk(abc, 0), "abc");
}

TEST_F(ContextStoreTest, UploadsThatAreUnderWayTakeNoConnections) {
  std::vector<std::unique_ptr<ContextStore::Upload>> uploads;
  const std::string chunk(static_cast<size_t>(kContextChunkBytes), 'x');
  for (int i = 0; i < 40; ++i) {
    uploads.push_back(*contexts.Begin(abc));
    ASSERT_TRUE(uploads.back()->Append(chunk).ok());
  }
  EXPECT_LE(database.Count("SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                           "AND datname = current_database()"),
            8);
  auto whole = contexts.Begin(abc);
  ASSERT_TRUE((*whole)->Append("abc").ok());
  EXPECT_EQ(*(*whole)->Finish(), 3);
}

TEST_F(ContextStoreTest, WhatABrokenUploadLeftGoesAtTheNextStart) {
  database.Exec("INSERT INTO context_chunks (sha256, number, data) VALUES ('upload:1', 0, 'x')");
  ASSERT_TRUE(contexts.RemoveBrokenUploads().ok());
  EXPECT_EQ(database.Count("SELECT count(*) FROM context_chunks"), 0);
}

TEST_F(ContextStoreTest, ANameThatIsNoHashIsRefused) {
  for (const char* name : {"", "abc", "../../etc/passwd", "upload:1"}) {
    EXPECT_EQ(ErrorReason(contexts.Has(name).status()), "INVALID_SHA256");
    EXPECT_EQ(ErrorReason(contexts.Begin(name).status()), "INVALID_SHA256");
  }
}

TEST_F(ContextStoreTest, OnlyTheLeasesHolderWrites) {
  auto upload = contexts.Begin(abc);
  ASSERT_TRUE((*upload)->Append("abc").ok());
  database.TakeLease();
  EXPECT_EQ((*upload)->Finish().status().code(), absl::StatusCode::kAborted);
}

}  // namespace
}  // namespace det::store
