#include "master/core/state.h"

namespace det::core {
namespace {

template <class Map, class Id>
auto* FindIn(const Map& map, const Id& id) {
  const auto it = map.find(id);
  return it == map.end() ? nullptr : &it->second;
}

}  // namespace

const Experiment* State::Find(ExperimentId id) const {
  return FindIn(experiments, id);
}
const Trial* State::Find(TrialId id) const {
  return FindIn(trials, id);
}
const Task* State::Find(TaskId id) const {
  return FindIn(tasks, id);
}
const Agent* State::Find(const AgentId& id) const {
  return FindIn(agents, id);
}

const Task* State::FindByAllocation(AllocationId id) const {
  const TaskId* task = FindIn(indexes.allocations, id);
  return task == nullptr ? nullptr : Find(*task);
}

std::set<AgentId> ExcludedAgents(const Trial& trial) {
  std::set<AgentId> excluded;
  for (const LogMatch& match : trial.log_matches) {
    if (match.action == spec::LogAction::kExcludeNode) excluded.insert(match.agent);
  }
  return excluded;
}

absl::Time NextDeadline(const State& state) {
  return state.indexes.deadlines.empty() ? absl::InfiniteFuture()
                                         : state.indexes.deadlines.begin()->first;
}

}  // namespace det::core
