#include "master/scheduler/scheduler.h"

#include <algorithm>

#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::scheduler {
namespace {

// The agents that a request is not placed on now.
struct Kept {
  AgentId avoided;  // empty is none
  const std::set<AgentId>& excluded;
  bool Off(const AgentId& agent) const { return agent == avoided || excluded.contains(agent); }
};

// A pool's free slots with the placements of one pass taken off, kept beside the view: agents that
// the pass touched live here, the others are read from the view's own index.
class Draft {
 public:
  Draft(const View& view, const PoolView& pool)
      : view_(view), pool_(pool), clean_aux_(pool.by_aux.begin()) {}

  // Takes the slots from the best fitting agent; false when none fits.
  bool Place(const Request& request, Placement* placement) {
    const Kept kept{Avoided(request), request.excluded};
    if (request.slots > 0) return Take(request, BestFit(request.slots, kept), placement);
    const AgentSlots* least = LeastAux(kept);
    const bool fits = least != nullptr && least->aux_tasks < kAuxTasksPerAgentMax;
    return Take(request, fits ? least : nullptr, placement);
  }

  // The same from this one agent.
  bool PlaceOn(const AgentId& id, const Request& request, Placement* placement) {
    const AgentSlots* agent = Now(id);
    const bool fits = request.slots == 0
                          ? agent->aux_tasks < kAuxTasksPerAgentMax
                          : static_cast<int64_t>(agent->free.size()) >= request.slots;
    const bool off = Kept{Avoided(request), request.excluded}.Off(id);
    return !off && Take(request, fits ? agent : nullptr, placement);
  }

  // The agent that the request shall not get; empty when it can run nowhere else.
  AgentId Avoided(const Request& request) const {
    const AgentSlots* agent = request.avoid.empty() ? nullptr : view_.FindAgent(request.avoid);
    if (agent == nullptr || !pool_.by_free.contains({agent->free.size(), agent->agent})) return {};
    auto other = pool_.capacities.lower_bound(request.slots);
    const bool itself = static_cast<int64_t>(agent->slots.size()) >= request.slots;
    if (itself && other != pool_.capacities.end()) ++other;
    return other == pool_.capacities.end() ? AgentId() : request.avoid;
  }

  bool CouldEverRunOn(const AgentId& id, const Request& request) const {
    return !Kept{Avoided(request), request.excluded}.Off(id) &&
           static_cast<int64_t>(view_.FindAgent(id)->slots.size()) >= request.slots;
  }

 private:
  bool Take(const Request& request, const AgentSlots* from, Placement* placement) {
    if (from == nullptr) return false;
    AgentSlots& agent = Touch(*from);
    placement->task = request.task;
    placement->agent = agent.agent;
    by_free_.erase({agent.free.size(), agent.agent});
    by_aux_.erase(AuxOf(agent));
    for (int64_t i = 0; i < request.slots; ++i) {
      placement->slots.push_back(*agent.free.begin());
      agent.free.erase(agent.free.begin());
    }
    if (request.slots == 0) ++agent.aux_tasks;
    by_free_.emplace(agent.free.size(), agent.agent);
    by_aux_.insert(AuxOf(agent));
    return true;
  }

  const AgentSlots* Now(const AgentId& id) const {
    const auto touched = touched_.find(id);
    return touched == touched_.end() ? view_.FindAgent(id) : &touched->second;
  }

  const AgentSlots* BestFit(int64_t slots, const Kept& kept) const {
    const std::pair<int64_t, AgentId> from{slots, AgentId()};
    auto clean = pool_.by_free.lower_bound(from);
    while (clean != pool_.by_free.end() &&
           (touched_.contains(clean->second) || kept.Off(clean->second))) {
      ++clean;
    }
    auto touched = by_free_.lower_bound(from);
    while (touched != by_free_.end() && kept.Off(touched->second)) ++touched;
    const bool use_touched =
        touched != by_free_.end() && (clean == pool_.by_free.end() || *touched < *clean);
    if (use_touched) return &touched_.at(touched->second);
    return clean == pool_.by_free.end() ? nullptr : view_.FindAgent(clean->second);
  }

  // Tasks without slots go where the fewest of them run, and of such agents to the fullest.
  const AgentSlots* LeastAux(const Kept& kept) {
    // What is touched stays so: no placement passes over it again.
    while (clean_aux_ != pool_.by_aux.end() && touched_.contains(clean_aux_->agent)) ++clean_aux_;
    auto clean = clean_aux_;
    while (clean != pool_.by_aux.end() &&
           (touched_.contains(clean->agent) || kept.Off(clean->agent))) {
      ++clean;
    }
    auto touched = by_aux_.begin();
    while (touched != by_aux_.end() && kept.Off(touched->agent)) ++touched;
    const bool use_touched =
        touched != by_aux_.end() && (clean == pool_.by_aux.end() || *touched < *clean);
    if (use_touched) return &touched_.at(touched->agent);
    return clean == pool_.by_aux.end() ? nullptr : view_.FindAgent(clean->agent);
  }

  AgentSlots& Touch(const AgentSlots& agent) {
    return touched_.try_emplace(agent.agent, agent).first->second;
  }

  const View& view_;
  const PoolView& pool_;
  std::map<AgentId, AgentSlots> touched_;
  std::set<std::pair<int64_t, AgentId>> by_free_;  // of touched agents
  std::set<AuxLoad> by_aux_;                       // the same
  std::set<AuxLoad>::const_iterator clean_aux_;    // agents before it are touched
};

absl::Status Bad(TaskId task, std::string_view what) {
  return Error(
      absl::StatusCode::kInternal, "BAD_PLAN", StrCat("plan for task ", task.value(), ": ", what));
}

}  // namespace

Plan Schedule(const View& view, const std::string& pool_name) {
  Plan plan;
  const PoolView* pool = view.FindPool(pool_name);
  if (pool == nullptr) return plan;
  Draft draft(view, *pool);
  // What the first request that must wait avoids: those behind it may have that, and nothing else.
  AgentId only;
  int64_t passed_over = 0;
  for (const auto& [key, request] : pool->ready) {
    if (static_cast<int64_t>(plan.placements.size()) == kPlacementsPerPassMax) {
      plan.complete = false;
      break;
    }
    Placement placement;
    if (only.empty() ? draft.Place(request, &placement)
                     : draft.PlaceOn(only, request, &placement)) {
      plan.placements.push_back(std::move(placement));
      continue;
    }
    // It may wait for an agent that never comes: those behind it may have what it must not.
    if (!request.excluded.empty() && passed_over < kPassedOverMax) {
      ++passed_over;
      continue;
    }
    if (only.empty()) {
      only = draft.Avoided(request);
      if (only.empty()) break;
    } else if (draft.CouldEverRunOn(only, request) || ++passed_over == kPassedOverMax) {
      break;
    }
  }
  return plan;
}

absl::Status CheckPlan(const View& view, const std::string& pool, const Plan& plan) {
  std::set<TaskId> tasks;
  std::set<std::pair<AgentId, int>> used;
  for (const Placement& placement : plan.placements) {
    const auto where = view.Find(placement.task);
    if (!where.has_value() || where->first != pool)
      return Bad(placement.task, "does not wait here");
    if (!tasks.insert(placement.task).second) return Bad(placement.task, "placed twice");
    const PoolView& waiting = *view.FindPool(pool);
    const auto request = waiting.ready.find(where->second);
    if (request == waiting.ready.end()) return Bad(placement.task, "is too large for every agent");
    if (request->second.slots != static_cast<int64_t>(placement.slots.size())) {
      return Bad(placement.task, "got another number of slots than it asked for");
    }
    const AgentSlots* agent = view.FindAgent(placement.agent);
    if (agent == nullptr || !agent->schedulable || agent->pool != pool) {
      return Bad(placement.task, StrCat("agent ", placement.agent.value(), " can't take it"));
    }
    if (request->second.excluded.contains(placement.agent)) {
      return Bad(placement.task, StrCat("agent ", placement.agent.value(), " is excluded"));
    }
    for (const int slot : placement.slots) {
      if (!agent->free.contains(slot) || !used.emplace(placement.agent, slot).second) {
        return Bad(placement.task,
                   StrCat("slot ", slot, " of ", placement.agent.value(), " is not free"));
      }
    }
  }
  return absl::OkStatus();
}

Explanation Explain(const View& view, TaskId task) {
  const auto where = view.Find(task);
  if (!where.has_value()) return {.code = "NOT_WAITING", .text = "does not wait for slots"};
  const PoolView& pool = *view.FindPool(where->first);
  Explanation explanation;
  for (auto it = pool.ready.begin(); it != pool.ready.end() && it->first < where->second; ++it) {
    if (++explanation.ahead == kAheadMax) break;
  }
  const auto oversized = pool.oversized.find(where->second);
  const Request& request =
      oversized == pool.oversized.end() ? pool.ready.at(where->second) : oversized->second;
  const std::string needs = StrCat("needs ",
                                   request.slots,
                                   request.slots == 1 ? " slot" : " slots",
                                   " on one agent of pool \"",
                                   where->first,
                                   "\"");
  if (pool.capacities.empty()) {
    explanation.code = "NO_AGENTS";
    explanation.text = StrCat(needs, "; the pool has no connected agent");
  } else if (oversized != pool.oversized.end()) {
    explanation.code = "TOO_LARGE";
    explanation.text = StrCat(needs, "; its largest agent has ", pool.largest());
  } else {
    const int64_t most_free = pool.by_free.empty() ? 0 : pool.by_free.rbegin()->first;
    explanation.code = most_free >= request.slots ? "SCHEDULABLE" : "WAITING_FOR_SLOTS";
    if (explanation.ahead > 0) explanation.code = "WAITING_FOR_TURN";
    explanation.text = StrCat(needs,
                              "; the most free on one agent is ",
                              most_free,
                              "; ",
                              explanation.ahead,
                              explanation.ahead == kAheadMax ? " or more" : "",
                              explanation.ahead == 1 ? " request is" : " requests are",
                              " ahead of it");
    if (!request.excluded.empty()) {
      StrAppend(explanation.text,
                "; its log excludes agents ",
                StrJoin(request.excluded, ", ", [](const AgentId& id) { return id.value(); }));
    }
    if (!request.avoid.empty()) {
      StrAppend(explanation.text,
                "; it keeps off agent ",
                request.avoid.value(),
                ", which failed to prepare it, where another could take it");
    }
  }
  return explanation;
}

}  // namespace det::scheduler
