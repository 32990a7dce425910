#include "master/core/index.h"

#include <algorithm>

#include "master/core/limits.h"

namespace det::core {
namespace {

absl::Time Deadline(const Task& task) {
  if (task.allocation.has_value()) {
    const Allocation& allocation = *task.allocation;
    const bool comes_up =
        allocation.state < AllocationState::kRunning && allocation.level == StopLevel::kRun;
    return comes_up ? allocation.placed_at + kStartUpMax : allocation.kill_at;
  }
  return task.Waits() ? task.delay->until : absl::InfiniteFuture();
}

absl::Time Deadline(const Agent& agent) {
  absl::Time due = agent.connected || agent.lost ? absl::InfiniteFuture() : agent.lost_at;
  if (agent.disabled.has_value()) due = std::min(due, agent.disabled->until);
  for (const auto& [slot, how] : agent.disabled_slots) due = std::min(due, how.until);
  return due;
}

template <class Aggregate>
void AddDeadline(const Aggregate& aggregate, Indexes& indexes) {
  const absl::Time due = Deadline(aggregate);
  if (due != absl::InfiniteFuture()) indexes.deadlines.emplace(due, Key(aggregate.id));
}

template <class Aggregate>
void RemoveDeadline(const Aggregate& aggregate, Indexes& indexes) {
  indexes.deadlines.erase({Deadline(aggregate), Key(aggregate.id)});
}

JobPlace PlaceOf(const Experiment& experiment) {
  const spec::ResourcesSpec& resources = experiment.spec->resources;
  return {.pool = resources.resource_pool,
          .priority = resources.priority,
          .position = experiment.queue_position,
          .id = experiment.id};
}

scheduler::Job JobOf(const Experiment& experiment) {
  const spec::ResourcesSpec& resources = experiment.spec->resources;
  return {.id = experiment.id,
          .owner = experiment.owner,
          .workspace = experiment.spec->workspace,
          .priority = resources.priority,
          .position = experiment.queue_position,
          .weight = resources.weight,
          .max_slots = resources.max_slots};
}

scheduler::Request RequestOf(const Task& task) {
  scheduler::Request request = task.request;
  request.since = task.since;
  return request;
}

scheduler::Running RunningOf(const Task& task) {
  const Allocation& allocation = *task.allocation;
  return {.task = task.id,
          .job = task.request.job,
          .pool = task.request.pool,
          .pieces = {{.agent = allocation.agent, .slots = allocation.slots}},
          .priority = allocation.priority,
          .leaving = allocation.level != StopLevel::kRun,
          .placed_at = allocation.placed_at};
}

}  // namespace

void AddToIndexes(const Experiment& experiment, Indexes& indexes) {
  indexes.jobs.insert(PlaceOf(experiment));
  indexes.positions.emplace(experiment.queue_position, experiment.id);
  indexes.view.SetJob(JobOf(experiment));
}

void RemoveFromIndexes(const Experiment& experiment, Indexes& indexes) {
  indexes.jobs.erase(PlaceOf(experiment));
  indexes.positions.erase({experiment.queue_position, experiment.id});
}

void AddToIndexes(const Task& task, Indexes& indexes) {
  if (task.state == TaskState::kQueued) indexes.view.AddRequest(RequestOf(task));
  if (task.allocation.has_value()) {
    const Allocation& allocation = *task.allocation;
    indexes.view.Start(RunningOf(task));
    indexes.on_agent[allocation.agent][allocation.id] = task.id;
    indexes.allocations[allocation.id] = task.id;
  }
  AddDeadline(task, indexes);
}

void RemoveFromIndexes(const Task& task, Indexes& indexes) {
  if (task.state == TaskState::kQueued) indexes.view.RemoveRequest(task.id);
  if (task.allocation.has_value()) {
    const Allocation& allocation = *task.allocation;
    indexes.view.Stop(task.id);
    auto& on_agent = indexes.on_agent[allocation.agent];
    on_agent.erase(allocation.id);
    if (on_agent.empty()) indexes.on_agent.erase(allocation.agent);
    indexes.allocations.erase(allocation.id);
  }
  RemoveDeadline(task, indexes);
}

void AddToIndexes(const Agent& agent, Indexes& indexes) {
  std::set<int> slots;
  for (const Slot& slot : agent.slots) {
    if (!agent.disabled_slots.contains(slot.index)) slots.insert(slot.index);
  }
  const bool schedulable = agent.connected && !agent.disabled.has_value();
  indexes.view.SetAgent(agent.id, agent.pool, slots, schedulable);
  indexes.agents_connected += agent.connected ? 1 : 0;
  AddDeadline(agent, indexes);
}

void RemoveFromIndexes(const Agent& agent, Indexes& indexes) {
  indexes.view.RemoveAgent(agent.id);
  indexes.agents_connected -= agent.connected ? 1 : 0;
  RemoveDeadline(agent, indexes);
}

Indexes BuildIndexes(const State& state, const scheduler::Rules& rules) {
  Indexes indexes{.view = scheduler::View(rules)};
  indexes.view.SetNow(state.now);
  for (const auto& [id, experiment] : state.experiments) AddToIndexes(experiment, indexes);
  for (const auto& [id, agent] : state.agents) AddToIndexes(agent, indexes);
  for (const auto& [id, task] : state.tasks) AddToIndexes(task, indexes);
  return indexes;
}

}  // namespace det::core
