#include <algorithm>
#include <cmath>
#include <tuple>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "master/scheduler/scheduler.h"

namespace det::scheduler {
namespace {

std::set<int> Slots(int n) {
  std::set<int> slots;
  for (int i = 0; i < n; ++i) slots.insert(i);
  return slots;
}

// A cluster with everything that its view was told of, beside the view.
struct World {
  explicit World(Rules r) : rules(std::move(r)), view(rules) {}

  void SetJob(Job job) {
    jobs[job.id] = job;
    view.SetJob(job);
  }
  void SetAgent(const AgentId& id, int slots, bool schedulable) {
    agents[id] = {slots, schedulable};
    view.SetAgent(id, "p", Slots(slots), schedulable);
  }
  TaskId Ask(Request request) {
    request.task = TaskId(next++);
    request.pool = "p";
    request.since = now;
    if (!jobs.contains(request.job)) SetJob({.id = request.job, .position = request.job.value()});
    waiting[request.task] = request;
    view.AddRequest(request);
    return request.task;
  }
  void Start(const Placement& placement) {
    const Request request = waiting.at(placement.task);
    waiting.erase(placement.task);
    view.RemoveRequest(placement.task);
    running[placement.task] = {.task = placement.task,
                               .job = request.job,
                               .pool = request.pool,
                               .pieces = placement.pieces,
                               .priority = placement.priority,
                               .preemptible = request.task.value() % 5 != 0,
                               .placed_at = now};
    view.Start(running[placement.task]);
  }
  void Stop(TaskId task) {
    running.erase(task);
    view.Stop(task);
  }
  void Leave(TaskId task) {
    view.Stop(task);
    running[task].leaving = true;
    view.Start(running[task]);
  }
  // One pass, judged and carried out. True when it did something.
  bool Pass() {
    const Plan plan = Schedule(view, "p");
    const absl::Status judged = CheckPlan(view, "p", plan);
    RC_ASSERT(judged.ok());
    for (const Placement& placement : plan.placements) Start(placement);
    for (const Preemption& preemption : plan.preemptions) Leave(preemption.task);
    return !plan.placements.empty() || !plan.preemptions.empty();
  }
  void Raise(absl::Duration by) {
    now += by;
    view.SetNow(now);
  }
  int64_t Held(ExperimentId job) const {
    int64_t held = 0;
    for (const auto& [id, task] : running) held += task.job == job ? task.slots() : 0;
    return held;
  }

  std::string FreshDump() const {
    View fresh(rules);
    fresh.SetNow(now);
    for (const auto& [id, job] : jobs) fresh.SetJob(job);
    for (const auto& [id, request] : waiting) fresh.AddRequest(request);
    for (const auto& [id, task] : running) fresh.Start(task);
    for (const auto& [id, shape] : agents)
      fresh.SetAgent(id, "p", Slots(shape.first), shape.second);
    return fresh.Dump();
  }

  // Held slots exist once, and all limits hold.
  void CheckLimits() const {
    std::set<std::pair<AgentId, int>> held;
    std::map<std::string, int64_t> users, workspaces;
    for (const auto& [id, task] : running) {
      for (const Piece& piece : task.pieces) {
        for (const int slot : piece.slots) RC_ASSERT(held.emplace(piece.agent, slot).second);
      }
      users[jobs.at(task.job).owner] += task.slots();
      workspaces[jobs.at(task.job).workspace] += task.slots();
    }
    for (const auto& [user, most] : rules.user_slots) RC_ASSERT(users[user] <= most);
    for (const auto& [name, most] : rules.workspace_slots) RC_ASSERT(workspaces[name] <= most);
  }

  Rules rules;
  View view;
  absl::Time now = absl::UnixEpoch();
  int64_t next = 1;
  std::map<ExperimentId, Job> jobs;
  std::map<AgentId, std::pair<int, bool>> agents;
  std::map<TaskId, Request> waiting;
  std::map<TaskId, Running> running;
};

Rules RulesOf(int which) {
  Rules rules;
  rules.defaults.policy = static_cast<Policy>(which % 3);
  rules.defaults.preemption = which / 3 % 2 == 1;
  rules.defaults.fitting = static_cast<Fitting>(which / 6 % 2);
  rules.defaults.aux_per_agent_max = 2;
  rules.user_slots["u1"] = 5;
  rules.workspace_slots["w1"] = 7;
  return rules;
}

using Operation = std::tuple<uint8_t, uint8_t, uint8_t>;

void Apply(World& world, const Operation& operation) {
  const auto [what, x, y] = operation;
  switch (what % 8) {
    case 0:
    case 1:
      world.Ask({.job = ExperimentId(1 + x % 6),
                 .slots = y % 7,
                 .spans = y % 2 == 0,
                 .avoid = x % 5 == 0 ? AgentId("a1") : AgentId(),
                 .runs_for = x % 3 == 0 ? absl::Minutes(y) : absl::InfiniteDuration()});
      break;
    case 2:
      world.SetAgent(AgentId("a" + std::to_string(x % 4)), y % 5, y % 3 != 0);
      break;
    case 3:
      if (!world.running.empty()) {
        world.Stop(std::next(world.running.begin(), static_cast<int64_t>(x % world.running.size()))
                       ->first);
      }
      break;
    case 4: {
      Job job{.id = ExperimentId(1 + x % 6),
              .owner = "u" + std::to_string(x % 3),
              .workspace = "w" + std::to_string(y % 2),
              .priority = 40 + y % 4,
              .position = 1 + x % 6,
              .weight = 1.0 + y % 3};
      // A limit that is lowered below what is held is no one's fault: not part of what is checked.
      if (y % 4 == 0) job.max_slots = world.Held(job.id) + y % 5;
      const bool moves = world.Held(job.id) > 0;
      if (moves && world.jobs.contains(job.id)) {
        job.owner = world.jobs[job.id].owner;
        job.workspace = world.jobs[job.id].workspace;
      }
      world.SetJob(job);
      break;
    }
    case 5:
      world.Raise(absl::Minutes(x));
      break;
    default:
      world.Pass();
  }
}

// Random operations: plans are always valid, no limit is ever passed, and the indexes equal those
// built from nothing.
RC_GTEST_PROP(Scheduler, IsSafeAndItsViewExact, (const std::vector<Operation>& operations)) {
  World world(RulesOf(*rc::gen::inRange(0, 12)));
  for (int i = 1; i <= 6; ++i) world.SetJob({.id = ExperimentId(i), .position = i});
  for (const Operation& operation : operations) {
    Apply(world, operation);
    RC_ASSERT(world.view.Dump() == world.FreshDump());
    world.CheckLimits();
    for (const auto& [id, job] : world.jobs) {
      if (job.max_slots.has_value()) RC_ASSERT(world.Held(id) <= *job.max_slots);
    }
  }
}

// Whatever happened: once tasks end, what leaves leaves, and agents are there, everything that can
// run runs. So nothing deadlocks, gangs least of all.
RC_GTEST_PROP(Scheduler, EverythingThatCanRunRuns, (const std::vector<Operation>& operations)) {
  World world(RulesOf(*rc::gen::inRange(0, 12)));
  for (int i = 1; i <= 6; ++i) world.SetJob({.id = ExperimentId(i), .position = i});
  for (const Operation& operation : operations) Apply(world, operation);
  for (int i = 0; i < 3; ++i) world.SetAgent(AgentId("a" + std::to_string(i)), 3, true);
  for (int turn = 0; turn < 10000; ++turn) {
    while (world.Pass()) {
    }
    if (world.running.empty()) break;
    world.Stop(std::next(world.running.begin(),
                         static_cast<int64_t>(turn % static_cast<int>(world.running.size())))
                   ->first);
    world.Raise(absl::Minutes(1));
  }
  for (const auto& [id, request] : world.waiting) {
    RC_ASSERT(!world.view.FindWaiting(id)->possible);
    RC_ASSERT(Explain(world.view, id).impossible);
  }
}

// A gang of most of the cluster, with the worst priority, against a stream of small ones that never
// ends.
RC_GTEST_PROP(Scheduler, NobodyStarves, ()) {
  const int which = *rc::gen::inRange(0, 12);
  World world(RulesOf(which));
  for (int i = 0; i < 3; ++i) world.SetAgent(AgentId("a" + std::to_string(i)), 4, true);
  const bool spans = *rc::gen::arbitrary<bool>();
  world.SetJob({.id = ExperimentId(1), .priority = 60, .position = 1});
  int64_t job = 2;
  const auto stream = [&] {
    const ExperimentId id(job++);
    world.SetJob({.id = id, .priority = 30, .position = id.value()});
    const int64_t slots = *rc::gen::inRange<int64_t>(1, 4);
    world.Ask({.job = id, .slots = slots});
  };
  for (int i = 0; i < 12; ++i) stream();
  world.Pass();
  const TaskId gang = world.Ask({.job = ExperimentId(1), .slots = spans ? 10 : 4, .spans = spans});
  // Thirty hours make up for thirty priorities; then it takes as long as the others hold out.
  for (int hour = 0; hour < 60 && world.waiting.contains(gang); ++hour) {
    for (int i = 0; i < 4; ++i) stream();
    world.Raise(absl::Hours(1));
    for (int i = 0; i < 4; ++i) {
      if (!world.running.empty()) world.Stop(world.running.begin()->first);
      world.Pass();
    }
  }
  RC_ASSERT(!world.waiting.contains(gang));
}

// Of requests of one size the older job's is always first.
RC_GTEST_PROP(Fifo, KeepsTheOrder, (const std::vector<uint8_t>& priorities)) {
  World world({.defaults = {.policy = Policy::kFifo}});
  world.SetAgent(AgentId("a"), 3, true);
  int64_t position = 0;
  for (const uint8_t priority : priorities) {
    const ExperimentId id(++position);
    world.SetJob({.id = id, .priority = 1 + priority % 99, .position = position});
    world.Ask({.job = id, .slots = 1 + priority % 3});
  }
  int64_t last = 0;
  while (!world.waiting.empty()) {
    const Plan plan = Schedule(world.view, "p");
    for (const Placement& placement : plan.placements) {
      // One agent and no estimates: nothing could be backfilled.
      RC_ASSERT(placement.task.value() == ++last);
      world.Start(placement);
    }
    world.Stop(world.running.begin()->first);
  }
}

// The exact shares by progressive filling: the level rises for all who want more, until nothing is
// left.
std::vector<double> ExactShares(double slots,
                                const std::vector<double>& weights,
                                const std::vector<int64_t>& demands) {
  std::vector<double> shares(weights.size(), 0);
  std::vector<bool> full(weights.size(), false);
  while (slots > 1e-9) {
    double weight = 0;
    double step = INFINITY;
    for (size_t i = 0; i < shares.size(); ++i) {
      if (full[i]) continue;
      weight += weights[i];
      step = std::min(step, (static_cast<double>(demands[i]) - shares[i]) / weights[i]);
    }
    if (weight == 0) break;
    step = std::min(step, slots / weight);
    for (size_t i = 0; i < shares.size(); ++i) {
      if (full[i]) continue;
      shares[i] += step * weights[i];
      slots -= step * weights[i];
      full[i] = static_cast<double>(demands[i]) - shares[i] < 1e-9;
    }
  }
  return shares;
}

// Jobs come one after the other; with preemption each ends up within one task of its exact share.
RC_GTEST_PROP(FairShare, IsWithinOneTaskOfTheExactShares, ()) {
  World world({.defaults = {.policy = Policy::kFairShare, .preemption = true}});
  const int agents = *rc::gen::inRange(1, 5);
  for (int i = 0; i < agents; ++i) world.SetAgent(AgentId("a" + std::to_string(i)), 4, true);
  std::vector<double> weights;
  std::vector<int64_t> demands;
  const int jobs = *rc::gen::inRange(1, 6);
  for (int j = 0; j < jobs; ++j) {
    const ExperimentId id(j + 1);
    weights.push_back(*rc::gen::inRange(1, 5));
    int64_t demand = *rc::gen::inRange(1, 20);
    Job job{.id = id, .position = j + 1, .weight = weights.back()};
    for (int64_t i = 0; i < demand; ++i) {
      if (world.next % 5 == 0) ++world.next;  // those would not be preemptible
      world.SetJob(job);
      world.Ask({.job = id, .slots = 1});
    }
    if (*rc::gen::arbitrary<bool>()) {
      job.max_slots = *rc::gen::inRange(1, 8);
      demand = std::min(demand, *job.max_slots);
      world.SetJob(job);
    }
    demands.push_back(demand);
    while (world.Pass()) {
      std::vector<TaskId> leaving;
      for (const auto& [id2, task] : world.running) {
        if (task.leaving) leaving.push_back(id2);
      }
      for (const TaskId task : leaving) {
        const Request again{.job = world.running[task].job, .slots = 1};
        world.Stop(task);
        if (world.next % 5 == 0) ++world.next;
        world.Ask(again);
      }
    }
  }
  const std::vector<double> shares = ExactShares(agents * 4, weights, demands);
  for (size_t j = 0; j < shares.size(); ++j) {
    const auto held = static_cast<double>(world.Held(ExperimentId(static_cast<int64_t>(j) + 1)));
    RC_ASSERT(std::abs(held - shares[j]) <= 1.0 + 1e-6);
  }
}

// With every victim the waiting request fits, without any one of them it does not; no better victim
// would have done; and nothing more is asked to leave while they go.
RC_GTEST_PROP(Preemption, IsMinimal, (const std::vector<std::tuple<uint8_t, uint8_t>>& tasks)) {
  World world({.defaults = {.policy = Policy::kPriority, .preemption = true}});
  for (int i = 0; i < 3; ++i) world.SetAgent(AgentId("a" + std::to_string(i)), 4, true);
  for (const auto& [slots, priority] : tasks) {
    if (world.next % 5 == 0) ++world.next;
    const ExperimentId id(world.next);
    world.SetJob({.id = id, .priority = 43 + priority % 4, .position = id.value()});
    world.Ask({.job = id, .slots = 1 + slots % 3});
    world.Raise(absl::Seconds(1));
    world.Pass();
  }
  for (const auto& [id, request] : std::map(world.waiting)) {
    world.waiting.erase(id);
    world.view.RemoveRequest(id);
  }
  for (const auto& [id, task] : std::map(world.running)) {
    if (task.leaving) world.Stop(id);
  }
  const bool spans = *rc::gen::arbitrary<bool>();
  const int64_t slots = *rc::gen::inRange<int64_t>(1, spans ? 12 : 5);
  world.SetJob({.id = ExperimentId(100000), .priority = 44, .position = 100000});
  const TaskId waiter = world.Ask({.job = ExperimentId(100000), .slots = slots, .spans = spans});
  const Plan plan = Schedule(world.view, "p");
  const auto starts_without = [&](const std::set<TaskId>& gone) {
    View view(world.rules);
    for (const auto& [id, job] : world.jobs) view.SetJob(job);
    for (const auto& [id, shape] : world.agents) view.SetAgent(id, "p", Slots(shape.first), true);
    for (const auto& [id, task] : world.running) {
      if (!gone.contains(id)) view.Start(task);
    }
    view.AddRequest(world.waiting.at(waiter));
    return !Schedule(view, "p").placements.empty();
  };
  std::set<TaskId> victims;
  for (const Preemption& preemption : plan.preemptions) victims.insert(preemption.task);
  if (victims.empty()) {
    // Then it starts, or not even all that could leave would help.
    std::set<TaskId> all;
    for (const auto& [id, task] : world.running) {
      if (task.priority > 44) all.insert(id);
    }
    RC_ASSERT(!plan.placements.empty() || !starts_without(all));
    return;
  }
  RC_ASSERT(starts_without(victims));
  for (const TaskId spared : victims) {
    std::set<TaskId> fewer = victims;
    fewer.erase(spared);
    RC_ASSERT(!starts_without(fewer));
  }
  world.Pass();
  RC_ASSERT(!world.Pass());
  for (const TaskId victim : victims) world.Stop(victim);
  RC_ASSERT(world.Pass());
  RC_ASSERT(world.running.contains(waiter));
}

}  // namespace
}  // namespace det::scheduler
