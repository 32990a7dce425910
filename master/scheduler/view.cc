#include "master/scheduler/view.h"

#include <algorithm>

#include "common/base/check.h"

namespace det::scheduler {

AuxLoad AuxOf(const AgentSlots& agent) {
  return {.tasks = agent.aux_tasks,
          .free = static_cast<int64_t>(agent.free.size()),
          .agent = agent.agent};
}

QueueKey View::KeyOf(const Request& request) const {
  return {.priority = policy_ == Policy::kFifo ? 0 : request.priority,
          .position = request.position,
          .task = request.task};
}

void View::AddRequest(const Request& request) {
  const QueueKey key = KeyOf(request);
  DET_CHECK(waiting_.emplace(request.task, std::pair(request.pool, key)).second, "already waits");
  PoolView& pool = pools_[request.pool];
  pool.by_slots.emplace(request.slots, key);
  (request.slots <= pool.largest() ? pool.ready : pool.oversized).emplace(key, request);
  dirty_.insert(request.pool);
}

void View::RemoveRequest(TaskId task) {
  const auto it = waiting_.find(task);
  DET_CHECK(it != waiting_.end(), "does not wait");
  const auto [pool_name, key] = it->second;
  waiting_.erase(it);
  PoolView& pool = pools_[pool_name];
  auto& requests = pool.ready.contains(key) ? pool.ready : pool.oversized;
  const auto request = requests.find(key);
  pool.by_slots.erase({request->second.slots, key});
  requests.erase(request);
  dirty_.insert(pool_name);
  if (pool.empty()) pools_.erase(pool_name);
}

void View::SetAgent(const AgentId& agent,
                    const std::string& pool,
                    const std::set<int>& slots,
                    bool schedulable) {
  const auto known = agents_.find(agent);
  if (known != agents_.end()) Unindex(known->second);
  AgentSlots& entry = agents_[agent];
  entry = {.agent = agent, .pool = pool, .slots = slots, .free = slots, .schedulable = schedulable};
  if (const auto taken = taken_.find(agent); taken != taken_.end()) {
    for (const int slot : taken->second) {
      if (slot < 0) ++entry.aux_tasks;
      entry.free.erase(slot);
    }
  }
  Index(entry);
}

void View::RemoveAgent(const AgentId& agent) {
  const auto it = agents_.find(agent);
  if (it == agents_.end()) return;
  Unindex(it->second);
  agents_.erase(it);
}

void View::Take(const AgentId& agent, const std::vector<int>& slots) {
  std::multiset<int>& taken = taken_[agent];
  if (slots.empty()) taken.insert(-1);
  taken.insert(slots.begin(), slots.end());
  const auto it = agents_.find(agent);
  if (it == agents_.end()) return;
  const AuxLoad before = AuxOf(it->second);
  if (slots.empty()) ++it->second.aux_tasks;
  for (const int slot : slots) it->second.free.erase(slot);
  Reindex(it->second, before);
}

void View::Release(const AgentId& agent, const std::vector<int>& slots) {
  std::multiset<int>& taken = taken_[agent];
  const auto give_back = [&](int slot) {
    const auto at = taken.find(slot);
    DET_CHECK(at != taken.end(), "slot was not taken");
    taken.erase(at);
  };
  if (slots.empty()) give_back(-1);
  for (const int slot : slots) give_back(slot);
  if (const auto it = agents_.find(agent); it != agents_.end()) {
    const AuxLoad before = AuxOf(it->second);
    if (slots.empty()) --it->second.aux_tasks;
    for (const int slot : slots) {
      if (it->second.slots.contains(slot) && !taken.contains(slot)) it->second.free.insert(slot);
    }
    Reindex(it->second, before);
  }
  if (taken.empty()) taken_.erase(agent);
}

// The agent's size stays, so what waits stays where it is: O(log n).
void View::Reindex(const AgentSlots& agent, const AuxLoad& before) {
  dirty_.insert(agent.pool);
  if (!agent.schedulable) return;
  PoolView& pool = pools_[agent.pool];
  const AuxLoad now = AuxOf(agent);
  pool.by_free.erase({before.free, agent.agent});
  pool.by_free.emplace(now.free, agent.agent);
  pool.by_aux.erase(before);
  pool.by_aux.insert(now);
  pool.slots_free += now.free - before.free;
}

void View::Index(const AgentSlots& agent) {
  dirty_.insert(agent.pool);
  if (!agent.schedulable) return;
  PoolView& pool = pools_[agent.pool];
  const int64_t before = pool.largest();
  const auto total = static_cast<int64_t>(agent.slots.size());
  const auto free = static_cast<int64_t>(agent.free.size());
  pool.capacities.insert(total);
  pool.by_free.emplace(free, agent.agent);
  pool.by_aux.insert(AuxOf(agent));
  pool.slots_total += total;
  pool.slots_free += free;
  Resort(pool, before);
}

void View::Unindex(const AgentSlots& agent) {
  dirty_.insert(agent.pool);
  if (!agent.schedulable) return;
  PoolView& pool = pools_[agent.pool];
  const int64_t before = pool.largest();
  const auto total = static_cast<int64_t>(agent.slots.size());
  const auto free = static_cast<int64_t>(agent.free.size());
  pool.capacities.erase(pool.capacities.find(total));
  pool.by_free.erase({free, agent.agent});
  pool.by_aux.erase(AuxOf(agent));
  pool.slots_total -= total;
  pool.slots_free -= free;
  Resort(pool, before);
  if (pool.empty()) pools_.erase(agent.pool);
}

// Moves requests whose size lies between the old and the new largest agent.
void View::Resort(PoolView& pool, int64_t largest_before) {
  const int64_t largest = pool.largest();
  if (largest == largest_before) return;
  auto& from = largest > largest_before ? pool.oversized : pool.ready;
  auto& to = largest > largest_before ? pool.ready : pool.oversized;
  const int64_t low = std::min(largest, largest_before);
  const int64_t high = std::max(largest, largest_before);
  for (auto it = pool.by_slots.lower_bound({low + 1, QueueKey{.priority = INT64_MIN}});
       it != pool.by_slots.end() && it->first <= high;
       ++it) {
    to.insert(from.extract(it->second));
  }
}

const PoolView* View::FindPool(const std::string& pool) const {
  const auto it = pools_.find(pool);
  return it == pools_.end() ? nullptr : &it->second;
}

const AgentSlots* View::FindAgent(const AgentId& agent) const {
  const auto it = agents_.find(agent);
  return it == agents_.end() ? nullptr : &it->second;
}

std::optional<std::pair<std::string, QueueKey>> View::Find(TaskId task) const {
  const auto it = waiting_.find(task);
  if (it == waiting_.end()) return std::nullopt;
  return it->second;
}

namespace {
auto Parts(const Request& r) {
  return std::tie(r.task, r.pool, r.slots, r.priority, r.position, r.avoid, r.excluded);
}
auto Parts(const AgentSlots& a) {
  return std::tie(a.agent, a.pool, a.slots, a.free, a.aux_tasks, a.schedulable);
}
template <class Map>
bool SameMaps(const Map& a, const Map& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.first == y.first && Parts(x.second) == Parts(y.second);
  });
}
bool SamePools(const PoolView& a, const PoolView& b) {
  return SameMaps(a.ready, b.ready) && SameMaps(a.oversized, b.oversized) &&
         a.by_slots == b.by_slots && a.capacities == b.capacities && a.by_free == b.by_free &&
         a.by_aux == b.by_aux && a.slots_total == b.slots_total && a.slots_free == b.slots_free;
}
}  // namespace

bool operator==(const View& a, const View& b) {
  return std::equal(a.pools_.begin(),
                    a.pools_.end(),
                    b.pools_.begin(),
                    b.pools_.end(),
                    [](const auto& x, const auto& y) {
                      return x.first == y.first && SamePools(x.second, y.second);
                    }) &&
         SameMaps(a.agents_, b.agents_) && a.taken_ == b.taken_ && a.waiting_ == b.waiting_;
}

}  // namespace det::scheduler
