#include <map>
#include <memory>
#include <utility>

#include <gtest/gtest.h>

#include "common/base/status.h"
#include "common/pg/private_server.h"
#include "common/testing/eventually.h"
#include "common/testing/tmp_dir.h"
#include "master/core/state_hash.h"
#include "master/journal/faulty_journal.h"
#include "master/journal/memory_journal.h"
#include "master/journal/postgres_journal.h"
#include "master/store/migrate.h"
#include "master/testing/test_database.h"

// One suite for every implementation of Journal.
namespace det::journal {
namespace {

// A store that outlives its journals.
class Backend {
 public:
  virtual ~Backend() = default;
  // A writer of its own: another master.
  virtual std::unique_ptr<Journal> Open(const std::string& holder) = 0;
  virtual void ExpireLease() = 0;
};

class MemoryBackend : public Backend {
 public:
  std::unique_ptr<Journal> Open(const std::string& /*holder*/) override {
    return std::make_unique<MemoryJournal>(store_);
  }
  void ExpireLease() override {}

 private:
  std::shared_ptr<MemoryStore> store_ = std::make_shared<MemoryStore>();
};

// One that fails as it is told, and not before.
class FaultyBackend : public MemoryBackend {
 public:
  std::unique_ptr<Journal> Open(const std::string& holder) override {
    return std::make_unique<FaultyJournal>(
        MemoryBackend::Open(holder), [this] { return std::exchange(next_, StoreFault::kNone); });
  }
  void Plan(StoreFault fault) { next_ = fault; }

 private:
  StoreFault next_ = StoreFault::kNone;
};

class PostgresBackend : public Backend {
 public:
  std::unique_ptr<Journal> Open(const std::string& holder) override {
    return std::make_unique<PostgresJournal>(database_.conninfo(), holder);
  }
  void ExpireLease() override {
    database_.Exec("UPDATE lease SET expires_at = now() - interval '1 second'");
  }

 private:
  test::TestDatabase database_;
};

template <class T>
class JournalConformance : public testing::Test {
 protected:
  T backend;
};

Batch MakeBatch(int64_t first, int64_t count) {
  Batch batch{.first_seq = first, .state_hash = static_cast<uint64_t>(first * 1000 + count)};
  for (int64_t i = 0; i < count; ++i) {
    const int64_t n = first + i;
    batch.events.push_back({absl::FromUnixSeconds(n), core::TaskQueued{TaskId(n)}});
  }
  return batch;
}

std::vector<int64_t> ReadAll(Journal& journal, int64_t from) {
  std::vector<int64_t> seqs;
  const absl::Status status = journal.Read(from, [&](const Recorded& recorded) {
    EXPECT_EQ(std::get<core::TaskQueued>(recorded.event.body).id.value(), recorded.seq);
    EXPECT_EQ(recorded.event.at, absl::FromUnixSeconds(recorded.seq));
    seqs.push_back(recorded.seq);
    return absl::OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
  return seqs;
}

using Backends = testing::Types<MemoryBackend, FaultyBackend, PostgresBackend>;
TYPED_TEST_SUITE(JournalConformance, Backends);

TYPED_TEST(JournalConformance, GivesBackWhatWasAppended) {
  auto journal = this->backend.Open("a");
  ASSERT_TRUE(journal->Acquire().ok());
  const auto empty = journal->Load();
  ASSERT_TRUE(empty.ok()) << empty.status();
  EXPECT_EQ(empty->last_seq, 0);
  EXPECT_EQ(empty->floor, 1);
  ASSERT_TRUE(journal->Append(MakeBatch(1, 3)).ok());
  ASSERT_TRUE(journal->Append(MakeBatch(4, 130)).ok());
  const auto loaded = journal->Load();
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded->last_seq, 133);
  EXPECT_EQ(loaded->state_hash, 4130U);
  EXPECT_EQ(loaded->hash_format, core::kHashFormat);
  EXPECT_EQ(ReadAll(*journal, 1).size(), 133U);
  std::map<int64_t, uint64_t> commits;
  EXPECT_TRUE(journal
                  ->Read(1,
                         [&](const Recorded& recorded) {
                           if (recorded.hash_format != 0)
                             commits[recorded.seq] = recorded.state_hash;
                           return absl::OkStatus();
                         })
                  .ok());
  EXPECT_EQ(commits, (std::map<int64_t, uint64_t>{{3, 1003}, {133, 4130}}));
  EXPECT_EQ(ReadAll(*journal, 132), (std::vector<int64_t>{132, 133}));
}

TYPED_TEST(JournalConformance, KnowsWhetherABatchIsThere) {
  auto journal = this->backend.Open("a");
  ASSERT_TRUE(journal->Acquire().ok());
  const Batch batch = MakeBatch(1, 2);
  EXPECT_FALSE(*journal->IsDurable(batch));
  ASSERT_TRUE(journal->Append(batch).ok());
  EXPECT_TRUE(*journal->IsDurable(batch));
  EXPECT_EQ(journal->IsDurable(MakeBatch(1, 1)).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(journal->IsDurable(MakeBatch(4, 1)).status().code(), absl::StatusCode::kDataLoss);
}

TYPED_TEST(JournalConformance, RefusesAnEventTwice) {
  auto journal = this->backend.Open("a");
  ASSERT_TRUE(journal->Acquire().ok());
  ASSERT_TRUE(journal->Append(MakeBatch(1, 2)).ok());
  EXPECT_FALSE(journal->Append(MakeBatch(2, 2)).ok());
  EXPECT_EQ(ReadAll(*journal, 1).size(), 2U);
}

TYPED_TEST(JournalConformance, AnOlderEpochWritesNothing) {
  auto first = this->backend.Open("a");
  auto second = this->backend.Open("b");
  const auto epoch = first->Acquire();
  ASSERT_TRUE(epoch.ok());
  ASSERT_TRUE(first->Append(MakeBatch(1, 1)).ok());
  this->backend.ExpireLease();
  const auto next = second->Acquire();
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_GT(*next, *epoch);
  const Batch batch = MakeBatch(2, 1);
  EXPECT_EQ(first->Append(batch).code(), absl::StatusCode::kAborted);
  EXPECT_EQ(first->IsDurable(batch).status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(first->Renew().code(), absl::StatusCode::kAborted);
  EXPECT_TRUE(second->Renew().ok());
  EXPECT_TRUE(second->Append(batch).ok());
}

TYPED_TEST(JournalConformance, KeepsRowsAndSnapshots) {
  auto journal = this->backend.Open("a");
  ASSERT_TRUE(journal->Acquire().ok());
  Batch batch = MakeBatch(1, 2);
  batch.snapshots = {{"trial/1", 2, std::string("\0\xff'\"\\{}", 7)}, {"trial/2", 2, "x"}};
  batch.snapshot_floor = 2;
  ASSERT_TRUE(journal->Append(batch).ok());
  batch = MakeBatch(3, 1);
  batch.snapshots = {{"trial/2", 3, std::nullopt}};
  ASSERT_TRUE(journal->Append(batch).ok());
  const auto loaded = journal->Load();
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded->floor, 2);
  ASSERT_EQ(loaded->snapshots.size(), 1U);
  EXPECT_EQ(loaded->snapshots[0].key, "trial/1");
  EXPECT_EQ(loaded->snapshots[0].seq, 2);
  EXPECT_EQ(*loaded->snapshots[0].bytes, std::string("\0\xff'\"\\{}", 7));
}

// A writer that resolves each doubt as the interface says writes each batch once.
TEST(FaultyJournalTest, EveryFaultLeavesTheBatchWholeOrAbsent) {
  struct Case {
    StoreFault fault;
    absl::StatusCode answer;
    bool durable;
  };
  constexpr Case kCases[] = {
      {StoreFault::kFail, absl::StatusCode::kUnavailable, false},
      {StoreFault::kTimeout, absl::StatusCode::kUnknown, false},
      {StoreFault::kExecuteAndTimeout, absl::StatusCode::kUnknown, true},
      {StoreFault::kExecuteLate, absl::StatusCode::kUnknown, false},
  };
  FaultyBackend backend;
  auto journal = backend.Open("a");
  ASSERT_TRUE(journal->Acquire().ok());
  int64_t next = 1;
  for (const Case& one : kCases) {
    const Batch batch = MakeBatch(next, 3);
    backend.Plan(one.fault);
    EXPECT_EQ(journal->Append(batch).code(), one.answer);
    EXPECT_EQ(*journal->IsDurable(batch), one.durable);
    while (!*journal->IsDurable(batch)) {
      // What was late takes its numbers first, which is one more doubt.
      const absl::Status again = journal->Append(batch);
      EXPECT_TRUE(again.ok() || absl::IsUnknown(again)) << again;
    }
    next += 3;
    EXPECT_EQ(ReadAll(*journal, 1).size(), static_cast<size_t>(next - 1));
  }
}

TEST(PostgresJournal, ALiveHolderIsWaitedForAndADeadOneIsNot) {
  PostgresBackend backend;
  const auto me = PostgresJournal::ThisProcess();
  ASSERT_TRUE(me.ok());
  auto first = backend.Open("elsewhere/1/1");
  ASSERT_TRUE(first->Acquire().ok());
  auto second = backend.Open(*me);
  EXPECT_EQ(second->Acquire().status().code(), absl::StatusCode::kUnavailable);
  backend.ExpireLease();
  ASSERT_TRUE(second->Acquire().ok());
  // A process of this boot that does not exist.
  const std::string gone = me->substr(0, me->find('/')) + "/4194304/1";
  auto dead = backend.Open(gone + me->substr(me->rfind('/')));
  backend.ExpireLease();
  ASSERT_TRUE(dead->Acquire().ok());
  auto third = backend.Open("elsewhere/1/2");
  EXPECT_TRUE(third->Acquire().ok());
  // Numbers of another namespace, or of one that is not known, say nothing here.
  for (const std::string& name : {gone + "/1", gone}) {
    backend.ExpireLease();
    auto contained = backend.Open(name);
    ASSERT_TRUE(contained->Acquire().ok());
    EXPECT_EQ(third->Acquire().status().code(), absl::StatusCode::kUnavailable) << name;
  }
}

TEST(PostgresJournal, ACommitThatIsTooLargeIsRefusedForGoodAndNamesItsSize) {
  PostgresBackend backend;
  auto journal = backend.Open("a/1/1");
  ASSERT_TRUE(journal->Acquire().ok());
  Batch batch = MakeBatch(1, 2);
  batch.snapshots = {{"trial/1", 2, std::string(kCommitBytesMax / 2, 'x')}};
  const absl::Status refused = journal->Append(batch);
  EXPECT_EQ(refused.code(), absl::StatusCode::kOutOfRange) << refused;
  EXPECT_NE(refused.message().find(std::to_string(kCommitBytesMax)), std::string::npos);
  EXPECT_FALSE(*journal->IsDurable(batch));
  batch.snapshots[0].bytes->resize(1 << 20);
  EXPECT_TRUE(journal->Append(batch).ok());
}

TEST(PostgresJournal, ABrokenConnectionSaysWhatTheServerSaid) {
  test::TestDatabase database;
  PostgresJournal journal(database.conninfo(), "a/1/1");
  ASSERT_TRUE(journal.Acquire().ok());
  database.Exec(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
      "WHERE datname = current_database() AND pid <> pg_backend_pid()");
  const absl::Status broken = journal.Append(MakeBatch(1, 1));
  EXPECT_EQ(broken.code(), absl::StatusCode::kUnknown) << broken;
  // Which of both depends on what reached us first.
  const std::string message(broken.message());
  EXPECT_TRUE(message.find("terminating connection") != std::string::npos ||
              message.find("server closed the connection") != std::string::npos)
      << broken;
}

TEST(PostgresJournal, ALostServerLeavesTheBatchWholeOrAbsent) {
  TmpDir dir;
  auto server = pg::PrivateServer::Start({.directory = dir / "pg"});
  ASSERT_TRUE(server.ok()) << server.status();
  ASSERT_TRUE(store::Migrate((*server)->conninfo()).ok());
  PostgresJournal journal((*server)->conninfo(), "a/1/1");
  ASSERT_TRUE(journal.Acquire().ok());
  int64_t next = 1;
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(Eventually([&] { return (*server)->pid() > 0; }));
    kill((*server)->pid(), SIGKILL);
    const Batch batch = MakeBatch(next, 50);
    absl::Status status = journal.Append(batch);
    while (!status.ok()) {
      ASSERT_TRUE(status.code() == absl::StatusCode::kUnavailable ||
                  status.code() == absl::StatusCode::kUnknown)
          << status;
      const auto durable = journal.IsDurable(batch);
      if (!durable.ok()) {
        ASSERT_EQ(durable.status().code(), absl::StatusCode::kUnavailable) << durable.status();
        continue;
      }
      status = *durable ? absl::OkStatus() : journal.Append(batch);
    }
    next += 50;
  }
  // The last kill may show only now, and in the middle of a look.
  size_t events = 0;
  ASSERT_TRUE(Eventually([&] {
    events = 0;
    const auto count = [&events](const Recorded&) {
      ++events;
      return absl::OkStatus();
    };
    return journal.Read(1, count).ok();
  }));
  EXPECT_EQ(events, 250U);
}

}  // namespace
}  // namespace det::journal
