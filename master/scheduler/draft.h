#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "master/scheduler/scheduler.h"

namespace det::scheduler {

// A pool's slots with the decisions of one pass taken off, kept beside the view: agents that the
// pass touched live here, the others are read from the view's own indexes.
class Draft {
 public:
  Draft(const View& view, const std::string& pool);

  const PoolView& pool() const { return pool_; }
  Plan TakePlan() { return std::move(plan_); }
  Plan& plan() { return plan_; }
  // The pass has placed as much as one may.
  bool full() const {
    return static_cast<int64_t>(plan_.placements.size()) >= kPlacementsPerPassMax;
  }

  // Gives the request slots that are free. False when it does not fit.
  bool Place(const Waiting& waiting);
  // Keeps slots for it that are free or leaving. False when these are too few.
  bool Promise(const Waiting& waiting);
  // Keeps the agent that lacks least for it from those that may be in its way. Once a pass.
  void Reserve(const Waiting& waiting);
  bool has_reserved() const { return plan_.reserved.has_value(); }
  // No request of more slots fits: on one agent, or on all.
  int64_t Room(bool spans) const;

  // What the agent has once what leaves has left, but for what is promised.
  int64_t Soon(const AgentSlots& agent) const;
  int64_t SoonInAll() const { return soon_; }
  bool IsSignaled(TaskId task) const { return signaled_.contains(task); }
  // The agents that the pass touched, by name.
  std::vector<const AgentSlots*> Touched() const;
  bool IsTouched(const AgentSlots* agent) const { return loads_.contains(agent); }
  // The first agent of the set that the pass has not touched, other than `avoid`; or nullptr.
  const AgentSlots* Clean(const AgentSet& agents, const AgentId& avoid) const;
  // The agent that the request shall not get; empty when it can run nowhere else.
  AgentId Avoided(const Waiting& waiting) const;
  // The tasks leave, and what they leave is promised to the request.
  void Preempt(const Waiting& waiting, const std::vector<const RunningTask*>& victims);

 private:
  struct Load {
    const AgentSlots* agent = nullptr;
    int64_t taken = 0;      // of its free slots
    int64_t signaled = 0;   // will be free too
    int64_t promised = 0;   // of what will be free
    int64_t held_back = 0;  // of what is free, from all but quick ones

    int64_t free() const { return agent->free_count() - taken; }
    int64_t soon() const { return free() + agent->leaving + signaled - promised; }
    int64_t raw() const { return std::max<int64_t>(0, std::min(free(), soon())); }
    int64_t available() const { return std::max<int64_t>(0, raw() - held_back); }
  };
  // Agents by a number of slots, then by name; no agent is before all.
  using Count = std::pair<int64_t, const AgentSlots*>;
  struct ByCount {
    bool operator()(const Count& a, const Count& b) const {
      if (a.first != b.first || a.second == b.second) return a.first < b.first;
      return a.second == nullptr || (b.second != nullptr && a.second->agent < b.second->agent);
    }
  };
  using Counted = std::set<Count, ByCount>;

  template <class Change>
  void Update(const AgentSlots* agent, Change change);
  const AgentSlots* Fewest(int64_t slots, const AgentId& avoid) const;
  const AgentSlots* Most(int64_t slots, const AgentId& avoid) const;
  int64_t Available(const AgentSlots* agent) const;
  void Take(const AgentSlots* agent, int64_t slots, Placement* placement);
  bool PlaceAux(const Waiting& waiting);
  bool PlaceOnOne(const Waiting& waiting, bool quick, Placement* placement);
  bool PlaceOnMany(const Waiting& waiting, Placement* placement);
  const AgentSlots* Nearest(const Waiting& waiting) const;
  // When enough has ended for so many slots, as far as that is known: sets shadow_, and returns
  // what is left over then.
  int64_t Shadow(const std::vector<std::pair<int64_t, int64_t>>& ends, int64_t lacks);
  bool IsQuick(const Waiting& waiting) const;

  const View& view_;
  const PoolView& pool_;
  Plan plan_;
  std::map<const AgentSlots*, Load> loads_;  // for lookups; never iterated for order
  Counted available_;                        // of touched agents
  Counted soon_touched_;                     // the same
  std::set<AuxLoad> aux_;                    // of agents that took one without slots
  std::map<AgentId, AuxLoad> aux_loads_;
  // Where in each set of agents the first untouched one is: what is touched stays so.
  mutable std::map<const AgentSet*, AgentSet::const_iterator> cursors_;
  std::set<TaskId> signaled_;
  int64_t total_ = 0;  // available in all
  int64_t soon_ = 0;   // and with what leaves
  const AgentSlots* reserved_agent_ = nullptr;
  bool reserved_pool_ = false;
  int64_t pool_extra_ = 0;      // what those behind a reservation of the pool may have
  int64_t shadow_ = INT64_MIN;  // when the reserved one starts, in nanoseconds; the least: unknown
};

}  // namespace det::scheduler
