#include "master/core/state_hash.h"

#include "common/base/archive.h"
#include "master/spec/parse.h"

namespace det::core {
namespace {

template <class T>
uint64_t Part(const T& aggregate) {
  return Mix64(ArchiveHash(aggregate));
}

uint64_t HeadPart(const Experiment& experiment) {
  ArchiveWriter writer;
  FieldsOfHead(writer, const_cast<Experiment&>(experiment));
  return Mix64(StableHash(writer.Take()));
}

// 0 when the aggregate is not in the state.
uint64_t PartOf(const State& state, const Key& key) {
  if (const auto* id = std::get_if<ExperimentId>(&key)) {
    const Experiment* experiment = state.Find(*id);
    return experiment == nullptr ? 0 : HeadPart(*experiment);
  }
  if (const auto* id = std::get_if<TrialId>(&key)) {
    const Trial* trial = state.Find(*id);
    return trial == nullptr ? 0 : Part(*trial);
  }
  if (const auto* id = std::get_if<TaskId>(&key)) {
    const Task* task = state.Find(*id);
    return task == nullptr ? 0 : Part(*task);
  }
  const Agent* agent = state.Find(std::get<AgentId>(key));
  return agent == nullptr ? 0 : Part(*agent);
}

}  // namespace

uint64_t CompleteHash(const State& state) {
  StableHasher hasher;
  hasher.Feed(static_cast<uint64_t>(state.seq));
  hasher.Feed(ArchiveHash(state.next));
  for (const auto& [id, experiment] : state.experiments) {
    hasher.Feed(HeadPart(experiment));
    hasher.Feed(ToValue(*experiment.spec).ToJson());
    hasher.Feed(ArchiveHash(experiment.search));
  }
  for (const auto& [id, trial] : state.trials) hasher.Feed(Part(trial));
  for (const auto& [id, task] : state.tasks) hasher.Feed(Part(task));
  for (const auto& [id, agent] : state.agents) hasher.Feed(Part(agent));
  return hasher.Finish();
}

void RunningHash::Reset(const State& state) {
  parts_.clear();
  sum_ = 0;
  std::set<Key> all;
  for (const auto& [id, experiment] : state.experiments) all.insert(id);
  for (const auto& [id, trial] : state.trials) all.insert(id);
  for (const auto& [id, task] : state.tasks) all.insert(id);
  for (const auto& [id, agent] : state.agents) all.insert(id);
  Update(state, all);
}

void RunningHash::Update(const State& state, const std::set<Key>& changed) {
  for (const Key& key : changed) {
    const uint64_t part = PartOf(state, key);
    const auto it = parts_.find(key);
    if (it != parts_.end()) sum_ -= it->second;
    sum_ += part;
    if (part != 0) {
      parts_[key] = part;
    } else if (it != parts_.end()) {
      parts_.erase(it);
    }
  }
}

}  // namespace det::core
