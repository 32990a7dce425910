#include "agent/core/agent_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "agent/testing/core_host.h"

namespace det::agent {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

const AllocationId kOne(1);
const AllocationId kTwo(2);

Wanted Want(AllocationId id, StopLevel level = StopLevel::kRun, std::string order = "order") {
  return {.id = id, .slots = {0}, .level = level, .reason = "why", .order = std::move(order)};
}

std::vector<std::pair<AllocationId, Phase>> Sent(CoreHost& host) {
  std::vector<std::pair<AllocationId, Phase>> all;
  for (const SendStatus& status : host.TakeSent()) all.emplace_back(status.id, status.phase);
  return all;
}

// The only allocation runs, and the master knows.
CoreHost& Running(CoreHost& host) {
  host.Connect();
  host.Desire({Want(kOne)}, 1);
  host.Settle();
  host.Acknowledge(kOne, Phase::kRunning);
  host.TakeSent();
  host.TakeLog();
  return host;
}

TEST(AgentCore, ARunFromOrderToEnd) {
  CoreHost host;
  host.Connect();
  host.Desire({Want(kOne)}, 1);
  EXPECT_THAT(host.TakeLog(), ElementsAre("Save 1", "Prepare 1", "SendStatus 1"));
  host.Step();
  EXPECT_THAT(host.TakeLog(), ElementsAre("Start 1", "SendStatus 1"));
  host.Step();
  EXPECT_THAT(host.TakeLog(), ElementsAre("Save 1", "SendStatus 1"));
  host.End(kOne, {.code = 3});
  host.Settle();
  EXPECT_THAT(host.TakeSent().back().exit.code, 3);
  host.TakeLog();
  host.Desire({}, 2);
  EXPECT_THAT(host.TakeLog(), ElementsAre("Forget 1"));
  EXPECT_TRUE(host.disk().empty());
}

TEST(AgentCore, OlderSetsAreRefused) {
  CoreHost host;
  host.Connect(2);
  host.Desire({Want(kOne)}, 5, 2);
  host.Desire({}, 4, 2);
  host.Desire({Want(kOne), Want(kTwo)}, 9, 1);
  EXPECT_EQ(host.core().held().size(), 1);
  host.Desire({Want(kOne), Want(kTwo)}, 5, 2);  // the same again, or more of it
  EXPECT_EQ(host.core().held().size(), 2);
  // A newer lease begins its generations anew.
  host.Connect(3);
  host.Desire({Want(kTwo)}, 1, 3);
  EXPECT_TRUE(host.core().held().at(kOne).dropped);
  EXPECT_EQ(host.core().epoch(), 3);
  EXPECT_EQ(host.core().generation(), 1);
}

TEST(AgentCore, AWelcomeOfAnOlderLeaseChangesNothing) {
  CoreHost host;
  host.Connect(3);
  host.Desire({Want(kOne)}, 7, 3);
  host.Disconnect();
  host.Connect(2);
  host.Desire({}, 8, 2);
  EXPECT_EQ(host.core().epoch(), 3);
  EXPECT_FALSE(host.core().held().at(kOne).dropped);
}

TEST(AgentCore, WhatTheSetNoLongerNamesIsStoppedAndForgotten) {
  CoreHost host;
  Running(host).Desire({}, 2);
  EXPECT_THAT(host.TakeLog(), ElementsAre("Save 1", "Kill 1"));
  host.Desire({}, 3);
  EXPECT_THAT(host.TakeLog(), IsEmpty());
  host.Settle();
  EXPECT_THAT(host.TakeLog(), ElementsAre("Forget 1"));
  EXPECT_THAT(Sent(host), IsEmpty());
}

TEST(AgentCore, WithoutAnOrderNothingBegins) {
  CoreHost host;
  host.Connect();
  host.Desire({Want(kOne, StopLevel::kRun, "")}, 1);
  EXPECT_TRUE(host.core().held().empty());
}

TEST(AgentCore, ToldToLeaveBeforeItBegan) {
  for (const StopLevel level : {StopLevel::kPreempt, StopLevel::kKill}) {
    CoreHost host;
    host.Connect();
    host.Desire({Want(kOne, level)}, 1);
    EXPECT_THAT(host.TakeLog(), ElementsAre("Save 1", "SendStatus 1"));
    const SendStatus status = host.TakeSent()[0];
    EXPECT_EQ(status.phase, Phase::kExited);
    EXPECT_TRUE(status.exit.on_order);
    CoreHost preparing;
    preparing.Connect();
    preparing.Desire({Want(kOne)}, 1);
    preparing.Desire({Want(kOne, level)}, 2);
    preparing.Settle();
    EXPECT_TRUE(preparing.TakeSent().back().exit.on_order);
    EXPECT_EQ(preparing.starts(kOne), 0);
  }
}

TEST(AgentCore, StatusesAreSentAgainUntilAcknowledged) {
  CoreHost host;
  host.Connect();
  host.Desire({Want(kOne)}, 1);
  host.Settle();
  host.TakeSent();
  host.Tick(kStatusResend - absl::Milliseconds(1));
  EXPECT_THAT(Sent(host), IsEmpty());
  host.Tick(absl::Milliseconds(1));
  EXPECT_THAT(Sent(host), ElementsAre(std::pair(kOne, Phase::kRunning)));
  host.Acknowledge(kOne, Phase::kStarting);  // late
  host.Tick();
  EXPECT_THAT(Sent(host), ElementsAre(std::pair(kOne, Phase::kRunning)));
  host.Acknowledge(kOne, Phase::kRunning);
  host.Tick();
  EXPECT_THAT(Sent(host), IsEmpty());
  host.Acknowledge(kTwo, Phase::kRunning);  // of nobody
}

TEST(AgentCore, AnEndIsHeldBackUntilItsReportsAreThere) {
  CoreHost host;
  Running(host).reports_hang = true;
  host.End(kOne);
  host.Settle();
  EXPECT_THAT(Sent(host), ElementsAre(std::pair(kOne, Phase::kRunning)));
  host.Tick();
  EXPECT_THAT(Sent(host), ElementsAre(std::pair(kOne, Phase::kRunning)));
  host.Acknowledge(kOne, Phase::kRunning);
  host.Tick();
  EXPECT_THAT(Sent(host), IsEmpty());
  host.core().OnDrained(kTwo, absl::UnixEpoch());
  const Actions actions = host.core().OnDrained(kOne, absl::UnixEpoch());
  ASSERT_EQ(actions.size(), 2);
  EXPECT_EQ(std::get<SendStatus>(actions[1]).phase, Phase::kExited);
  // What is late does not count as an answer to it.
  host.Acknowledge(kOne, Phase::kRunning);
  EXPECT_FALSE(host.core().OnTick(absl::InfiniteFuture()).empty());
}

TEST(AgentCore, AWelcomeBringsAFullReport) {
  CoreHost host;
  Running(host).Desire({Want(kOne, StopLevel::kRun, ""), Want(kTwo)}, 2);
  EXPECT_THAT(host.core().Hello(),
              ElementsAre(std::pair(kOne, Phase::kRunning), std::pair(kTwo, Phase::kPreparing)));
  host.Disconnect();
  host.TakeSent();
  host.Tick();
  EXPECT_THAT(Sent(host), IsEmpty());
  host.Connect();
  EXPECT_THAT(Sent(host),
              ElementsAre(std::pair(kOne, Phase::kRunning), std::pair(kTwo, Phase::kPreparing)));
}

TEST(AgentCore, WhoAsksLeavesByItselfAndWhoNeverAsksIsTerminated) {
  CoreHost host;
  Running(host).WatchPreemption(kOne);
  host.WatchPreemption(kOne);
  EXPECT_THAT(host.TakeLog(), ElementsAre("Save 1"));
  host.Desire({Want(kOne, StopLevel::kPreempt)}, 2);
  EXPECT_THAT(host.TakeLog(), ElementsAre("Save 1", "Preempt 1"));
  host.AckPreemption(kOne);
  host.End(kOne);
  host.Settle();
  EXPECT_TRUE(host.TakeSent().back().exit.on_order);

  CoreHost other;
  Running(other).Desire({Want(kOne, StopLevel::kPreempt, "")}, 2);
  EXPECT_THAT(other.TakeLog(), ElementsAre("Save 1", "Preempt 1", "Terminate 1"));
  other.Settle();
  EXPECT_TRUE(other.TakeSent().back().exit.on_order);
}

TEST(AgentCore, AnEndThatNobodyOrderedIsItsOwn) {
  CoreHost host;
  Running(host).WatchPreemption(kOne);
  host.Desire({Want(kOne, StopLevel::kPreempt, "")}, 2);
  host.End(kOne, {.code = 0});  // it was done before it knew
  host.Settle();
  EXPECT_FALSE(host.TakeSent().back().exit.on_order);

  CoreHost crashed;
  Running(crashed).WatchPreemption(kOne);
  crashed.Desire({Want(kOne, StopLevel::kPreempt, "")}, 2);
  crashed.AckPreemption(kOne);
  crashed.End(kOne, {.code = 1});
  crashed.Settle();
  EXPECT_FALSE(crashed.TakeSent().back().exit.on_order);
}

// The order reaches the host while the supervisor is on its way: nothing is there to be killed.
TEST(AgentCore, AnOrderToStopWhileItStartsIsGivenAgain) {
  for (const StopLevel level : {StopLevel::kPreempt, StopLevel::kKill}) {
    CoreHost host;
    host.Connect();
    host.Desire({Want(kOne)}, 1);
    host.Step();
    host.Desire({Want(kOne, level, "")}, 2);
    host.Settle();
    const SendStatus last = host.TakeSent().back();
    EXPECT_EQ(last.phase, Phase::kExited);
    EXPECT_TRUE(last.exit.on_order);
  }
  CoreHost dropped;
  dropped.Connect();
  dropped.Desire({Want(kOne)}, 1);
  dropped.Step();
  dropped.Desire({}, 2);
  dropped.Settle();
  EXPECT_TRUE(dropped.core().held().empty());
}

TEST(AgentCore, AStartThatFailsIsToldAtOnce) {
  CoreHost host;
  host.reports_hang = true;  // nobody will say that it is drained: nothing ran
  host.FailStarting(kOne);
  host.FailPreparing(kTwo);
  host.Connect();
  host.Desire({Want(kOne), Want(kTwo)}, 1);
  host.Settle();
  for (const AllocationId id : {kOne, kTwo}) {
    EXPECT_EQ(host.core().held().at(id).exit.kind, ExitKind::kPrepareFailed);
  }
  EXPECT_THAT(Sent(host),
              ::testing::AllOf(Contains(std::pair(kOne, Phase::kExited)),
                               Contains(std::pair(kTwo, Phase::kExited))));
}

TEST(AgentCore, WhatIsUnknownIsIgnored) {
  AgentCore core({}, {}, nullptr);
  EXPECT_THAT(core.OnPrepared(kOne, std::nullopt, absl::UnixEpoch()), IsEmpty());
  EXPECT_THAT(core.OnStarted(kOne, "", absl::UnixEpoch()), IsEmpty());
  EXPECT_THAT(core.OnExited(kOne, {}, absl::UnixEpoch()), IsEmpty());
  EXPECT_THAT(core.OnPreemptionWatched(kOne), IsEmpty());
  EXPECT_THAT(core.OnPreemptAcked(kOne), IsEmpty());
}

// Every record that may lie on the disk, with everything that the runtime may have found.
struct Left {
  Phase phase;
  StopLevel level;
  bool terminated;
  bool dropped;
  Found::State found;
};

std::vector<Left> EveryLeft() {
  std::vector<Left> all;
  for (const Phase phase : {Phase::kAccepted, Phase::kPreparing, Phase::kStarting, Phase::kRunning})
    for (const StopLevel level : {StopLevel::kRun, StopLevel::kPreempt, StopLevel::kKill})
      for (const bool terminated : {false, true})
        for (const bool dropped : {false, true})
          for (const auto state :
               {Found::State::kNothing, Found::State::kRunning, Found::State::kExited})
            if (phase >= Phase::kPreparing || state == Found::State::kNothing)
              all.push_back({phase, level, terminated, dropped, state});
  return all;
}

TEST(AgentCore, WhateverARestartFindsItGetsToTheEndOnce) {
  for (const Left& left : EveryLeft()) {
    SCOPED_TRACE(::testing::Message()
                 << "phase " << static_cast<int>(left.phase) << " level "
                 << static_cast<int>(left.level) << " terminated " << left.terminated << " dropped "
                 << left.dropped << " found " << static_cast<int>(left.found));
    CoreHost host;
    host.disk()[kOne] = {.id = kOne,
                         .order = "order",
                         .phase = left.phase,
                         .level = left.level,
                         .terminated = left.terminated,
                         .dropped = left.dropped};
    host.runtime()[kOne] = {.state = left.found};
    host.Restart();
    host.Connect();
    if (!left.dropped) host.Desire({Want(kOne, left.level, "")}, 1);
    host.Settle();
    host.End(kOne);
    host.Settle();
    EXPECT_LE(host.starts(kOne), left.found == Found::State::kNothing ? 1 : 0);
    EXPECT_NE(host.runtime()[kOne].state, Found::State::kRunning);
    const auto sent = Sent(host);
    if (left.dropped) {
      EXPECT_TRUE(host.disk().empty());
      EXPECT_THAT(sent, Not(Contains(std::pair(kOne, Phase::kExited))));
    } else {
      EXPECT_THAT(sent, Contains(std::pair(kOne, Phase::kExited)));
      EXPECT_TRUE(host.disk().at(kOne).drained);
    }
  }
}

TEST(AgentCore, AProcessWithoutATraceIsLost) {
  CoreHost host;
  host.disk()[kOne] = {.id = kOne, .order = "order", .phase = Phase::kRunning};
  host.Restart();
  EXPECT_EQ(host.core().held().at(kOne).exit.kind, ExitKind::kLost);
}

TEST(AgentCore, AnEndSurvivesARestart) {
  CoreHost host;
  Running(host).End(kOne, {.code = 9});
  host.Settle();
  host.Restart();
  host.Connect();
  const std::vector<SendStatus> sent = host.TakeSent();
  EXPECT_EQ(sent.back().phase, Phase::kExited);
  EXPECT_EQ(sent.back().exit.code, 9);
}

// A master that wants some of five allocations, each wanted only once in its life and never again
// after it was given up; an agent that is killed between any two actions.
class Chaos {
 public:
  void Do(uint32_t draw) {
    const AllocationId id(1 + (draw >> 8) % 5);
    switch (draw % 16) {
      case 0:
      case 1:
        return WantMore(id);
      case 2:
        return RaiseLevel(id);
      case 3:
        gone_.insert(id);
        return Send();
      case 4:
        host_.CrashAfter(static_cast<int>(draw >> 16) % 4);
        return;
      case 5:
        return host_.Disconnect();
      case 6:
        return Connect();
      case 7:
        return host_.Tick();
      case 8:
        return host_.End(id, {.code = static_cast<int64_t>(draw >> 20)});
      case 9:
        return host_.WatchPreemption(id);
      case 10:
        return host_.AckPreemption(id);
      case 11:
        return host_.Restart();
      default:
        host_.Step(draw >> 8);
    }
  }

  void AfterEach() {
    if (!host_.alive()) {
      host_.CrashAfter(-1);
      host_.Restart();
    }
    for (const SendStatus& status : host_.TakeSent()) {
      if (status.phase == Phase::kExited) gone_.insert(status.id);
      if (status.phase != Phase::kExited) host_.Acknowledge(status.id, status.phase);
    }
    for (int64_t id = 1; id <= 5; ++id) {
      RC_ASSERT(host_.starts(AllocationId(id)) <= 1);
    }
  }

  // All faults stop, and the master wants everything gone.
  void End() {
    host_.CrashAfter(-1);
    if (!host_.alive()) host_.Restart();
    for (int64_t id = 1; id <= 5; ++id) gone_.insert(AllocationId(id));
    Connect();
    for (int i = 0; i < 3; ++i) {
      host_.Settle();
      Send();
    }
    RC_ASSERT(host_.disk().empty());
    RC_ASSERT(host_.core().held().empty());
    for (const auto& [id, found] : host_.runtime())
      RC_ASSERT(found.state != Found::State::kRunning);
    RC_ASSERT(!::testing::Test::HasFailure());
  }

 private:
  void Connect() {
    host_.Disconnect();
    host_.Connect();
    connected_ = true;
    Send();
  }
  void WantMore(AllocationId id) {
    if (!wanted_.contains(id)) wanted_[id] = StopLevel::kRun;
    Send();
  }
  void RaiseLevel(AllocationId id) {
    const auto it = wanted_.find(id);
    if (it == wanted_.end()) return;
    if (it->second != StopLevel::kKill)
      it->second = it->second == StopLevel::kRun ? StopLevel::kPreempt : StopLevel::kKill;
    Send();
  }
  void Send() {
    if (!connected_ || !host_.alive()) return;
    std::vector<Wanted> all;
    for (const auto& [id, level] : wanted_) {
      const bool held = host_.core().held().contains(id);
      // Once it has run somewhere its order is not given again.
      if (!gone_.contains(id)) all.push_back(Want(id, level, held ? "" : "order"));
    }
    host_.Desire(std::move(all), ++generation_);
  }

  CoreHost host_;
  std::map<AllocationId, StopLevel> wanted_;
  std::set<AllocationId> gone_;
  bool connected_ = false;
  int64_t generation_ = 0;
};

TEST(AgentCore, WhateverHappensNothingIsStartedTwiceAndAllCanBeEnded) {
  EXPECT_TRUE(rc::check([] {
    const auto draws = *rc::gen::resize(
        500, rc::gen::container<std::vector<uint32_t>>(rc::gen::inRange<uint32_t>(0, 1 << 26)));
    Chaos chaos;
    for (const uint32_t draw : draws) {
      chaos.Do(draw);
      chaos.AfterEach();
    }
    chaos.End();
  }));
}

}  // namespace
}  // namespace det::agent
