#include <algorithm>

#include "common/base/check.h"
#include "master/scheduler/view.h"

// The half of the view that knows what runs where.
namespace det::scheduler {
namespace {

// How many of the slots the agent has.
int64_t Existing(const AgentSlots& agent, const std::vector<int>& slots) {
  return std::count_if(slots.begin(), slots.end(), [&](int slot) {
    return std::binary_search(agent.slots.begin(), agent.slots.end(), slot);
  });
}

void InsertSorted(std::vector<int>& list, int slot) {
  list.insert(std::upper_bound(list.begin(), list.end(), slot), slot);
}

bool EraseSorted(std::vector<int>& list, int slot) {
  const auto it = std::lower_bound(list.begin(), list.end(), slot);
  if (it == list.end() || *it != slot) return false;
  list.erase(it);
  return true;
}

void CountLeave(AgentSlots& agent, const RunningTask& task, int64_t slots) {
  if (task.running.leaving) agent.leaving += slots;
  if (!task.could_leave()) return;
  const auto it = agent.preemptible.try_emplace(task.running.priority).first;
  it->second += slots;
  if (it->second == 0) agent.preemptible.erase(it);
}

// Fair shares are taken back wherever they are: only priorities ask for the cheapest agent.
bool HasFreeable(const PoolView& pool) {
  return pool.rules.preemption && pool.rules.policy == Policy::kPriority;
}

void EraseAgent(std::map<int64_t, std::map<int64_t, AgentSet>>& index,
                int64_t first,
                int64_t second,
                const AgentSlots* agent) {
  const auto outer = index.find(first);
  const auto inner = outer->second.find(second);
  inner->second.erase(agent);
  if (!inner->second.empty()) return;
  outer->second.erase(inner);
  if (outer->second.empty()) index.erase(outer);
}

}  // namespace

AuxLoad AuxOf(const AgentSlots& agent) {
  return {.tasks = agent.aux_tasks, .agent = agent.agent};
}

int64_t Running::slots() const {
  int64_t count = 0;
  for (const Piece& piece : pieces) count += static_cast<int64_t>(piece.slots.size());
  return count;
}

VictimKey VictimKey::Of(const RunningTask& task) {
  const Running& running = task.running;
  return {.rank = -running.priority,
          .placed = -absl::ToUnixNanos(running.placed_at),
          .task = -running.task.value()};
}

EndKey EndKey::Of(const RunningTask& task) {
  return {.at = absl::ToUnixNanos(task.running.ends_at), .task = task.running.task};
}

NameKey NameKey::Of(const AgentSlots& agent) {
  NameKey key{.name = &agent.agent};
  const std::string& name = agent.agent.value();
  for (size_t i = 0; i < 16 && i < name.size(); ++i) {
    const auto byte = static_cast<uint64_t>(static_cast<unsigned char>(name[i]));
    key.first[i / 8] |= byte << (56 - 8 * (i % 8));
  }
  return key;
}

int64_t PoolView::most_free() const {
  int64_t most = 0;
  for (const auto& [capacity, by_free] : agents) most = std::max(most, by_free.rbegin()->first);
  return most;
}

void View::SetAgent(const AgentId& agent,
                    const std::string& pool,
                    const std::set<int>& slots,
                    bool schedulable) {
  RemoveAgent(agent);
  AgentSlots& entry = AgentEntry(agent);
  entry.pool = pool;
  entry.known = true;
  entry.schedulable = schedulable;
  entry.slots.assign(slots.begin(), slots.end());
  entry.free = entry.slots;
  for (const int slot : entry.taken) EraseSorted(entry.free, slot);
  entry.leaving = 0;
  entry.preemptible.clear();
  for (const RunningTask* task : entry.tasks) {
    for (const Piece& piece : task->running.pieces) {
      if (piece.agent == agent) CountLeave(entry, *task, Existing(entry, piece.slots));
    }
  }
  PoolView& view = Pool(pool);
  const int64_t largest = view.largest();
  const int64_t total = view.slots_total;
  Index(entry);
  IndexAux(entry, true);
  ChangeSize(pool, largest, total);
  MarkDirty(view);
}

void View::RemoveAgent(const AgentId& agent) {
  const auto it = agents_.find(agent);
  if (it == agents_.end() || !it->second->known) return;
  AgentSlots& entry = *it->second;
  PoolView& view = Pool(entry.pool);
  const int64_t largest = view.largest();
  const int64_t total = view.slots_total;
  Unindex(entry);
  IndexAux(entry, false);
  entry.known = false;
  ChangeSize(entry.pool, largest, total);
  MarkDirty(view);
  if (entry.tasks.empty() && entry.aux_tasks == 0) agents_.erase(it);
}

void View::Index(const AgentSlots& agent) {
  if (!agent.known || !agent.schedulable) return;
  PoolView& pool = Pool(agent.pool);
  pool.agents[agent.capacity()][agent.free_count()].insert(&agent);
  ++pool.agent_count;
  pool.slots_total += agent.capacity();
  pool.slots_free += agent.free_count();
  pool.slots_leaving += agent.leaving;
  if (agent.leaving > 0) pool.soon[agent.free_count() + agent.leaving].insert(&agent);
  if (!HasFreeable(pool)) return;
  int64_t slots = agent.free_count() + agent.leaving;
  for (auto it = agent.preemptible.rbegin(); it != agent.preemptible.rend(); ++it) {
    slots += it->second;
    pool.freeable[it->first][slots].insert(&agent);
  }
}

void View::Unindex(const AgentSlots& agent) {
  if (!agent.known || !agent.schedulable) return;
  PoolView& pool = Pool(agent.pool);
  EraseAgent(pool.agents, agent.capacity(), agent.free_count(), &agent);
  --pool.agent_count;
  pool.slots_total -= agent.capacity();
  pool.slots_free -= agent.free_count();
  pool.slots_leaving -= agent.leaving;
  if (agent.leaving > 0) {
    const auto soon = pool.soon.find(agent.free_count() + agent.leaving);
    soon->second.erase(&agent);
    if (soon->second.empty()) pool.soon.erase(soon);
  }
  if (!HasFreeable(pool)) return;
  int64_t slots = agent.free_count() + agent.leaving;
  for (auto it = agent.preemptible.rbegin(); it != agent.preemptible.rend(); ++it) {
    slots += it->second;
    EraseAgent(pool.freeable, it->first, slots, &agent);
  }
}

void View::IndexAux(const AgentSlots& agent, bool in) {
  if (!agent.known || !agent.schedulable) return;
  std::set<AuxLoad>& by_aux = Pool(agent.pool).by_aux;
  in ? (void)by_aux.insert(AuxOf(agent)) : (void)by_aux.erase(AuxOf(agent));
}

void View::ChangeAux(AgentSlots& agent, int64_t by) {
  IndexAux(agent, false);
  agent.aux_tasks += by;
  IndexAux(agent, true);
}

AgentSlots& View::AgentEntry(const AgentId& agent) {
  std::unique_ptr<AgentSlots>& entry = agents_[agent];
  if (entry == nullptr) entry = std::make_unique<AgentSlots>(AgentSlots{.agent = agent});
  return *entry;
}

void View::Hold(AgentSlots& agent, const RunningTask& task, const std::vector<int>& slots) {
  Unindex(agent);
  if (slots.empty()) ChangeAux(agent, 1);
  for (const int slot : slots) {
    InsertSorted(agent.taken, slot);
    EraseSorted(agent.free, slot);
  }
  if (!slots.empty()) agent.tasks.insert(&task);
  CountLeave(agent, task, Existing(agent, slots));
  Index(agent);
  if (agent.known) MarkDirty(Pool(agent.pool));
}

void View::Release(AgentSlots& agent, const RunningTask& task, const std::vector<int>& slots) {
  Unindex(agent);
  if (slots.empty()) ChangeAux(agent, -1);
  for (const int slot : slots) {
    DET_CHECK(EraseSorted(agent.taken, slot), "slot was not taken");
    const bool again = std::binary_search(agent.taken.begin(), agent.taken.end(), slot);
    const bool exists = std::binary_search(agent.slots.begin(), agent.slots.end(), slot);
    if (exists && !again) InsertSorted(agent.free, slot);
  }
  agent.tasks.erase(&task);
  CountLeave(agent, task, -Existing(agent, slots));
  Index(agent);
  if (agent.known) MarkDirty(Pool(agent.pool));
  if (!agent.known && agent.tasks.empty() && agent.aux_tasks == 0) agents_.erase(agent.agent);
}

void View::Start(Running running) {
  const auto job = jobs_.find(running.job);
  DET_CHECK(job != jobs_.end(), "a task of a job that is not known");
  std::unique_ptr<RunningTask>& task = running_[running.task];
  DET_CHECK(task == nullptr, "already runs");
  const int64_t slots = running.slots();
  task = std::make_unique<RunningTask>(
      RunningTask{.running = std::move(running), .job = &job->second, .slots = slots});
  task->place = &PlaceOf(job->second, task->running.pool);
  Account(*task, 1);
  for (const Piece& piece : task->running.pieces) {
    Hold(AgentEntry(piece.agent), *task, piece.slots);
  }
}

void View::Stop(TaskId id) {
  const std::unique_ptr<RunningTask> task = running_.Take(id);
  DET_CHECK(task != nullptr, "does not run");
  for (const Piece& piece : task->running.pieces) {
    Release(*agents_.at(piece.agent), *task, piece.slots);
  }
  Account(*task, -1);
  CountOut(*task->place);
}

// What the job holds, and what is left of limits.
void View::Account(const RunningTask& task, int64_t sign) {
  if (task.slots == 0) return;
  JobState& job = *task.job;
  const int64_t placed = absl::ToUnixNanos(task.running.placed_at);
  job.held += sign * task.slots;
  if (task.running.leaving) job.leaving += sign * task.slots;
  if (sign > 0) {
    job.placed.insert(placed);
  } else {
    job.placed.erase(job.placed.find(placed));
  }
  SetVictim(task, sign > 0);
  IndexUsage(job);
  int stage = 0;
  for (Gate* gate : {job.gate.get(), job.user, job.workspace}) {
    if (gate != nullptr) {
      gate->used += sign * task.slots;
      Rebalance(stage, *gate);
    }
    ++stage;
  }
  UpdateAge(job);
}

void View::SetVictim(const RunningTask& task, bool in) {
  PoolView& pool = *task.place->pool;
  if (task.running.ends_at != absl::InfiniteFuture()) {
    in ? (void)pool.ends.insert(&task) : (void)pool.ends.erase(&task);
  }
  if (!pool.rules.preemption || !task.could_leave()) return;
  const bool fair = pool.rules.policy == Policy::kFairShare;
  VictimSet& victims = fair ? task.place->victims : pool.victims;
  in ? (void)victims.insert(&task) : (void)victims.erase(&task);
}

}  // namespace det::scheduler
