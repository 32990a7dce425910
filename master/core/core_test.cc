#include <functional>

#include <gtest/gtest.h>

#include "common/base/archive.h"
#include "common/base/strings.h"
#include "common/json/json.h"
#include "master/core/authorize.h"
#include "master/core/decide.h"
#include "master/core/invariants.h"
#include "master/core/limits.h"
#include "master/core/plan.h"
#include "master/spec/limits.h"
#include "master/spec/parse.h"

namespace det::core {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'000'000'000);

std::shared_ptr<const spec::ExperimentSpec> Spec(const std::string& json) {
  Problems problems;
  auto spec = std::make_shared<const spec::ExperimentSpec>(spec::ParseExperiment(
      *ParseJson(json), {.name = "test", .seed = 1, .checkpoint_host_path = "/c"}, &problems));
  EXPECT_FALSE(HasErrors(problems));
  return spec;
}

// What the engine does with a command.
struct Core {
  State state;
  absl::Time now = kNow;

  absl::Status Send(const Command& command) {
    const absl::StatusOr<Events> events = Decide(state, command, now);
    if (!events.ok()) return events.status();
    Take(*events);
    while (!state.dirty.empty()) {
      const Key key = *state.dirty.begin();
      state.dirty.erase(state.dirty.begin());
      Take(Advance(state, key, now));
    }
    EXPECT_EQ(BrokenInvariants(state), std::vector<std::string>());
    return absl::OkStatus();
  }
  void Take(const Events& events) {
    for (const EventBody& body : events) Apply(state, {now, body});
  }
  absl::Status Submit(const std::string& json) {
    return Send({EditorOf(kFirstWorkspace, "ann"), CreateExperiment{.spec = Spec(json)}});
  }
  absl::Status Kill(int64_t id) {
    return Send({{Role::kAdmin, "admin"}, KillExperiment{ExperimentId(id)}});
  }
};

TEST(Core, AMillionTrialsAreASmallStep) {
  Core core;
  ASSERT_TRUE(core.Submit(R"({"entrypoint": "x", "hyperparameters": {}, "searcher":
      {"name": "random", "metric": "loss", "max_trials": 1000000, "max_concurrent_trials": 0}})")
                  .ok());
  EXPECT_EQ(core.state.trials.size(), static_cast<size_t>(spec::kOpenTrialsMax));
  EXPECT_LT(core.state.seq, 10 * spec::kOpenTrialsMax);
  ASSERT_TRUE(core.Kill(1).ok());
  EXPECT_TRUE(core.state.experiments.empty());
  EXPECT_LT(core.state.seq, 20 * spec::kOpenTrialsMax);
}

TEST(Core, AStepBeyondTheBoundIsRefused) {
  EXPECT_TRUE(CheckSize(kEventsPerDecisionMax).ok());
  const absl::Status status = CheckSize(kEventsPerDecisionMax + 1);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(FromAbsl(status.message()).find("100001 events"), std::string_view::npos);
}

TEST(Core, AnExperimentOfEnormousPointsIsRefused) {
  Core core;
  const absl::Status status =
      core.Submit(StrCat(R"({"entrypoint": "x", "searcher": {"name": "single", "metric": "loss"},
                 "hyperparameters": {"x": ")",
                         std::string(static_cast<size_t>(spec::kPointBytesMax), 'x'),
                         R"("}})"));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(core.state.experiments.empty());
}

ConnectAgent Agent() {
  return {.id = AgentId("a"), .pool = "default", .instance = "i", .slots = {{0, "cpu", ""}}};
}

absl::Status Connect(Core& core, const ConnectAgent& agent) {
  return core.Send({{Role::kAgent, agent.id.value()}, agent});
}

// What an agent says of itself is judged before anything is made of it.
TEST(Core, AgentsThatSayNonsenseAreRefused) {
  Core core;
  ASSERT_TRUE(Connect(core, Agent()).ok());
  ASSERT_TRUE(core.Submit(R"({"entrypoint": "x", "hyperparameters": {}, "searcher":
      {"name": "single", "metric": "loss"}})")
                  .ok());
  bool more = false;
  core.Take(*SchedulePool(core.state, "default", kNow, &more));
  core.state.dirty.clear();
  const std::string endless(static_cast<size_t>(kAgentTextBytesMax) + 1, 'x');
  const std::function<void(ConnectAgent&)> faults[] = {
      [](ConnectAgent& a) {
        a.held = {{AllocationId(1), AllocationState::kRunning},
                  {AllocationId(1), AllocationState::kRunning}};
      },
      [&](ConnectAgent& a) { a.instance = endless; },
      [&](ConnectAgent& a) { a.boot_id = endless; },
      [&](ConnectAgent& a) { a.version = endless; },
      [&](ConnectAgent& a) { a.address = endless; },
      [&](ConnectAgent& a) { a.pool = endless; },
      [&](ConnectAgent& a) { a.slots[0].kind = endless; },
      [&](ConnectAgent& a) { a.slots[0].name = endless; },
      [](ConnectAgent& a) { a.slots.push_back(a.slots[0]); },
      [](ConnectAgent& a) { a.slots.resize(static_cast<size_t>(kSlotsPerAgentMax) + 1); },
      [](ConnectAgent& a) { a.held.resize(static_cast<size_t>(kHeldMax) + 1); }};
  for (const auto& fault : faults) {
    ConnectAgent agent = Agent();
    fault(agent);
    EXPECT_EQ(Connect(core, agent).code(), absl::StatusCode::kInvalidArgument);
  }
  ConnectAgent agent = Agent();
  agent.held = {{AllocationId(1), AllocationState::kRunning}};
  EXPECT_TRUE(Connect(core, agent).ok());
  EXPECT_EQ(core.state.FindByAllocation(AllocationId(1))->allocation->state,
            AllocationState::kRunning);
}

TEST(Core, APlanSaysWhatWouldStartAndWhyTheRestWaits) {
  Core core;
  ASSERT_TRUE(Connect(core, Agent()).ok());
  const auto plan = [&](std::string_view slots, std::string_view pool) {
    return PlanExperiment(core.state,
                          *Spec(StrCat(R"({"entrypoint": "x", "hyperparameters": {}, "searcher":
      {"name": "random", "metric": "loss", "max_trials": 3}, "resources": {"slots_per_trial": )",
                                       slots,
                                       R"(, "resource_pool": ")",
                                       pool,
                                       "\"}}")),
                          "ann",
                          kNow);
  };
  const auto fits = plan("1", "default");
  ASSERT_TRUE(fits.ok());
  EXPECT_EQ(fits->at_once, 3);
  EXPECT_EQ(fits->starts, (std::map<AgentId, int64_t>{{AgentId("a"), 1}}));
  EXPECT_NE(fits->waits.find("needs 1 slot"), std::string::npos);
  EXPECT_FALSE(fits->impossible);
  const auto large = plan("2", "default");
  ASSERT_TRUE(large.ok());
  EXPECT_TRUE(large->impossible);
  EXPECT_NE(large->waits.find("its largest agent has 1"), std::string::npos);
  EXPECT_EQ(plan("1", "nowhere").status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(core.state.experiments.empty());
}

// Also what has not come to an end: saved forms keep the infinities.
TEST(Core, ATaskSurvivesItsArchive) {
  Task task{.id = TaskId(1), .delay = Delay{.faults = 2, .reason = {"C", "t", "master", kNow}}};
  task.request.avoid = AgentId("a");
  task.allocation = Allocation{.id = AllocationId(1), .agent = AgentId("a")};
  Task copy;
  ASSERT_TRUE(DecodeArchive(EncodeArchive(task), &copy));
  EXPECT_FALSE(copy.Waits());
  EXPECT_EQ(copy.allocation->kill_at, absl::InfiniteFuture());
  EXPECT_EQ(copy.request.avoid, AgentId("a"));
}

}  // namespace
}  // namespace det::core
