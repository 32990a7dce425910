#include <cmath>
#include <functional>

#include <gtest/gtest.h>

#include "common/base/archive.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/json/json.h"
#include "master/core/authorize.h"
#include "master/core/decide.h"
#include "master/core/invariants.h"
#include "master/core/limits.h"
#include "master/core/plan.h"
#include "master/core/verbs.h"
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
    Settle();
    return absl::OkStatus();
  }
  void Settle() {
    while (!state.dirty.empty()) {
      const Key key = *state.dirty.begin();
      state.dirty.erase(state.dirty.begin());
      Take(Advance(state, key, now));
    }
    EXPECT_EQ(BrokenInvariants(state), std::vector<std::string>());
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

constexpr char kSingle[] = R"({"entrypoint": "x", "hyperparameters": {}, "searcher":
      {"name": "single", "metric": "loss"}})";

// Every pair of both tables is answered as it says: by events, by none, or by its code.
struct VerbCase {
  ExperimentVerb verb;
  std::function<CommandBody(ExperimentId)> command;
};
const VerbCase kVerbCases[] = {
    {ExperimentVerb::kPause, [](ExperimentId id) { return CommandBody(PauseExperiment{id}); }},
    {ExperimentVerb::kActivate,
     [](ExperimentId id) { return CommandBody(ActivateExperiment{id}); }},
    {ExperimentVerb::kCancel, [](ExperimentId id) { return CommandBody(CancelExperiment{id}); }},
    {ExperimentVerb::kKill, [](ExperimentId id) { return CommandBody(KillExperiment{id}); }},
    {ExperimentVerb::kConfigure, [](ExperimentId id) {
       return CommandBody(ConfigureExperiment{id, {.priority = 7}});
     }}};

// An experiment in the state, with a run that keeps it there.
Core InState(ExperimentState state) {
  Core core;
  EXPECT_TRUE(Connect(core, Agent()).ok());
  EXPECT_TRUE(core.Submit(kSingle).ok());
  bool more = false;
  core.Take(*SchedulePool(core.state, "default", kNow, &more));
  core.state.dirty.clear();
  if (state != ExperimentState::kActive) {
    core.Take({ExperimentMoved{.id = ExperimentId(1), .to = state}});
    core.Settle();
  }
  return core;
}

TEST(Verbs, EveryPairOfALivingExperimentIsAnsweredByTheTable) {
  using enum ExperimentState;
  const Principal ann = EditorOf(kFirstWorkspace, "ann");
  for (const ExperimentState state :
       {kActive, kPaused, kStoppingCompleted, kStoppingCanceled, kStoppingKilled, kStoppingError}) {
    for (const VerbCase& c : kVerbCases) {
      Core core = InState(state);
      ASSERT_EQ(core.state.Find(ExperimentId(1))->state, state);
      const VerbRule& rule = kExperimentVerbTable(c.verb, state);
      const auto events = Decide(core.state, {ann, c.command(ExperimentId(1))}, core.now);
      const std::string name = StrCat(Name(state), " ", Name(c.verb));
      EXPECT_EQ(events.ok(), rule.answer != Answer::kRefused) << name;
      if (!events.ok()) {
        EXPECT_EQ(ErrorReason(events.status()), rule.code) << name;
      } else {
        EXPECT_EQ(events->empty(), rule.answer == Answer::kNoOp) << name;
        EXPECT_TRUE(core.Send({ann, c.command(ExperimentId(1))}).ok()) << name;
      }
      // Twice is as once, or refused as it stands.
      if (events.ok()) {
        EXPECT_TRUE(Decide(core.state, {ann, c.command(ExperimentId(1))}, core.now)->empty())
            << name;
      }
    }
  }
}

TEST(Verbs, RefusalsSayWhatIsWrongAndWhatToDo) {
  for (size_t v = 0; v < kExperimentVerbs; ++v) {
    for (size_t s = 0; s < kExperimentStates; ++s) {
      const auto verb = static_cast<ExperimentVerb>(v);
      const auto state = static_cast<ExperimentState>(s);
      if (kExperimentVerbTable(verb, state).answer != Answer::kRefused) continue;
      const absl::Status status = Refusal(verb, state, "experiment 7", "paused by ann");
      EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
      EXPECT_NE(FromAbsl(status.message()).find("experiment 7 is"), std::string_view::npos);
      EXPECT_NE(FromAbsl(status.message()).find(Name(verb)), std::string_view::npos);
    }
  }
}

TEST(Verbs, ATrialIsKilledInEveryState) {
  using enum TrialState;
  for (const TrialState state :
       {kActive, kStoppingCompleted, kStoppingCanceled, kStoppingKilled, kStoppingError}) {
    Core core = InState(ExperimentState::kActive);
    if (state != kActive) core.Take({TrialMoved{.id = TrialId(1), .to = state}});
    core.Settle();
    const Answer answer = kTrialVerbTable(TrialVerb::kKill, state).answer;
    const Command kill{EditorOf(kFirstWorkspace, "ann"), KillTrial{TrialId(1)}};
    const auto events = Decide(core.state, kill, core.now);
    ASSERT_TRUE(events.ok());
    EXPECT_EQ(events->empty(), answer == Answer::kNoOp);
    EXPECT_TRUE(core.Send(kill).ok());
    EXPECT_EQ(core.state.Find(TrialId(1))->state, kStoppingKilled);
  }
}

TEST(Settings, WhatIsOutOfRangeIsRefusedByName) {
  const std::pair<std::string, ExperimentSettings> faults[] = {
      {"nothing", {}},
      {"priority", {.priority = 0}},
      {"priority", {.priority = 100}},
      {"weight", {.weight = 0}},
      {"weight", {.weight = -1}},
      {"weight", {.weight = std::nan("")}},
      {"max_slots", {.max_slots = -1}},
      {"log_retention_days", {.log_retention_days = -2}},
      {"log_retention_days", {.log_retention_days = INT64_MAX}}};
  for (const auto& [name, settings] : faults) {
    const absl::Status status = CheckSettings(settings);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_NE(FromAbsl(status.message()).find(name), std::string_view::npos) << status;
  }
  EXPECT_TRUE(CheckSettings({.max_slots = std::optional<int64_t>()}).ok());
}

TEST(Settings, OnlyWhatDiffersIsRecorded) {
  Core core = InState(ExperimentState::kActive);
  const Principal ann = EditorOf(kFirstWorkspace, "ann");
  const ConfigureExperiment same{ExperimentId(1), {.priority = 42, .pool = "default"}};
  EXPECT_TRUE(Decide(core.state, {ann, same}, core.now)->empty());
  const ConfigureExperiment other{ExperimentId(1), {.priority = 42, .max_slots = 3}};
  const auto events = Decide(core.state, {ann, other}, core.now);
  ASSERT_EQ(events->size(), 1U);
  EXPECT_EQ(std::get<ExperimentConfigured>((*events)[0]).settings,
            (ExperimentSettings{.max_slots = 3}));
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
