#include "master/scheduler/draft.h"

#include <algorithm>

namespace det::scheduler {

Draft::Draft(const View& view, const std::string& pool)
    : view_(view),
      pool_(*view.FindPool(pool)),
      total_(pool_.slots_free),
      soon_(pool_.slots_free + pool_.slots_leaving) {}

template <class Change>
void Draft::Update(const AgentSlots* agent, Change change) {
  const auto [it, added] = loads_.try_emplace(agent, Load{.agent = agent});
  Load& load = it->second;
  if (!added) {
    available_.erase({load.available(), agent});
    soon_touched_.erase({load.soon(), agent});
  }
  total_ -= load.available();
  soon_ -= load.soon();
  change(load);
  total_ += load.available();
  soon_ += load.soon();
  available_.emplace(load.available(), agent);
  soon_touched_.emplace(load.soon(), agent);
}

int64_t Draft::Available(const AgentSlots* agent) const {
  const auto it = loads_.find(agent);
  return it == loads_.end() ? agent->free_count() : it->second.available();
}

int64_t Draft::Soon(const AgentSlots& agent) const {
  const auto it = loads_.find(&agent);
  return it == loads_.end() ? agent.free_count() + agent.leaving : it->second.soon();
}

std::vector<const AgentSlots*> Draft::Touched() const {
  std::vector<const AgentSlots*> touched;
  for (const auto& [available, agent] : available_) touched.push_back(agent);
  return touched;
}

const AgentSlots* Draft::Clean(const AgentSet& agents, const Kept& kept) const {
  auto& at = cursors_.try_emplace(&agents, agents.begin()).first->second;
  while (at != agents.end() && IsTouched(*at)) ++at;
  auto it = at;
  while (it != agents.end() && (IsTouched(*it) || kept.Off((*it)->agent))) ++it;
  if (it == agents.end()) return nullptr;
  return *it;
}

// The agent with the fewest available slots that suffice.
const AgentSlots* Draft::Fewest(int64_t slots, const Kept& kept) const {
  Count best{0, nullptr};
  const auto offer = [&](const Count& candidate) {
    if (best.second == nullptr || ByCount()(candidate, best)) best = candidate;
  };
  for (auto cap = pool_.agents.lower_bound(slots); cap != pool_.agents.end(); ++cap) {
    for (auto it = cap->second.lower_bound(slots); it != cap->second.end(); ++it) {
      if (best.second != nullptr && best.first < it->first) break;
      const AgentSlots* agent = Clean(it->second, kept);
      if (agent == nullptr) continue;
      offer({it->first, agent});
      break;
    }
  }
  auto touched = available_.lower_bound({slots, nullptr});
  while (touched != available_.end() && kept.Off(touched->second->agent)) ++touched;
  if (touched != available_.end()) offer(*touched);
  return best.second;
}

// The agent with the most available slots, if these suffice.
const AgentSlots* Draft::Most(int64_t slots, const Kept& kept) const {
  Count best{0, nullptr};
  const auto offer = [&](const Count& candidate) {
    const bool more = candidate.first > best.first ||
                      (candidate.first == best.first && ByCount()(candidate, best));
    if (best.second == nullptr || more) best = candidate;
  };
  for (auto cap = pool_.agents.lower_bound(slots); cap != pool_.agents.end(); ++cap) {
    for (auto it = cap->second.rbegin(); it != cap->second.rend() && it->first >= slots; ++it) {
      const AgentSlots* agent = Clean(it->second, kept);
      if (agent == nullptr) continue;
      offer({it->first, agent});
      break;
    }
  }
  for (auto it = available_.rbegin(); it != available_.rend() && it->first >= slots; ++it) {
    if (best.second != nullptr && it->first < best.first) break;
    if (!kept.Off(it->second->agent)) offer(*it);
  }
  return best.second;
}

int64_t Draft::Room(bool spans) const {
  if (shadow_ != INT64_MIN) return spans ? SoonInAll() : pool_.largest();
  if (reserved_pool_) return std::min(pool_extra_, total_);
  if (spans) return total_;
  const AgentSlots* most = Most(1, Kept());
  return most == nullptr ? 0 : Available(most);
}

Kept Draft::Avoided(const Waiting& waiting) const {
  const Request& request = waiting.request;
  const Kept none{.excluded = &request.excluded};
  const Kept avoids{.avoided = request.avoid, .excluded = &request.excluded};
  if (request.avoid.empty()) return none;
  const AgentSlots* agent = view_.FindAgent(request.avoid);
  if (agent == nullptr || !agent->schedulable || agent->pool != request.pool) return none;
  if (request.spans && pool_.slots_total - agent->capacity() >= request.slots) return avoids;
  for (auto cap = pool_.agents.lower_bound(request.slots); cap != pool_.agents.end(); ++cap) {
    for (const auto& [free, agents] : cap->second) {
      if (agents.size() > 1 || *agents.begin() != agent) return avoids;
    }
  }
  return none;
}

bool Draft::IsQuick(const Waiting& waiting) const {
  const absl::Duration runs_for = waiting.request.runs_for;
  if (shadow_ == INT64_MIN || runs_for == absl::InfiniteDuration()) return false;
  return absl::ToUnixNanos(view_.now() + runs_for) <= shadow_;
}

bool Draft::Place(const Waiting& waiting) {
  const Request& request = waiting.request;
  if (request.slots == 0) return PlaceAux(waiting);
  const bool quick = IsQuick(waiting);
  if (reserved_pool_ && !quick && request.slots > pool_extra_) return false;
  Placement placement{.task = request.task, .priority = waiting.job->level()};
  if (!PlaceOnOne(waiting, quick, &placement) &&
      !(request.spans && PlaceOnMany(waiting, &placement))) {
    return false;
  }
  if (reserved_pool_ && !quick) pool_extra_ -= request.slots;
  plan_.placements.push_back(std::move(placement));
  return true;
}

bool Draft::PlaceOnOne(const Waiting& waiting, bool quick, Placement* placement) {
  const int64_t slots = waiting.request.slots;
  const Kept kept = Avoided(waiting);
  const AgentSlots* agent =
      pool_.rules.fitting == Fitting::kBest ? Fewest(slots, kept) : Most(slots, kept);
  if (agent == nullptr && quick && reserved_agent_ != nullptr &&
      !kept.Off(reserved_agent_->agent) && loads_.at(reserved_agent_).raw() >= slots) {
    agent = reserved_agent_;
  }
  if (agent == nullptr) return false;
  Take(agent, slots, placement);
  return true;
}

// Of the agents that are kept off.
int64_t Draft::AvailableOn(const Kept& kept) const {
  std::set<AgentId> agents = *kept.excluded;
  if (!kept.avoided.empty()) agents.insert(kept.avoided);
  int64_t available = 0;
  for (const AgentId& id : agents) {
    const AgentSlots* agent = view_.FindAgent(id);
    const bool counts =
        agent != nullptr && agent->schedulable && &pool_ == view_.FindPool(agent->pool);
    if (counts) available += Available(agent);
  }
  return available;
}

// The fullest hand first; the last piece where it fits best.
bool Draft::PlaceOnMany(const Waiting& waiting, Placement* placement) {
  int64_t left = waiting.request.slots;
  const Kept kept = Avoided(waiting);
  if (total_ - AvailableOn(kept) < left) return false;
  while (left > 0) {
    const AgentSlots* agent = Fewest(left, kept);
    if (agent == nullptr) agent = Most(1, kept);
    const int64_t slots = std::min(left, Available(agent));
    Take(agent, slots, placement);
    left -= slots;
  }
  return true;
}

void Draft::Take(const AgentSlots* agent, int64_t slots, Placement* placement) {
  Update(agent, [&](Load& load) {
    const auto from = agent->free.begin() + load.taken;
    placement->pieces.push_back({.agent = agent->agent, .slots = {from, from + slots}});
    load.taken += slots;
  });
}

// Tasks without slots go where the fewest of them run; ties by name.
bool Draft::PlaceAux(const Waiting& waiting) {
  const Kept kept = Avoided(waiting);
  const AuxLoad* best = nullptr;
  for (const AuxLoad& load : pool_.by_aux) {
    if (aux_loads_.contains(load.agent) || kept.Off(load.agent)) continue;
    best = &load;
    break;
  }
  for (const AuxLoad& load : aux_) {
    if (kept.Off(load.agent)) continue;
    if (best == nullptr || load < *best) best = &load;
    break;
  }
  if (best == nullptr || best->tasks >= pool_.rules.aux_per_agent_max) return false;
  AuxLoad load = *best;
  aux_.erase(load);
  ++load.tasks;
  aux_.insert(load);
  aux_loads_[load.agent] = load;
  plan_.placements.push_back({.task = waiting.request.task,
                              .pieces = {{.agent = load.agent, .slots = {}}},
                              .priority = waiting.job->level()});
  return true;
}

bool Draft::Promise(const Waiting& waiting) {
  const int64_t slots = waiting.request.slots;
  if (has_reserved()) return false;
  const Kept kept = Avoided(waiting);
  Count best{0, nullptr};
  for (auto it = pool_.soon.lower_bound(slots); it != pool_.soon.end(); ++it) {
    if (const AgentSlots* agent = Clean(it->second, kept)) {
      best = {it->first, agent};
      break;
    }
  }
  auto touched = soon_touched_.lower_bound({slots, nullptr});
  while (touched != soon_touched_.end() && kept.Off(touched->second->agent)) ++touched;
  if (touched != soon_touched_.end() && (best.second == nullptr || ByCount()(*touched, best))) {
    best = *touched;
  }
  if (best.second != nullptr) {
    Update(best.second, [&](Load& load) { load.promised += slots; });
    return true;
  }
  if (!waiting.request.spans || soon_ < slots) return false;
  Reserve(waiting);
  return true;
}

void Draft::Preempt(const Waiting& waiting, const std::vector<const RunningTask*>& victims) {
  for (const RunningTask* victim : victims) {
    signaled_.insert(victim->running.task);
    plan_.preemptions.push_back({.task = victim->running.task, .waiter = waiting.request.task});
    for (const Piece& piece : victim->running.pieces) {
      const AgentSlots* agent = view_.FindAgent(piece.agent);
      if (agent == nullptr || !agent->schedulable || agent->pool != waiting.request.pool) continue;
      Update(agent, [&](Load& load) { load.signaled += static_cast<int64_t>(piece.slots.size()); });
    }
  }
  Promise(waiting);
}

// The agent that lacks least for the request; ties by name.
const AgentSlots* Draft::Nearest(const Waiting& waiting) const {
  const int64_t slots = waiting.request.slots;
  const Kept kept = Avoided(waiting);
  Count best{0, nullptr};
  const auto offer = [&](const AgentSlots* agent) {
    if (agent == nullptr || agent->capacity() < slots || kept.Off(agent->agent)) return;
    const Count candidate{-Soon(*agent), agent};
    if (best.second == nullptr || ByCount()(candidate, best)) best = candidate;
  };
  for (auto cap = pool_.agents.lower_bound(slots); cap != pool_.agents.end(); ++cap) {
    for (auto it = cap->second.rbegin(); it != cap->second.rend(); ++it) {
      const AgentSlots* agent = Clean(it->second, kept);
      offer(agent);
      if (agent != nullptr) break;
    }
  }
  int64_t looked = 0;
  for (auto it = pool_.soon.rbegin(); it != pool_.soon.rend() && looked < kPassedOverMax; ++it) {
    for (const AgentSlots* agent : it->second) {
      offer(agent);
      if (++looked == kPassedOverMax) break;
    }
  }
  for (const auto& [soon, agent] : soon_touched_) offer(agent);
  return best.second;
}

int64_t Draft::Shadow(const std::vector<std::pair<int64_t, int64_t>>& ends, int64_t lacks) {
  for (const auto& [end, slots] : ends) {
    lacks -= slots;
    if (lacks > 0) continue;
    shadow_ = end;
    return -lacks;
  }
  return 0;
}

void Draft::Reserve(const Waiting& waiting) {
  const Request& request = waiting.request;
  plan_.reserved = request.task;
  std::vector<std::pair<int64_t, int64_t>> ends;
  if (request.spans) {
    reserved_pool_ = true;
    const int64_t lacks = request.slots - soon_;
    if (lacks <= 0) {
      pool_extra_ = -lacks;
      return;
    }
    int64_t sum = 0;
    for (const RunningTask* task : pool_.ends) {
      ends.emplace_back(EndKey::Of(*task).at, task->slots);
      if ((sum += task->slots) >= lacks) break;
    }
    pool_extra_ = Shadow(ends, lacks);
    return;
  }
  const AgentSlots* agent = Nearest(waiting);
  if (agent == nullptr) return;
  reserved_agent_ = agent;
  plan_.reserved_agent = agent->agent;
  for (const RunningTask* task : agent->tasks) {
    if (task->running.ends_at == absl::InfiniteFuture() || task->running.leaving) continue;
    for (const Piece& piece : task->running.pieces) {
      if (piece.agent != agent->agent) continue;
      ends.emplace_back(absl::ToUnixNanos(task->running.ends_at), piece.slots.size());
    }
  }
  std::sort(ends.begin(), ends.end());
  const int64_t lacks = request.slots - Soon(*agent);
  const int64_t extra = lacks <= 0 ? -lacks : Shadow(ends, lacks);
  Update(agent, [&](Load& load) { load.held_back = std::max<int64_t>(0, load.raw() - extra); });
}

}  // namespace det::scheduler
