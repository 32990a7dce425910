// The scheduler by itself.
#include <algorithm>
#include <cmath>

#include "bench/base/stats.h"
#include "bench/rows/rows.h"

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/process.h"
#include "master/scheduler/scheduler.h"

namespace det::bench {
namespace {

constexpr double kGoal = 300000;
constexpr double kDecisionGoalUs = 50;
constexpr char kPool[] = "default";
constexpr int kSlotsEach = 8;

constexpr int kTasksAJob = 100;
constexpr int kUsers = 50;

// The owner's quota and the job's cap never bind, but are kept account of.
scheduler::Rules RulesOf(scheduler::Policy policy) {
  scheduler::Rules rules;
  rules.defaults.policy = policy;
  rules.defaults.preemption = policy != scheduler::Policy::kFifo;
  for (int i = 0; i < kUsers; ++i) rules.user_slots[StrCat("user-", i)] = 1'000'000;
  return rules;
}

// Agents that are free, and requests of many jobs that wait: a tenth of them for a whole agent, one
// of 200 for the slots of two.
scheduler::View FullView(scheduler::Policy policy, int agents, int requests) {
  scheduler::View view(RulesOf(policy));
  std::set<int> slots;
  for (int i = 0; i < kSlotsEach; ++i) slots.insert(i);
  for (int i = 0; i < agents; ++i) view.SetAgent(AgentId(StrCat("agent-", i)), kPool, slots, true);
  for (int i = 0; i <= requests / kTasksAJob; ++i) {
    view.SetJob({.id = ExperimentId(i + 1),
                 .owner = StrCat("user-", i % kUsers),
                 .workspace = "w",
                 .priority = 1 + i * 31 % 99,
                 .position = i + 1,
                 .weight = 1.0 + i % 4,
                 .max_slots = 100'000});
  }
  for (int i = 1; i <= requests; ++i) {
    const bool gang = i % 200 == 0;
    view.AddRequest({.task = TaskId(i),
                     .job = ExperimentId(i / kTasksAJob + 1),
                     .pool = kPool,
                     .slots = gang          ? 2 * kSlotsEach
                              : i % 10 == 0 ? kSlotsEach
                                            : 1,
                     .spans = gang});
  }
  return view;
}

struct Measured {
  double per_second = 0;
  double p99_us = 0;  // of a decision, its share of a pass
  int64_t placed = 0;
};

// Passes until nothing more fits, each taken into the view as the core does.
Measured Place(scheduler::View view) {
  Measured measured;
  std::vector<double> shares;
  const absl::Duration begun = SteadyNow();
  while (true) {
    const absl::Duration from = SteadyNow();
    const scheduler::Plan plan = scheduler::Schedule(view, kPool);
    for (const scheduler::Placement& placement : plan.placements) {
      const ExperimentId job = view.FindWaiting(placement.task)->request.job;
      view.RemoveRequest(placement.task);
      view.Start({.task = placement.task,
                  .job = job,
                  .pool = kPool,
                  .pieces = placement.pieces,
                  .priority = placement.priority});
    }
    const auto count = static_cast<int64_t>(plan.placements.size());
    if (count > 0)
      shares.push_back(absl::ToDoubleMicroseconds(SteadyNow() - from) / static_cast<double>(count));
    measured.placed += count;
    if (plan.complete) break;
  }
  measured.per_second =
      static_cast<double>(measured.placed) / absl::ToDoubleSeconds(SteadyNow() - begun);
  std::sort(shares.begin(), shares.end());
  if (!shares.empty()) measured.p99_us = shares[(shares.size() - 1) * 99 / 100];
  return measured;
}

// The same by nothing but best fit: agents in the order of their free slots.
double BareBestFit(int agents, int requests) {
  std::set<std::pair<int, int>> by_free;
  for (int i = 0; i < agents; ++i) by_free.emplace(kSlotsEach, i);
  int64_t placed = 0;
  const absl::Duration begun = SteadyNow();
  for (int i = 1; i <= requests; ++i) {
    const int slots = i % 10 == 0 ? kSlotsEach : 1;
    const auto fit = by_free.lower_bound({slots, 0});
    if (fit == by_free.end()) continue;
    auto agent = by_free.extract(fit);
    agent.value().first -= slots;
    by_free.insert(std::move(agent));
    ++placed;
  }
  return static_cast<double>(placed) / absl::ToDoubleSeconds(SteadyNow() - begun);
}

struct Named {
  std::string_view name;
  scheduler::Policy policy;
};
constexpr Named kPolicies[] = {{"priority", scheduler::Policy::kPriority},
                               {"fifo", scheduler::Policy::kFifo},
                               {"fair_share", scheduler::Policy::kFairShare}};

double PlacingSeconds(int agents, int requests) {
  const Measured measured = Place(FullView(scheduler::Policy::kPriority, agents, requests));
  return static_cast<double>(measured.placed) / measured.per_second;
}

}  // namespace

Rows PlaceMemory(const Settings& settings) {
  const int agents = settings.Size(10000, 100);
  const int requests = settings.Size(100000, 1000);
  std::vector<Row> rows;
  for (const Named& policy : kPolicies) {
    std::vector<double> speed;
    std::vector<double> floor;
    std::vector<double> p99;
    for (int round = 0; round < settings.rounds(); ++round) {
      floor.push_back(BareBestFit(agents, requests));
      const Measured measured = Place(FullView(policy.policy, agents, requests));
      speed.push_back(measured.per_second);
      p99.push_back(measured.p99_us);
    }
    const std::string name = StrCat("place_memory.", policy.name);
    rows.push_back(
        {.name = name,
         .value = Median(speed),
         .unit = "placements/s",
         .floor = Median(floor),
         .goal = {Goal::Kind::kAtLeast, kGoal},
         .note =
             StrCat(agents,
                    " agents of 8 slots, ",
                    requests,
                    " requests of 1,000 jobs, a tenth for all 8, gangs, quotas and caps; floor: "
                    "bare best fit")});
    rows.push_back({.name = name + "_p99",
                    .value = Median(p99),
                    .unit = "us",
                    .goal = {Goal::Kind::kAtMost, kDecisionGoalUs},
                    .note = "a decision's share of its pass"});
  }
  // Four times the requests on four times the agents.
  std::vector<double> growth;
  for (int round = 0; round < settings.rounds(); ++round) {
    const double few = PlacingSeconds(agents / 4, requests / 4);
    growth.push_back(PlacingSeconds(agents, requests) / few);
  }
  const double bound = 4 * std::log(requests) / std::log(requests / 4);
  rows.push_back({.name = "place_memory.growth",
                  .value = Median(growth),
                  .unit = "x",
                  .goal = {Goal::Kind::kAtMost, std::ceil(bound * 100) / 100},
                  .note = "time for four times the requests and agents, at most as n log n grows"});
  return rows;
}

}  // namespace det::bench
