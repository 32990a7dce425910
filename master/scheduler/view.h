#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "common/base/ids.h"

// What scheduling sees of the cluster: requests that wait and agents with free slots, in ordered
// indexes that their owner keeps up to date. Nothing here is ever rebuilt by a scan. Pure.
namespace det::scheduler {

// Tasks without slots that one agent takes at most.
inline constexpr int64_t kAuxTasksPerAgentMax = 100;

// Less goes first.
struct QueueKey {
  int64_t priority = 0;  // 1..99; 0 where the pool's policy ignores priorities
  int64_t position = 0;  // the job's place in its pool
  TaskId task;
  auto operator<=>(const QueueKey&) const = default;
};

struct Request {
  TaskId task;
  std::string pool;
  int64_t slots = 1;
  int64_t priority = 42;
  int64_t position = 0;
  // It can't run here for now, as it seems: taken only where no other agent of the pool has the
  // slots, free or not. Empty is none.
  AgentId avoid;
  // It must not run here, ever.
  std::set<AgentId> excluded;
};

struct AgentSlots {
  AgentId agent;
  std::string pool;
  std::set<int> slots;  // all of them
  std::set<int> free;
  int64_t aux_tasks = 0;    // running tasks without slots
  bool schedulable = true;  // connected and enabled
};

// Where a task without slots goes: less goes first.
struct AuxLoad {
  int64_t tasks = 0;  // without slots
  int64_t free = 0;   // slots
  AgentId agent;
  auto operator<=>(const AuxLoad&) const = default;
};
AuxLoad AuxOf(const AgentSlots& agent);

struct PoolView {
  std::map<QueueKey, Request> ready;                // could run on some agent, were it empty
  std::map<QueueKey, Request> oversized;            // need more slots than any agent has
  std::set<std::pair<int64_t, QueueKey>> by_slots;  // all that wait
  std::multiset<int64_t> capacities;                // total slots of schedulable agents
  std::set<std::pair<int64_t, AgentId>> by_free;    // schedulable agents by free slots
  std::set<AuxLoad> by_aux;                         // the same by tasks without slots
  int64_t slots_total = 0;                          // of schedulable agents
  int64_t slots_free = 0;

  int64_t largest() const { return capacities.empty() ? 0 : *capacities.rbegin(); }
  bool empty() const { return by_slots.empty() && capacities.empty(); }
};

enum class Policy { kPriority, kFifo };

class View {
 public:
  explicit View(Policy policy = Policy::kPriority) : policy_(policy) {}

  void AddRequest(const Request& request);
  void RemoveRequest(TaskId task);

  // Adds the agent or replaces what was known of it, but for what runs there.
  void SetAgent(const AgentId& agent,
                const std::string& pool,
                const std::set<int>& slots,
                bool schedulable);
  void RemoveAgent(const AgentId& agent);

  // A task begins or ends on the agent. Slots that the agent no longer has are left out of account.
  void Take(const AgentId& agent, const std::vector<int>& slots);
  void Release(const AgentId& agent, const std::vector<int>& slots);

  Policy policy() const { return policy_; }
  const std::map<std::string, PoolView>& pools() const { return pools_; }
  const PoolView* FindPool(const std::string& pool) const;
  const AgentSlots* FindAgent(const AgentId& agent) const;
  // Where a waiting task stands, or nothing.
  std::optional<std::pair<std::string, QueueKey>> Find(TaskId task) const;

  // Pools in which something changed since the last ClearDirty: only they need a pass.
  const std::set<std::string>& dirty() const { return dirty_; }
  void ClearDirty(const std::string& pool) { dirty_.erase(pool); }

  friend bool operator==(const View& a, const View& b);

 private:
  QueueKey KeyOf(const Request& request) const;
  void Index(const AgentSlots& agent);
  void Unindex(const AgentSlots& agent);
  void Reindex(const AgentSlots& agent, const AuxLoad& before);
  void Resort(PoolView& pool, int64_t largest_before);

  Policy policy_;
  std::map<std::string, PoolView> pools_;
  std::map<AgentId, AgentSlots> agents_;
  std::map<AgentId, std::multiset<int>>
      taken_;  // by running tasks; -1 stands for one without slots
  std::map<TaskId, std::pair<std::string, QueueKey>> waiting_;
  std::set<std::string> dirty_;
};

}  // namespace det::scheduler
