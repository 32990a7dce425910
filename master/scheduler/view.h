#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/time/time.h"

#include "common/base/id_map.h"
#include "master/scheduler/gate.h"
#include "master/scheduler/row.h"
#include "master/scheduler/types.h"

// What scheduling sees of the cluster, in ordered indexes that their owner keeps up to date: every
// change costs O(log n), and nothing here is ever rebuilt by a scan. Pure; one thread.
namespace det::scheduler {

struct JobInPool;
struct PoolView;

struct RunningTask {
  Running running;
  JobState* job = nullptr;
  JobInPool* place = nullptr;
  int64_t slots = 0;

  bool could_leave() const { return running.preemptible && !running.leaving && slots > 0; }
};

// The least worth first: the lowest priority, and of those the latest.
struct VictimKey {
  int64_t rank = 0;    // the priority, negated
  int64_t placed = 0;  // when, in nanoseconds, negated
  int64_t task = 0;    // the id, negated
  auto operator<=>(const VictimKey&) const = default;
  static VictimKey Of(const RunningTask& task);
};
using VictimSet = absl::btree_set<Ranked<VictimKey, const RunningTask>>;

struct EndKey {
  int64_t at = 0;  // in nanoseconds
  TaskId task;
  auto operator<=>(const EndKey&) const = default;
  static EndKey Of(const RunningTask& task);
};

struct AgentSlots {
  AgentId agent;
  std::string pool;
  bool known = false;        // was told of; else only what runs there is known
  bool schedulable = false;  // connected and enabled
  std::vector<int> slots;    // all of them, ascending
  std::vector<int> free;     // ascending
  std::vector<int> taken;    // by running tasks, ascending; may name slots that are gone
  int64_t aux_tasks = 0;     // running tasks without slots
  int64_t leaving = 0;       // slots held by tasks that were told to leave
  std::map<int64_t, int64_t> preemptible;  // of tasks that could leave: priority -> slots
  VictimSet tasks;                         // all with slots here

  int64_t capacity() const { return static_cast<int64_t>(slots.size()); }
  int64_t free_count() const { return static_cast<int64_t>(free.size()); }
};

// By name. Most names differ in their first bytes, which are at hand.
struct NameKey {
  std::array<uint64_t, 2> first{};
  const AgentId* name = nullptr;
  friend bool operator<(const NameKey& a, const NameKey& b) {
    return a.first != b.first ? a.first < b.first : *a.name < *b.name;
  }
  static NameKey Of(const AgentSlots& agent);
};
using AgentSet = absl::btree_set<Ranked<NameKey, const AgentSlots>>;

// Of a fair pool: the job with the least for its weight first, of those of one age.
struct UsageKey {
  int64_t youth = 0;  // the age, negated
  double usage = 0;
  int64_t position = 0;
  ExperimentId job;
  auto operator<=>(const UsageKey&) const = default;
  static UsageKey Of(const JobState& job, int64_t next);
};
// The job beside the key it stands at: it is found again whatever has changed meanwhile.
struct UsageEntry {
  UsageKey key;
  JobInPool* place = nullptr;
  friend bool operator<(const UsageEntry& a, const UsageEntry& b) { return a.key < b.key; }
};
using UsageSet = absl::btree_set<UsageEntry>;

// What a job asks for and holds in one pool.
struct JobInPool {
  JobState* job = nullptr;
  PoolView* pool = nullptr;
  int64_t tasks = 0;                                      // that wait or run
  absl::btree_map<SizeClass, std::unique_ptr<Row>> rows;  // of those that wait
  VictimSet victims;                 // of a fair pool: tasks that could be asked to leave
  std::optional<UsageKey> starving;  // where it stands in the pool's
  std::optional<UsageKey> holding;   // the same

  // The first of its ready requests with slots that comes after a task, if there is one.
  ReadyTask FirstReady(TaskId after = TaskId()) const;
};

struct JobState {
  Job job;
  int64_t age = 0;   // how often it went up since it got something
  int64_t held = 0;  // slots of its running tasks
  int64_t leaving = 0;
  int64_t waiting = 0;                     // slots of its waiting tasks
  absl::btree_multiset<int64_t> since;     // of those with slots, in nanoseconds
  absl::btree_multiset<int64_t> placed;    // of running ones with slots
  std::map<std::string, JobInPool> pools;  // in which it waits or runs
  int64_t looked_at = 0;                   // its entry in the order of ageing; 0 is none
  std::unique_ptr<Gate> gate;              // of max_slots; nullptr is none
  Gate* user = nullptr;                    // the quotas' gates
  Gate* workspace = nullptr;

  // Its priority with its age.
  int64_t level() const { return std::max<int64_t>(1, job.priority - age); }
  // What it holds for its weight with so many slots more, not counting what leaves.
  double usage(double more) const {
    return (static_cast<double>(held - leaving) + more) / job.weight;
  }
};

// Where a task without slots goes: less goes first.
struct AuxLoad {
  int64_t tasks = 0;  // without slots
  AgentId agent;
  auto operator<=>(const AuxLoad&) const = default;
};
AuxLoad AuxOf(const AgentSlots& agent);

struct PoolView {
  std::string name;
  PoolRules rules;
  bool dirty = false;
  // All requests with slots, by size and job; where some of them fit into the empty pool and into
  // every limit together with those before them; and those without slots.
  std::map<SizeClass, absl::btree_map<ExperimentId, Row*>> all;
  std::map<SizeClass, RowSet> ready;
  WaitingSet aux;
  // Of a fair pool.
  UsageSet starving;  // jobs with ready requests, with half of the next one
  UsageSet holding;   // jobs with preemptible tasks

  // Schedulable agents: capacity -> free slots -> who.
  std::map<int64_t, std::map<int64_t, AgentSet>> agents;
  std::set<AuxLoad> by_aux;
  std::map<int64_t, AgentSet> soon;  // slots free and leaving -> those where some are leaving
  // Priority -> slots that an agent has once all of that priority or less have left -> who. Only
  // agents with such a task of exactly that priority are here.
  std::map<int64_t, std::map<int64_t, AgentSet>> freeable;
  VictimSet victims;                                        // who could leave, by priority
  absl::btree_set<Ranked<EndKey, const RunningTask>> ends;  // whose end is estimated
  int64_t agent_count = 0;
  int64_t slots_total = 0;
  int64_t slots_free = 0;
  int64_t slots_leaving = 0;

  int64_t largest() const { return agents.empty() ? 0 : agents.rbegin()->first; }
  int64_t most_free() const;
};

class View {
 public:
  explicit View(Rules rules = {}) : rules_(std::move(rules)) {}
  View(View&&) = default;
  View& operator=(View&&) = default;

  // Adds the job or changes what is known of it. It stays until RemoveJob, which wants it to have
  // no tasks left.
  void SetJob(const Job& job);
  void RemoveJob(ExperimentId job);

  // Of a job that is known.
  void AddRequest(const Request& request);
  void RemoveRequest(TaskId task);

  // Adds the agent or replaces what was known of it, but for what runs there.
  void SetAgent(const AgentId& agent,
                const std::string& pool,
                const std::set<int>& slots,
                bool schedulable);
  void RemoveAgent(const AgentId& agent);

  // A task begins or ends to hold slots. Slots that an agent no longer has are left out of account.
  void Start(Running running);
  void Stop(TaskId task);

  // Raises the time, by which jobs age.
  void SetNow(absl::Time now);
  absl::Time now() const { return now_; }

  const Rules& rules() const { return rules_; }
  const std::map<std::string, PoolView>& pools() const { return pools_; }
  const PoolView* FindPool(const std::string& pool) const;
  const AgentSlots* FindAgent(const AgentId& agent) const;
  const Waiting* FindWaiting(TaskId task) const;
  const RunningTask* FindRunning(TaskId task) const;
  const JobState* FindJob(ExperimentId job) const;
  // What is left of the user's or workspace's quota; nothing where there is none.
  std::optional<int64_t> UserQuotaLeft(const std::string& user) const;
  std::optional<int64_t> WorkspaceQuotaLeft(const std::string& workspace) const;

  // Pools in which something changed since the last ClearDirty: only they need a pass.
  const std::set<std::string>& dirty() const { return dirty_; }
  void ClearDirty(const std::string& pool);

  // Everything in the view as text, in order: equal views have equal texts. For tests.
  std::string Dump() const;

 private:
  QueueKey KeyOf(const Waiting& waiting) const;
  void Enter(Waiting& waiting);
  void Leave(Waiting& waiting);
  void Offer(int stage, Waiting& waiting);
  void Retract(Waiting& waiting);
  void Withdraw(int stage, Waiting& waiting);
  void Rebalance(int stage, Gate& gate);
  Gate* GateOf(int stage, const Waiting& waiting);
  bool IsPossible(const Waiting& waiting) const;
  void SetReady(Waiting& waiting, bool ready);

  PoolView& Pool(const std::string& name);
  void MarkDirty(PoolView& pool);
  void Account(const RunningTask& task, int64_t sign);
  JobInPool& PlaceOf(JobState& job, const std::string& pool);
  void CountOut(JobInPool& place);
  void SetVictim(const RunningTask& task, bool in);
  void IndexUsage(JobInPool& place);
  void IndexUsage(JobState& job);
  void UpdateAge(JobState& job);

  void Index(const AgentSlots& agent);
  void Unindex(const AgentSlots& agent);
  void IndexAux(const AgentSlots& agent, bool in);
  void ChangeAux(AgentSlots& agent, int64_t by);
  AgentSlots& AgentEntry(const AgentId& agent);
  void Hold(AgentSlots& agent, const RunningTask& task, const std::vector<int>& slots);
  void Release(AgentSlots& agent, const RunningTask& task, const std::vector<int>& slots);
  void ChangeSize(const std::string& pool, int64_t largest_before, int64_t total_before);

  Rules rules_;
  absl::Time now_ = absl::UnixEpoch();
  std::map<std::string, PoolView> pools_;
  absl::btree_map<AgentId, std::unique_ptr<AgentSlots>> agents_;
  IdMap<TaskId, std::unique_ptr<Waiting>> waiting_;
  IdMap<TaskId, std::unique_ptr<RunningTask>> running_;
  std::map<ExperimentId, JobState> jobs_;
  std::map<std::string, Gate> users_;       // with a quota
  std::map<std::string, Gate> workspaces_;  // the same
  // Jobs by when they may go up, in nanoseconds, or earlier.
  std::set<std::pair<int64_t, ExperimentId>> ageing_;
  std::set<std::string> dirty_;
};

}  // namespace det::scheduler
