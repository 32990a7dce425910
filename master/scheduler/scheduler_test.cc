#include "master/scheduler/scheduler.h"

#include <functional>

#include <gtest/gtest.h>

namespace det::scheduler {
namespace {

std::set<int> Slots(int n) {
  std::set<int> slots;
  for (int i = 0; i < n; ++i) slots.insert(i);
  return slots;
}

// A view that is told of jobs as their requests come: task N belongs to job N, unless said.
class Cluster {
 public:
  explicit Cluster(Rules rules = {}) : view(std::move(rules)) {}

  void Agent(const char* name, int slots, bool schedulable = true) {
    view.SetAgent(AgentId(name), "p", Slots(slots), schedulable);
  }
  void SetJob(Job job) {
    if (job.position == 0) job.position = job.id.value();
    view.SetJob(job);
  }
  void Ask(int64_t task, int64_t slots, int64_t priority = 42, int64_t position = 0) {
    SetJob({.id = ExperimentId(task), .owner = "ann", .priority = priority, .position = position});
    Add({.task = TaskId(task), .job = ExperimentId(task), .slots = slots});
  }
  void AskOf(int64_t job, int64_t task, int64_t slots) {
    Add({.task = TaskId(task), .job = ExperimentId(job), .slots = slots});
  }
  void Add(Request request) {
    request.pool = "p";
    if (view.FindJob(request.job) == nullptr) SetJob({.id = request.job});
    view.AddRequest(request);
  }
  // Something of a job of its own holds slots.
  void Hold(int64_t task, const char* agent, std::vector<int> slots, Running running = {}) {
    running.task = TaskId(task);
    if (!running.job.value()) running.job = ExperimentId(task);
    running.pool = "p";
    running.pieces = {{AgentId(agent), std::move(slots)}};
    if (view.FindJob(running.job) == nullptr) {
      SetJob({.id = running.job, .priority = running.priority});
    }
    view.Start(running);
  }
  Plan Schedule() const {
    Plan plan = scheduler::Schedule(view, "p");
    EXPECT_TRUE(CheckPlan(view, "p", plan).ok()) << CheckPlan(view, "p", plan);
    return plan;
  }
  std::string Text() const;
  // Does what the plan says; tasks that are told to leave are marked so.
  void Carry(const Plan& plan);
  void Leave(TaskId task) {
    Running running = view.FindRunning(task)->running;
    view.Stop(task);
    running.leaving = true;
    view.Start(running);
  }

  View view;
  absl::Time now = absl::UnixEpoch();
};

std::string Text(const Plan& plan) {
  std::string text;
  for (const Placement& placement : plan.placements) {
    text += placement.task.ToString();
    for (const Piece& piece : placement.pieces) {
      text += "@" + piece.agent.value() + ":";
      for (const int slot : piece.slots) text += std::to_string(slot);
    }
    text += " ";
  }
  for (const Preemption& preemption : plan.preemptions) {
    text += "-" + preemption.task.ToString() + "for" + preemption.waiter.ToString() + " ";
  }
  return text;
}

std::string Cluster::Text() const {
  return scheduler::Text(Schedule());
}

void Cluster::Carry(const Plan& plan) {
  for (const Placement& placement : plan.placements) {
    const Request request = view.FindWaiting(placement.task)->request;
    view.RemoveRequest(placement.task);
    view.Start({.task = placement.task,
                .job = request.job,
                .pool = request.pool,
                .pieces = placement.pieces,
                .priority = placement.priority,
                .placed_at = now});
  }
  for (const Preemption& preemption : plan.preemptions) Leave(preemption.task);
}

Rules Priorities(bool preemption) {
  return {.defaults = {.policy = Policy::kPriority, .preemption = preemption}};
}
Rules Fair(bool preemption) {
  return {.defaults = {.policy = Policy::kFairShare, .preemption = preemption}};
}

TEST(Schedule, BestFit) {
  Cluster cluster;
  cluster.Agent("a", 4);
  cluster.Agent("b", 2);
  cluster.Ask(1, 2);
  cluster.Ask(2, 1);
  cluster.Ask(3, 3);
  EXPECT_EQ(cluster.Text(), "1@b:01 2@a:0 3@a:123 ");
}

TEST(Schedule, WorstFit) {
  Cluster cluster({.defaults = {.fitting = Fitting::kWorst}});
  cluster.Agent("a", 4);
  cluster.Agent("b", 3);
  for (int i = 1; i <= 4; ++i) cluster.Ask(i, 1);
  EXPECT_EQ(cluster.Text(), "1@a:0 2@a:1 3@b:0 4@a:2 ");
}

TEST(Schedule, PriorityThenPosition) {
  for (const Policy policy : {Policy::kPriority, Policy::kFifo}) {
    Cluster cluster({.defaults = {.policy = policy}});
    cluster.Agent("a", 2);
    cluster.Ask(1, 1, 50, 1);
    cluster.Ask(2, 1, 42, 9);
    cluster.Ask(3, 1, 42, 3);
    EXPECT_EQ(cluster.Text(), policy == Policy::kFifo ? "1@a:0 3@a:1 " : "3@a:0 2@a:1 ");
  }
}

TEST(Schedule, AJobMovesWithAllThatItWaitsFor) {
  Cluster cluster;
  cluster.Agent("a", 2);
  cluster.SetJob({.id = ExperimentId(1)});
  cluster.SetJob({.id = ExperimentId(2)});
  for (int i = 1; i <= 2; ++i) cluster.AskOf(1, i, 1);
  for (int i = 3; i <= 4; ++i) cluster.AskOf(2, i, 1);
  EXPECT_EQ(cluster.Text(), "1@a:0 2@a:1 ");
  cluster.SetJob({.id = ExperimentId(2), .priority = 10});
  EXPECT_EQ(cluster.Text(), "3@a:0 4@a:1 ");
}

TEST(Schedule, TheHeadIsNeverOvertakenButTheImpossibleIs) {
  Cluster cluster;
  cluster.Agent("a", 2);
  cluster.Hold(100, "a", {0});
  cluster.Ask(1, 2);
  cluster.Ask(2, 1);
  EXPECT_EQ(cluster.Text(), "");
  cluster.view.RemoveRequest(TaskId(1));
  cluster.Ask(1, 3);
  EXPECT_EQ(cluster.Text(), "2@a:1 ");
  cluster.Agent("b", 3);  // now it is possible, and first
  EXPECT_EQ(cluster.Text(), "1@b:012 2@a:1 ");
  cluster.view.RemoveAgent(AgentId("b"));
  EXPECT_EQ(cluster.Text(), "2@a:1 ");
}

TEST(Schedule, WhatIsNotReservedIsUsed) {
  Cluster cluster;
  cluster.Agent("a", 4);
  cluster.Agent("b", 4);
  cluster.Hold(100, "a", {0});
  cluster.Hold(101, "b", {0, 1});
  cluster.Ask(1, 4);  // waits for a, which lacks least
  cluster.Ask(2, 3);
  cluster.Ask(3, 1);
  cluster.Ask(4, 2);
  cluster.Ask(5, 1);
  EXPECT_EQ(cluster.Text(), "3@b:2 5@b:3 ");
  EXPECT_EQ(cluster.Schedule().reserved, TaskId(1));
  EXPECT_EQ(cluster.Schedule().reserved_agent, AgentId("a"));
}

TEST(Schedule, WhatEndsInTimeMayUseWhatIsReserved) {
  Cluster cluster;
  const absl::Time end = absl::UnixEpoch() + absl::Minutes(10);
  cluster.Agent("a", 4);
  cluster.Hold(100, "a", {0, 1, 2}, {.ends_at = end});
  cluster.Ask(1, 3);  // at minute 10; then one slot is left over
  cluster.Add({.task = TaskId(2), .job = ExperimentId(2), .runs_for = absl::Minutes(11)});
  EXPECT_EQ(cluster.Text(), "2@a:3 ") << "what is left over is anybody's";
  cluster.view.RemoveRequest(TaskId(1));
  cluster.Ask(1, 4);
  EXPECT_EQ(cluster.Text(), "") << "too long";
  cluster.Add({.task = TaskId(3), .job = ExperimentId(3), .runs_for = absl::Minutes(9)});
  EXPECT_EQ(cluster.Text(), "3@a:3 ") << "short enough";
}

TEST(Schedule, PoolsAreApart) {
  Cluster cluster;
  cluster.view.SetAgent(AgentId("a"), "q", Slots(2), true);
  cluster.Ask(1, 1);
  EXPECT_EQ(cluster.Text(), "");
  EXPECT_EQ(Text(Schedule(cluster.view, "q")), "");
  EXPECT_EQ(Text(Schedule(cluster.view, "nowhere")), "");
}

TEST(Schedule, TasksWithoutSlotsSpread) {
  Cluster cluster;
  cluster.Agent("a", 1);
  cluster.Agent("b", 0);
  for (int i = 1; i <= 3; ++i) cluster.Ask(i, 0);
  EXPECT_EQ(cluster.Text(), "1@a: 2@b: 3@a: ");
}

TEST(Schedule, TasksWithoutSlotsGoWhereFewestRunUpToAMost) {
  Cluster cluster({.defaults = {.aux_per_agent_max = 3}});
  for (const char* agent : {"a", "b", "c"}) cluster.Agent(agent, 1);
  cluster.Hold(100, "a", {});
  cluster.Hold(101, "b", {});
  cluster.Hold(102, "b", {});
  cluster.Hold(103, "c", {0});
  cluster.Ask(50, 1);
  cluster.Ask(51, 2);  // does not matter to those without slots
  for (int i = 1; i <= 7; ++i) cluster.Ask(i, 0);
  EXPECT_EQ(cluster.Text(), "1@c: 2@a: 3@c: 4@a: 5@b: 6@c: 50@a:0 ");
  cluster.view.Stop(TaskId(101));
  cluster.view.Stop(TaskId(102));
  cluster.view.RemoveRequest(TaskId(1));
  EXPECT_EQ(cluster.Text(), "2@b: 3@c: 4@a: 5@b: 6@c: 7@a: 50@a:0 ");
}

void Avoiding(Cluster& cluster, int64_t task, int64_t slots, const char* agent) {
  cluster.Add(
      {.task = TaskId(task), .job = ExperimentId(task), .slots = slots, .avoid = AgentId(agent)});
}

TEST(Schedule, AnAvoidedAgentIsTakenOnlyWhereNoOtherCould) {
  Cluster cluster;
  cluster.Agent("a", 1);
  cluster.Agent("b", 2);
  Avoiding(cluster, 1, 1, "a");
  EXPECT_EQ(cluster.Text(), "1@b:0 ");
  cluster.view.RemoveRequest(TaskId(1));
  Avoiding(cluster, 1, 2, "b");  // a is too small
  EXPECT_EQ(cluster.Text(), "1@b:01 ");
  cluster.view.RemoveRequest(TaskId(1));
  Avoiding(cluster, 1, 0, "a");
  EXPECT_EQ(cluster.Text(), "1@b: ");
  cluster.view.RemoveRequest(TaskId(1));
  cluster.Agent("b", 2, false);  // away
  Avoiding(cluster, 1, 1, "a");
  EXPECT_EQ(cluster.Text(), "1@a:0 ");
}

TEST(Schedule, WhatOneRequestAvoidsOthersMayHave) {
  Cluster cluster;
  cluster.Agent("a", 1);
  cluster.Agent("b", 2);
  cluster.Hold(100, "b", {0, 1});
  Avoiding(cluster, 1, 1, "a");  // waits for b
  cluster.Ask(2, 2);             // never on a
  Avoiding(cluster, 3, 1, "a");
  cluster.Ask(4, 1);
  cluster.Ask(5, 1);
  EXPECT_EQ(cluster.Text(), "4@a:0 ");
  EXPECT_NE(Explain(cluster.view, TaskId(1)).text.find("it keeps off agent a"), std::string::npos);
  cluster.view.Stop(TaskId(100));
  EXPECT_EQ(cluster.Text(), "1@b:0 4@a:0 ");  // 2 needs all of b, which is kept for it
}

TEST(Schedule, AgentsThatAreAwayTakeNothing) {
  Cluster cluster;
  cluster.Agent("a", 2);
  cluster.Hold(100, "a", {0});
  cluster.Agent("a", 2, false);
  cluster.Ask(1, 1);
  EXPECT_EQ(cluster.Text(), "");
  EXPECT_EQ(Explain(cluster.view, TaskId(1)).code, "NO_AGENTS");
  cluster.Agent("a", 2);
  EXPECT_EQ(cluster.Text(), "1@a:1 ");  // slot 0 is still taken
}

TEST(Schedule, APassIsBounded) {
  Cluster cluster;
  cluster.Agent("a", 400);
  for (int i = 1; i <= 300; ++i) cluster.Ask(i, 1);
  const Plan plan = cluster.Schedule();
  EXPECT_EQ(plan.placements.size(), static_cast<size_t>(kPlacementsPerPassMax));
  EXPECT_FALSE(plan.complete);
}

// ---- Gangs

void AskGang(Cluster& cluster, int64_t task, int64_t slots) {
  cluster.Add({.task = TaskId(task), .job = ExperimentId(task), .slots = slots, .spans = true});
}

TEST(Gangs, AreAllOrNothing) {
  Cluster cluster;
  cluster.Agent("a", 4);
  cluster.Agent("b", 4);
  cluster.Agent("c", 2);
  cluster.Hold(100, "c", {0});
  AskGang(cluster, 1, 10);
  cluster.Ask(2, 1);
  EXPECT_EQ(cluster.Text(), "") << "all is kept for the gang, which needs all";
  cluster.view.RemoveRequest(TaskId(1));
  AskGang(cluster, 1, 9);
  EXPECT_EQ(cluster.Text(), "1@a:0123@b:0123@c:1 ");
  cluster.view.RemoveRequest(TaskId(1));
  AskGang(cluster, 1, 6);
  EXPECT_EQ(cluster.Text(), "1@a:0123@b:01 2@c:1 ") << "on as few agents as do";
  cluster.view.RemoveRequest(TaskId(1));
  AskGang(cluster, 1, 3);
  EXPECT_EQ(cluster.Text(), "1@a:012 2@a:3 ") << "on one, where one has the slots";
  cluster.view.RemoveRequest(TaskId(1));
  AskGang(cluster, 1, 11);
  EXPECT_EQ(Explain(cluster.view, TaskId(1)).code, "TOO_LARGE");
  EXPECT_EQ(cluster.Text(), "2@c:1 ");
}

TEST(Gangs, TakeVictimsOfTheWholePool) {
  Cluster cluster(Priorities(true));
  cluster.Agent("a", 2);
  cluster.Agent("b", 2);
  cluster.Hold(100, "a", {0}, {.priority = 50});
  cluster.Hold(101, "b", {0}, {.priority = 60});
  cluster.SetJob({.id = ExperimentId(1), .priority = 10});
  AskGang(cluster, 1, 3);
  EXPECT_EQ(cluster.Text(), "-101for1 ");
  cluster.Carry(cluster.Schedule());
  EXPECT_EQ(cluster.Text(), "");
  cluster.view.Stop(TaskId(101));
  EXPECT_EQ(cluster.Text(), "1@b:01@a:1 ");
}

// ---- Limits

TEST(Limits, OfAJobAUserAndAWorkspace) {
  Rules rules;
  rules.user_slots["bob"] = 3;
  rules.workspace_slots["w"] = 4;
  Cluster cluster(rules);
  cluster.Agent("a", 20);
  cluster.SetJob({.id = ExperimentId(1), .owner = "ann", .workspace = "w", .max_slots = 2});
  cluster.SetJob({.id = ExperimentId(2), .owner = "bob", .workspace = "v"});
  cluster.SetJob({.id = ExperimentId(3), .owner = "cyd", .workspace = "w"});
  for (int i = 1; i <= 3; ++i) cluster.AskOf(1, i, 1);
  for (int i = 4; i <= 5; ++i) cluster.AskOf(2, i, 2);
  for (int i = 6; i <= 9; ++i) cluster.AskOf(3, i, 1);
  EXPECT_EQ(cluster.Text(), "1@a:0 2@a:1 4@a:23 6@a:4 7@a:5 ");
  EXPECT_EQ(Explain(cluster.view, TaskId(3)).code, "MAX_SLOTS");
  EXPECT_EQ(Explain(cluster.view, TaskId(5)).code, "USER_QUOTA");
  EXPECT_EQ(Explain(cluster.view, TaskId(8)).code, "WORKSPACE_QUOTA");
  cluster.Carry(cluster.Schedule());
  EXPECT_EQ(cluster.Text(), "");
  EXPECT_EQ(Explain(cluster.view, TaskId(5)).text,
            "needs 2 slots; user bob holds 2 of its quota of 3 slots");
  cluster.view.Stop(TaskId(1));
  EXPECT_EQ(cluster.Text(), "3@a:0 ");
  cluster.SetJob({.id = ExperimentId(1), .owner = "ann", .workspace = "w", .max_slots = 1});
  EXPECT_EQ(cluster.Text(), "8@a:0 ");
  cluster.AskOf(2, 10, 4);
  EXPECT_TRUE(Explain(cluster.view, TaskId(10)).impossible);
}

// Who does not fit into what is left of a quota holds back those behind it: else small requests
// would keep a large one waiting for ever.
TEST(Limits, AreTakenInTurn) {
  Rules rules;
  rules.user_slots["ann"] = 4;
  Cluster cluster(rules);
  cluster.Agent("a", 20);
  cluster.Ask(1, 2);
  cluster.Ask(2, 3);
  cluster.Ask(3, 1);
  EXPECT_EQ(cluster.Text(), "1@a:01 ");
  cluster.SetJob({.id = ExperimentId(3), .owner = "ann", .priority = 1});
  EXPECT_EQ(cluster.Text(), "3@a:0 1@a:12 ");
}

// ---- Preemption

TEST(Preemption, TakesTheLowestPriorityAndTheLatestFirst) {
  Cluster cluster(Priorities(true));
  cluster.Agent("a", 3);
  const auto at = [](int64_t seconds) { return absl::UnixEpoch() + absl::Seconds(seconds); };
  cluster.Hold(100, "a", {0}, {.priority = 60, .placed_at = at(1)});
  cluster.Hold(101, "a", {1}, {.priority = 60, .placed_at = at(2)});
  cluster.Hold(102, "a", {2}, {.priority = 50, .placed_at = at(3)});
  cluster.Ask(1, 1, 42);
  EXPECT_EQ(cluster.Text(), "-101for1 ");
  cluster.Ask(2, 2, 42);
  EXPECT_EQ(cluster.Text(), "-101for1 -100for2 -102for2 ");
  cluster.Carry(cluster.Schedule());
  EXPECT_EQ(cluster.Text(), "") << "what leaves is kept for them";
  cluster.Ask(3, 1, 41);
  EXPECT_EQ(cluster.Text(), "") << "one is leaving, which it gets";
}

TEST(Preemption, SparesWhatDoesNotHelp) {
  Cluster cluster(Priorities(true));
  cluster.Agent("a", 2);
  cluster.Agent("b", 2);
  cluster.Hold(100, "a", {0}, {.priority = 99});
  cluster.Hold(101, "a", {1}, {.preemptible = false});
  cluster.Hold(102, "b", {0, 1}, {.priority = 50});
  cluster.Ask(1, 2, 42);
  EXPECT_EQ(cluster.Text(), "-102for1 ");
  cluster.view.Stop(TaskId(102));
  cluster.Hold(102, "b", {0, 1}, {.priority = 42});
  EXPECT_EQ(cluster.Text(), "") << "equal ones are left alone";
}

TEST(Preemption, OnlyWhereItIsAllowed) {
  for (const Rules& rules : {Priorities(false), Rules{.defaults = {.policy = Policy::kFifo}}}) {
    Cluster cluster(rules);
    cluster.Agent("a", 1);
    cluster.Hold(100, "a", {0}, {.priority = 99});
    cluster.Ask(1, 1, 1);
    EXPECT_EQ(cluster.Text(), "");
  }
}

// ---- Ageing

TEST(Ageing, AJobThatGetsNothingGoesUp) {
  Cluster cluster(Priorities(true));
  cluster.Agent("a", 1);
  cluster.Ask(1, 1, 45);
  cluster.Ask(2, 1, 42);
  EXPECT_EQ(cluster.Text(), "2@a:0 ");
  cluster.view.SetNow(absl::UnixEpoch() + absl::Hours(2));
  EXPECT_EQ(cluster.Text(), "2@a:0 ") << "both went up by two";
  cluster.view.RemoveRequest(TaskId(2));
  cluster.SetJob({.id = ExperimentId(3)});
  cluster.Add({.task = TaskId(3), .job = ExperimentId(3), .since = cluster.view.now()});
  EXPECT_EQ(cluster.Text(), "3@a:0 ");
  cluster.view.SetNow(absl::UnixEpoch() + absl::Hours(10));
  cluster.view.RemoveRequest(TaskId(3));
  cluster.SetJob({.id = ExperimentId(4), .priority = 40});
  cluster.Add({.task = TaskId(4), .job = ExperimentId(4), .since = cluster.view.now()});
  const Plan plan = cluster.Schedule();
  EXPECT_EQ(Text(plan), "1@a:0 ");
  EXPECT_EQ(plan.placements[0].priority, 35);
  cluster.now = cluster.view.now();
  cluster.Carry(plan);
  EXPECT_EQ(cluster.Text(), "") << "it keeps what it waited for so long";
}

// ---- Fair share

TEST(FairShare, ByWeight) {
  Cluster cluster(Fair(false));
  cluster.Agent("a", 8);
  for (int job = 1; job <= 3; ++job) {
    cluster.SetJob({.id = ExperimentId(job), .weight = job == 1 ? 2.0 : 1.0});
    for (int i = 0; i < 8; ++i) cluster.AskOf(job, job * 10 + i, 1);
  }
  cluster.Carry(cluster.Schedule());
  EXPECT_EQ(cluster.view.FindJob(ExperimentId(1))->held, 4);
  EXPECT_EQ(cluster.view.FindJob(ExperimentId(2))->held, 2);
  EXPECT_EQ(cluster.view.FindJob(ExperimentId(3))->held, 2);
}

TEST(FairShare, TakesBackWhatIsBeyondAShare) {
  Cluster cluster(Fair(true));
  cluster.Agent("a", 4);
  cluster.SetJob({.id = ExperimentId(1)});
  for (int i = 1; i <= 6; ++i) cluster.AskOf(1, i, 1);
  cluster.Carry(cluster.Schedule());
  cluster.SetJob({.id = ExperimentId(2)});
  for (int i = 7; i <= 12; ++i) cluster.AskOf(2, i, 1);
  EXPECT_EQ(cluster.Text(), "-4for7 -3for8 ");
  cluster.Carry(cluster.Schedule());
  EXPECT_EQ(cluster.Text(), "");
  cluster.view.Stop(TaskId(4));
  cluster.AskOf(1, 4, 1);
  EXPECT_EQ(cluster.Text(), "7@a:3 ");
  cluster.Carry(cluster.Schedule());
  cluster.view.Stop(TaskId(3));
  cluster.AskOf(1, 3, 1);
  cluster.Carry(cluster.Schedule());
  EXPECT_EQ(cluster.Text(), "") << "both have their share";
}

// Else it would be sent away as soon as it came, again and again.
TEST(FairShare, WhatWasPlacedForItsAgeStays) {
  Cluster cluster(Fair(true));
  cluster.Agent("a", 2);
  cluster.SetJob({.id = ExperimentId(1)});
  cluster.SetJob({.id = ExperimentId(2)});
  cluster.AskOf(1, 1, 2);
  cluster.view.SetNow(absl::UnixEpoch() + absl::Hours(1));
  cluster.now = cluster.view.now();
  cluster.Add({.task = TaskId(2), .job = ExperimentId(2), .since = cluster.now});
  EXPECT_EQ(cluster.Text(), "1@a:01 ") << "the younger one is due earlier by its share";
  cluster.Carry(cluster.Schedule());
  EXPECT_EQ(cluster.Text(), "");
}

TEST(FairShare, AJobDemandsNoMoreThanItsMaxSlots) {
  Cluster cluster(Fair(false));
  cluster.Agent("a", 9);
  cluster.SetJob({.id = ExperimentId(1), .max_slots = 2});
  cluster.SetJob({.id = ExperimentId(2)});
  for (int job = 1; job <= 2; ++job) {
    for (int i = 0; i < 9; ++i) cluster.AskOf(job, job * 10 + i, 1);
  }
  cluster.Carry(cluster.Schedule());
  EXPECT_EQ(cluster.view.FindJob(ExperimentId(1))->held, 2);
  EXPECT_EQ(cluster.view.FindJob(ExperimentId(2))->held, 7);
}

// ---- Why

TEST(Explain, SaysWhatIsMissing) {
  Cluster cluster;
  cluster.Agent("a", 2);
  cluster.Hold(100, "a", {0, 1});
  cluster.Ask(1, 1);
  cluster.Ask(2, 2);
  cluster.Ask(3, 4);
  EXPECT_EQ(Explain(cluster.view, TaskId(1)).text,
            "needs 1 slot on one agent of pool \"p\"; the most free on one agent is 0; 0 "
            "experiments are ahead of it; what becomes free on agent a is kept for it");
  EXPECT_EQ(Explain(cluster.view, TaskId(1)).code, "RESERVED");
  EXPECT_EQ(Explain(cluster.view, TaskId(2)).code, "WAITING_FOR_TURN");
  EXPECT_EQ(Explain(cluster.view, TaskId(2)).ahead, 1);
  EXPECT_EQ(Explain(cluster.view, TaskId(3)).text,
            "needs 4 slots on one agent of pool \"p\"; its largest agent has 2");
  EXPECT_TRUE(Explain(cluster.view, TaskId(3)).impossible);
  EXPECT_EQ(Explain(cluster.view, TaskId(9)).code, "NOT_WAITING");
}

TEST(CheckPlan, CatchesWhatIsWrong) {
  Cluster cluster(Priorities(true));
  cluster.Agent("a", 2);
  cluster.Ask(1, 1);
  cluster.Ask(2, 1);
  cluster.SetJob({.id = ExperimentId(1), .max_slots = 1});
  cluster.AskOf(1, 3, 1);
  const Plan good = cluster.Schedule();
  const std::function<void(Plan&)> faults[] = {
      [](Plan& plan) { plan.placements[1].pieces = plan.placements[0].pieces; },
      [](Plan& plan) { plan.placements[1].task = plan.placements[0].task; },
      [](Plan& plan) { plan.placements[0].pieces[0].slots.clear(); },
      [](Plan& plan) { plan.placements[0].pieces.clear(); },
      [](Plan& plan) {
        plan.placements[0].pieces.push_back({AgentId("a"), {}});
      },
      [](Plan& plan) { plan.placements[0].pieces[0].agent = AgentId("b"); },
      [](Plan& plan) { plan.placements[0].task = TaskId(9); },
      [](Plan& plan) { plan.placements[1].task = TaskId(3); },
      [](Plan& plan) {
        plan.preemptions.push_back({TaskId(1), TaskId(3)});
      }};
  for (const auto& fault : faults) {
    Plan plan = good;
    fault(plan);
    EXPECT_FALSE(CheckPlan(cluster.view, "p", plan).ok());
  }
  cluster.Carry(good);
  Plan plan;
  plan.preemptions = {{TaskId(2), TaskId(3)}};
  EXPECT_FALSE(CheckPlan(cluster.view, "p", plan).ok()) << "equal priorities";
}

}  // namespace
}  // namespace det::scheduler
