#include "master/engine/engine.h"

#include <atomic>
#include <csignal>
#include <future>
#include <thread>

#include <gtest/gtest.h>

#include "common/base/status.h"
#include "common/testing/eventually.h"
#include "master/core/invariants.h"
#include "master/core/limits.h"
#include "master/journal/faulty_journal.h"
#include "master/journal/memory_journal.h"
#include "master/testing/commands.h"
#include "master/testing/scenario.h"
#include "master/testing/test_engine.h"

namespace det::engine {
namespace {

using journal::StoreFault;
using test::TestEngine;

// A journal in memory whose commits wait until they are let through, or fail as they are told.
class GatedJournal : public journal::MemoryJournal {
 public:
  GatedJournal() : MemoryJournal(std::make_shared<journal::MemoryStore>()) {}

  absl::Status Append(const journal::Batch& batch) override {
    ++appends_;
    MutexLock lock(mutex_);
    ++waiting_;
    while (closed_) changed_.Wait(mutex_);
    --waiting_;
    if (!failure_.ok()) return failure_;
    return MemoryJournal::Append(batch);
  }

  void Close() {
    MutexLock lock(mutex_);
    closed_ = true;
  }
  void Open(absl::Status failure = absl::OkStatus()) {
    MutexLock lock(mutex_);
    closed_ = false;
    failure_ = std::move(failure);
    changed_.NotifyAll();
  }
  bool Holds() {
    MutexLock lock(mutex_);
    return waiting_ > 0;
  }
  absl::Status Renew() override {
    ++renewals_;
    return MemoryJournal::Renew();
  }
  int appends() const { return appends_; }
  int renewals() const { return renewals_; }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  int waiting_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  std::atomic<int> appends_{0};
  std::atomic<int> renewals_{0};
};

// The outcome of a command, once it is there.
class Outcome {
 public:
  Engine::Reply Reply() {
    return [this](const absl::StatusOr<core::Events>& result) {
      MutexLock lock(mutex_);
      ++replies_;
      status_ = result.status();
    };
  }
  bool IsThere() { return replies() > 0; }
  int replies() {
    MutexLock lock(mutex_);
    return replies_;
  }
  absl::Status status() {
    MutexLock lock(mutex_);
    return status_;
  }

 private:
  Mutex mutex_;
  int replies_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

// Blocks the core thread for as long as it lives.
class BusyCore {
 public:
  explicit BusyCore(Engine& engine) {
    EXPECT_TRUE(engine
                    .Read([this](const core::State&) {
                      begun_.set_value();
                      end_.get_future().wait();
                      return [] {};
                    })
                    .ok());
    begun_.get_future().wait();
  }
  ~BusyCore() { end_.set_value(); }

 private:
  std::promise<void> begun_;
  std::promise<void> end_;
};

TEST(EngineTest, AReplyNeverLeavesBeforeItsEventsAreDurable) {
  GatedJournal journal;
  TestEngine engine(journal);
  engine.Must(test::Connect(AgentId("a"), 1));
  journal.Close();
  Outcome submitted;
  engine.engine().Post(test::Submit(), submitted.Reply());
  ASSERT_TRUE(Eventually([&] { return journal.Holds(); }));
  std::atomic<bool> read = false;
  ASSERT_TRUE(engine.engine()
                  .Read([&](const core::State& state) {
                    EXPECT_EQ(state.experiments.size(), 1U);
                    return [&] { read = true; };
                  })
                  .ok());
  // Behind both on the core thread: when it has run, so have they.
  ASSERT_TRUE(Eventually([&] { return engine.engine().queued() == 0; }));
  EXPECT_FALSE(submitted.IsThere());
  EXPECT_FALSE(read);
  journal.Open();
  EXPECT_TRUE(Eventually([&] { return submitted.IsThere() && read; }));
  EXPECT_TRUE(submitted.status().ok());
}

TEST(EngineTest, CommandsThatWaitForACommitShareTheNext) {
  GatedJournal journal;
  TestEngine engine(journal);
  engine.Must(test::Connect(AgentId("a"), 1));
  journal.Close();
  std::vector<Outcome> outcomes(100);
  engine.engine().Post(test::Submit(), outcomes[0].Reply());
  ASSERT_TRUE(Eventually([&] { return journal.Holds(); }));
  const int before = journal.appends();
  for (size_t i = 1; i < outcomes.size(); ++i)
    engine.engine().Post(test::Submit(), outcomes[i].Reply());
  ASSERT_TRUE(Eventually([&] { return engine.engine().queued() == 0; }));
  journal.Open();
  for (Outcome& outcome : outcomes)
    ASSERT_TRUE(Eventually([&] { return outcome.IsThere() && outcome.status().ok(); }));
  // Five events each: about a fifth of the commands would fit in one.
  EXPECT_LT(journal.appends() - before, 20);
}

TEST(EngineTest, AStepIsNeverSplitOverCommits) {
  GatedJournal journal;
  TestEngine engine(journal);
  engine.Must(
      test::Submit(R"({"searcher":{"name":"random","max_trials":200,"max_concurrent_trials":0}})"));
  EXPECT_GT(engine.probe().largest_commit, kEventsPerCommitMax);
}

TEST(EngineTest, AFullQueueTellsItsCallersToComeBack) {
  GatedJournal journal;
  TestEngine engine(journal);
  Outcome refused;
  {
    BusyCore busy(engine.engine());
    for (int64_t i = engine.engine().queued(); i < kCommandsQueuedMax; ++i)
      ASSERT_TRUE(engine.engine().Follow([] {}).ok());
    EXPECT_EQ(ErrorReason(engine.engine().Follow([] {})), "MASTER_BUSY");
    EXPECT_EQ(ErrorReason(engine.engine().Read([](const core::State&) { return [] {}; })),
              "MASTER_BUSY");
    engine.engine().Post(test::Submit(), refused.Reply());
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(ErrorReason(refused.status()), "MASTER_BUSY");
  }
  ASSERT_TRUE(Eventually([&] { return engine.engine().queued() == 0; }));
  engine.Must(test::Submit());
}

TEST(EngineTest, TheEndOfAnAgentsConnectionIsHeardHoweverFullTheQueueIs) {
  GatedJournal journal;
  TestEngine engine(journal);
  const AgentId agent("a");
  const core::Events events = engine.Must(test::Connect(agent, 1));
  const int64_t session = std::get<core::AgentConnected>(events.front()).session;
  Outcome gone;
  {
    BusyCore busy(engine.engine());
    while (engine.engine().Follow([] {}).ok()) {
    }
    engine.engine().Heartbeat(agent, session, 0);  // made good by the next
    engine.engine().Post(test::AsAgent(agent, core::DisconnectAgent{agent, session}), gone.Reply());
    EXPECT_FALSE(gone.IsThere());
  }
  EXPECT_TRUE(Eventually([&] { return gone.IsThere(); }));
  EXPECT_TRUE(gone.status().ok()) << gone.status();
  bool connected = true;
  engine.Read([&](const core::State& state) { connected = state.Find(agent)->connected; });
  EXPECT_FALSE(connected);
}

TEST(EngineTest, ReadsBeyondABoundAreRefusedWhileTheStoreIsAway) {
  GatedJournal journal;
  TestEngine engine(journal);
  engine.Must(test::Submit());
  journal.Close();
  Outcome submitted;
  engine.engine().Post(test::Submit(), submitted.Reply());
  ASSERT_TRUE(Eventually([&] { return journal.Holds(); }));
  std::atomic<int64_t> told = 0;
  const auto read = [&] {
    return engine.engine().Read([&](const core::State&) { return [&] { ++told; }; });
  };
  for (int64_t i = 0; i < kReadsHeldMax; ++i) ASSERT_TRUE(read().ok());
  EXPECT_EQ(ErrorReason(read()), "STORE_BEHIND");
  EXPECT_EQ(read().code(), absl::StatusCode::kResourceExhausted);
  // What was dropped at the door leaves no trace in the count.
  journal.Open();
  EXPECT_TRUE(Eventually([&] { return told == kReadsHeldMax; }));
  EXPECT_TRUE(read().ok());
}

TEST(EngineTest, ARefusedCommandChangesNothing) {
  GatedJournal journal;
  TestEngine engine(journal);
  engine.Must(test::Submit());
  const TestEngine::Mark before = engine.State();
  const core::Principal bob{core::Role::kUser, "bob"};
  EXPECT_EQ(engine.Run({bob, core::KillExperiment{ExperimentId(1)}}).status().code(),
            absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(engine.State(), before);
}

TEST(EngineTest, AJournalThatContradictsUsEndsTheEngineAndAnswersEverybody) {
  GatedJournal journal;
  TestEngine engine(journal);
  engine.Must(test::Submit());
  const TestEngine::Mark durable = engine.State();
  journal.Close();
  Outcome lost;
  engine.engine().Post(test::Submit(), lost.Reply());
  ASSERT_TRUE(Eventually([&] { return journal.Holds(); }));
  Outcome behind;
  engine.engine().Post(test::Submit(), behind.Reply());
  journal.Open(absl::DataLossError("another wrote here"));
  // Before the engine goes: whoever ends the process may wait for its callers first.
  EXPECT_TRUE(Eventually([&] { return lost.IsThere() && behind.IsThere(); }));
  EXPECT_EQ(lost.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(behind.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(Eventually([&] { return engine.fatal().has_value(); }));
  EXPECT_EQ(engine.fatal()->code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(engine.Run(test::Submit()).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(engine.Read([](const core::State&) {}));
  engine.Stop();
  EXPECT_EQ(lost.replies(), 1);
  journal.Open();
  EXPECT_EQ(test::Replayed(journal), durable);
  // The next term goes on from what is durable, exactly.
  TestEngine next(journal);
  const core::Events events = next.Must(test::Submit());
  EXPECT_EQ(std::get<core::ExperimentCreated>(events.front()).id, ExperimentId(2));
}

TEST(EngineTest, ACommitThatTheStoreBreaksOffEachTimeEndsTheEngineInsteadOfGoingOnForEver) {
  GatedJournal journal;
  TestEngine engine(journal);
  engine.Must(test::Submit());
  journal.Open(absl::UnknownError("it is too much"));
  Outcome lost;
  engine.engine().Post(test::Submit(), lost.Reply());
  ASSERT_TRUE(Eventually([&] {
    // A pause ends early when its time has come and something wakes it.
    engine.AdvanceSteady(absl::Seconds(10));
    engine.engine().Follow([] {}).IgnoreError();
    return engine.fatal().has_value();
  }));
  EXPECT_EQ(ErrorReason(*engine.fatal()), "COMMIT_REFUSED");
  EXPECT_NE(engine.fatal()->message().find("it is too much"), std::string::npos);
  EXPECT_EQ(lost.status().code(), absl::StatusCode::kUnavailable);
}

TEST(EngineTest, LargeCommandsShareNoCommit) {
  GatedJournal journal;
  TestEngine engine(journal);
  engine.Must(test::Connect(AgentId("a"), 1));
  journal.Close();
  std::vector<Outcome> outcomes(20);
  engine.engine().Post(test::Submit(), outcomes[0].Reply());
  ASSERT_TRUE(Eventually([&] { return journal.Holds(); }));
  const int before = journal.appends();
  for (size_t i = 1; i < outcomes.size(); ++i) {
    core::Command large = test::Submit();
    std::get<core::CreateExperiment>(large.body).config_text.assign(4 << 20, '#');
    engine.engine().Post(std::move(large), outcomes[i].Reply());
  }
  journal.Open();
  for (Outcome& outcome : outcomes)
    ASSERT_TRUE(Eventually([&] { return outcome.IsThere() && outcome.status().ok(); }));
  // Two a turn, and no more than four a commit.
  EXPECT_GE(journal.appends() - before, 5);
}

TEST(EngineTest, AnEngineThatEndsAnswersWhatTheStoreDoesNotTake) {
  GatedJournal journal;
  TestEngine engine(journal);
  engine.Must(test::Submit());
  journal.Open(absl::UnavailableError("the store is down"));
  Outcome waiting;
  engine.engine().Post(test::Submit(), waiting.Reply());
  ASSERT_TRUE(Eventually([&] { return engine.probe().retries > 0; }));
  EXPECT_FALSE(waiting.IsThere());
  engine.engine().Stop();
  EXPECT_EQ(waiting.status().code(), absl::StatusCode::kUnavailable);
  Outcome late;
  engine.engine().Post(test::Submit(), late.Reply());
  EXPECT_EQ(ErrorReason(late.status()), "MASTER_STOPPING");
}

TEST(EngineTest, AFailedOrLostAnswerOfTheStoreLosesAndDoublesNothing) {
  const auto store = std::make_shared<journal::MemoryStore>();
  std::atomic<int> call = 0;
  std::atomic<bool> begun = false;
  journal::FaultyJournal journal(std::make_unique<journal::MemoryJournal>(store), [&] {
    if (!begun) return StoreFault::kNone;
    switch (++call % 7) {
      case 1:
        return StoreFault::kFail;
      case 2:
        return StoreFault::kExecuteAndTimeout;
      case 3:
        return StoreFault::kTimeout;
      case 4:
        return StoreFault::kExecuteLate;
      default:
        return StoreFault::kNone;
    }
  });
  TestEngine engine(journal);
  begun = true;
  for (int64_t i = 1; i <= 20; ++i) {
    const core::Events events = engine.Must(test::Submit());
    EXPECT_EQ(std::get<core::ExperimentCreated>(events.front()).id, ExperimentId(i));
  }
  const TestEngine::Mark live = engine.State();
  EXPECT_FALSE(engine.fatal().has_value());
  EXPECT_GT(engine.probe().retries, 0);
  engine.Stop();
  journal::MemoryJournal reader(store);
  EXPECT_EQ(test::Replayed(reader), live);
}

TEST(EngineTest, ADeadlineIsActedOnWhenItsTimeHasCome) {
  GatedJournal journal;
  TestEngine engine(journal);
  const AgentId agent("a");
  const core::Events events = engine.Must(test::Connect(agent, 1));
  const int64_t session = std::get<core::AgentConnected>(events.front()).session;
  engine.Must(test::AsAgent(agent, core::DisconnectAgent{agent, session}));
  const auto lost = [&] {
    bool is = false;
    engine.Read([&](const core::State& state) { is = state.Find(agent)->lost; });
    return is;
  };
  engine.clock().Advance(core::kAgentLostAfter - absl::Seconds(30));
  EXPECT_FALSE(lost());
  engine.clock().Advance(absl::Seconds(31));
  EXPECT_TRUE(Eventually(lost));
}

TEST(EngineTest, TimeNeverRunsBackwardsInTheJournal) {
  GatedJournal journal;
  TestEngine engine(journal);
  for (int i = 0; i < 3; ++i) {
    engine.Must(test::Submit());
    engine.clock().Advance(-absl::Hours(1));
  }
  engine.Stop();
  absl::Time last = absl::InfinitePast();
  EXPECT_TRUE(journal
                  .Read(1,
                        [&](const journal::Recorded& recorded) {
                          EXPECT_GE(recorded.event.at, last);
                          last = recorded.event.at;
                          return absl::OkStatus();
                        })
                  .ok());
}

TEST(EngineTest, ATimeOfDayThatIsSetBackDelaysNeitherTheLeaseNorAnotherTry) {
  GatedJournal journal;
  TestEngine engine(journal);
  engine.clock().Advance(-absl::Hours(1));
  const int before = journal.renewals();
  EXPECT_TRUE(Eventually([&] { return journal.renewals() >= before + 2; }));
  journal.Open(absl::UnavailableError("away"));
  Outcome outcome;
  engine.engine().Post(test::Submit(), outcome.Reply());
  ASSERT_TRUE(Eventually([&] { return engine.probe().retries >= 1; }));
  engine.clock().Advance(-absl::Hours(1));
  const int64_t retries = engine.probe().retries;
  EXPECT_TRUE(Eventually([&] { return engine.probe().retries >= retries + 2; }));
  journal.Open();
  EXPECT_TRUE(Eventually([&] { return outcome.IsThere(); }));
}

// The desired sets that one agent was sent.
class Orders {
 public:
  AgentReconciler::Send Send() {
    return [this](const core::DesiredSet& set) {
      MutexLock lock(mutex_);
      sets_.push_back(set);
    };
  }
  size_t count() {
    MutexLock lock(mutex_);
    return sets_.size();
  }
  core::DesiredSet last() {
    MutexLock lock(mutex_);
    return sets_.back();
  }

 private:
  Mutex mutex_;
  std::vector<core::DesiredSet> sets_ ABSL_GUARDED_BY(mutex_);
};

TEST(EngineTest, AnAgentIsSentAnOrderOnlyWhenItIsDurableAndAgainWhenItMissedOne) {
  GatedJournal journal;
  TestEngine engine(journal);
  const AgentId agent("a");
  Orders orders;
  Outcome connected;
  engine.engine().Connect(test::Connect(agent, 1), orders.Send(), connected.Reply());
  ASSERT_TRUE(Eventually([&] { return connected.IsThere() && orders.count() == 1; }));
  EXPECT_TRUE(orders.last().allocations.empty());
  int64_t session = 0;
  engine.Read([&](const core::State& state) { session = state.Find(agent)->session; });
  journal.Close();
  Outcome submitted;
  engine.engine().Post(test::Submit(), submitted.Reply());
  ASSERT_TRUE(Eventually([&] { return journal.Holds() && engine.engine().queued() == 0; }));
  EXPECT_EQ(orders.count(), 1U);
  journal.Open();
  ASSERT_TRUE(Eventually([&] { return orders.count() == 2; }));
  EXPECT_EQ(orders.last().allocations.size(), 1U);
  const int64_t generation = orders.last().generation;
  engine.engine().Heartbeat(agent, session, generation);
  engine.engine().Heartbeat(agent, session, generation - 1);
  engine.engine().Heartbeat(agent, session + 1, generation - 1);  // of no session there is
  engine.State();
  EXPECT_EQ(orders.count(), 3U);
  EXPECT_EQ(orders.last().generation, generation);
}

TEST(EngineTest, ThreadsBesideEachOtherGetEachTheirOwnAnswerOnce) {
  const auto store = std::make_shared<journal::MemoryStore>();
  journal::MemoryJournal journal(store);
  TestEngine engine(journal, {.snapshot_lag_events = 50});
  constexpr int kThreads = 4;
  constexpr int kCommands = 60;
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  std::vector<Orders> orders(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      const AgentId agent("agent-" + std::to_string(t));
      const std::string user = "user-" + std::to_string(t);
      Outcome connected;
      engine.engine().Connect(
          test::Connect(agent, 2), orders[static_cast<size_t>(t)].Send(), connected.Reply());
      for (int i = 0; i < kCommands; ++i) {
        core::Command submit = test::Submit();
        submit.principal.name = user;
        const core::Events events = engine.Must(std::move(submit));
        if (std::get<core::ExperimentCreated>(events.front()).owner != user) ++wrong;
        engine.engine().Heartbeat(agent, 1, 0);
        engine.Read([](const core::State& state) {
          EXPECT_EQ(core::BrokenInvariants(state), std::vector<std::string>());
        });
      }
      if (!Eventually([&] { return connected.replies() == 1; })) ++wrong;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  test::PlayRound(engine);
  const TestEngine::Mark live = engine.State();
  engine.Stop();
  journal::MemoryJournal reader(store);
  EXPECT_EQ(test::Replayed(reader), live);
}

}  // namespace
}  // namespace det::engine
