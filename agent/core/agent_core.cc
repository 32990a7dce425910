#include "agent/core/agent_core.h"

#include <algorithm>

#include "common/base/strings.h"

namespace det::agent {
namespace {

// A run that ended because it was told to: by a signal of ours, or by its own leave after we asked.
bool OnOrder(const Held& held, const Exit& exit) {
  if (held.level == StopLevel::kRun && !held.dropped) return false;
  if (held.terminated) return true;
  return held.preempt_acked && exit.kind == ExitKind::kExited && exit.code == 0;
}

bool IsLive(const Held& held) {
  return held.phase == Phase::kStarting || held.phase == Phase::kRunning;
}

}  // namespace

AgentCore::AgentCore(std::vector<Held> saved,
                     const std::map<AllocationId, Found>& found,
                     Actions* restart) {
  for (Held& item : saved) {
    const AllocationId id = item.id;
    Held& held = held_[id] = std::move(item);
    if (held.phase == Phase::kExited) continue;
    const auto it = found.find(id);
    const Found what = it == found.end() ? Found{} : it->second;
    if (what.state == Found::State::kExited) {
      Finish(held, what.exit, absl::UnixEpoch(), restart);
    } else if (what.state == Found::State::kRunning) {
      held.phase = Phase::kRunning;
      restart->push_back(Save{held});
      OrderAgain(held, restart);
    } else if (held.phase == Phase::kRunning) {
      Finish(held,
             {.kind = ExitKind::kLost, .text = "no trace of its process is left"},
             absl::UnixEpoch(),
             restart);
    } else {
      // Not started, or it can't be told: starting is safe to ask for twice, so begin again.
      held.phase = Phase::kPreparing;
      restart->push_back(Save{held});
      restart->push_back(Prepare{id});
    }
  }
}

// To a program that may not have been there when it was told to leave.
void AgentCore::OrderAgain(const Held& held, Actions* actions) {
  if (held.level == StopLevel::kKill || held.dropped) {
    actions->push_back(Kill{held.id});
  } else if (held.level == StopLevel::kPreempt) {
    actions->push_back(Preempt{held.id});
    if (held.terminated) actions->push_back(Terminate{held.id});
  }
}

Held* AgentCore::Find(AllocationId id) {
  const auto it = held_.find(id);
  return it == held_.end() ? nullptr : &it->second;
}

std::vector<std::pair<AllocationId, Phase>> AgentCore::Hello() const {
  std::vector<std::pair<AllocationId, Phase>> all;
  for (const auto& [id, held] : held_) all.emplace_back(id, held.phase);
  return all;
}

Actions AgentCore::OnWelcome(int64_t epoch, absl::Time now) {
  connected_ = true;
  if (epoch > epoch_) {
    epoch_ = epoch;
    generation_ = 0;
  }
  Actions actions;
  for (const auto& [id, held] : held_) Report(held, now, &actions);
  return actions;
}

void AgentCore::OnDisconnected() {
  connected_ = false;
  unacked_.clear();
}

Actions AgentCore::OnDesired(const DesiredSet& desired, absl::Time now) {
  Actions actions;
  if (desired.epoch < epoch_ || (desired.epoch == epoch_ && desired.generation < generation_)) {
    return actions;
  }
  epoch_ = desired.epoch;
  generation_ = desired.generation;
  std::vector<AllocationId> wanted_ids;
  for (const Wanted& wanted : desired.allocations) {
    wanted_ids.push_back(wanted.id);
    if (Held* held = Find(wanted.id)) {
      Raise(*held, wanted, now, &actions);
    } else if (!wanted.order.empty()) {
      Accept(wanted, now, &actions);
    }
  }
  std::sort(wanted_ids.begin(), wanted_ids.end());
  std::vector<AllocationId> gone;
  for (auto& [id, held] : held_) {
    if (!std::binary_search(wanted_ids.begin(), wanted_ids.end(), id)) gone.push_back(id);
  }
  for (const AllocationId id : gone) Drop(*Find(id), now, &actions);
  return actions;
}

void AgentCore::Accept(const Wanted& wanted, absl::Time now, Actions* actions) {
  Held& held = held_[wanted.id];
  held.id = wanted.id;
  held.run = wanted.run;
  held.slots = wanted.slots;
  held.order = wanted.order;
  held.level = wanted.level;
  held.level_reason = wanted.reason;
  if (wanted.level != StopLevel::kRun) {
    // Told to leave before it began.
    held.drained = true;
    Finish(held, {.on_order = true, .text = "stopped before it was started"}, now, actions);
    return;
  }
  held.phase = Phase::kPreparing;
  actions->push_back(Save{held});
  actions->push_back(Prepare{held.id});
  Report(held, now, actions);
}

void AgentCore::Raise(Held& held, const Wanted& wanted, absl::Time now, Actions* actions) {
  if (wanted.level <= held.level || held.phase == Phase::kExited) {
    // The master has not heard of it yet, or it is over anyway.
    if (!wanted.order.empty()) Report(held, now, actions);
    return;
  }
  held.level = wanted.level;
  held.level_reason = wanted.reason;
  const bool terminate = held.level == StopLevel::kKill || !held.watches_preemption;
  if (IsLive(held) && terminate) held.terminated = true;
  actions->push_back(Save{held});
  if (!IsLive(held)) return;  // OnPrepared sees the level
  if (held.level == StopLevel::kKill) {
    actions->push_back(Kill{held.id});
  } else {
    actions->push_back(Preempt{held.id});
    if (terminate) actions->push_back(Terminate{held.id});
  }
}

// The master wants no more of it: whatever it did, nobody asks for its end.
void AgentCore::Drop(Held& held, absl::Time /*now*/, Actions* actions) {
  if (held.phase == Phase::kExited) {
    actions->push_back(Forget{held.id});
    unacked_.erase(held.id);
    held_.erase(held.id);
    return;
  }
  if (held.dropped) return;
  held.dropped = true;
  held.terminated = true;
  actions->push_back(Save{held});
  if (IsLive(held)) actions->push_back(Kill{held.id});
}

Actions AgentCore::OnPrepared(AllocationId id, const std::optional<Exit>& failure, absl::Time now) {
  Actions actions;
  Held* held = Find(id);
  if (held == nullptr || held->phase != Phase::kPreparing) return actions;
  if (held->level != StopLevel::kRun || held->dropped) {
    held->drained = true;
    Finish(*held, {.on_order = true, .text = "stopped before it was started"}, now, &actions);
  } else if (failure.has_value()) {
    held->drained = true;
    Finish(*held, *failure, now, &actions);
  } else {
    // Not saved: a life after this one looks whether it was started, and prepares it anew if not.
    held->phase = Phase::kStarting;
    actions.push_back(Start{id});
    Report(*held, now, &actions);
  }
  return actions;
}

Actions AgentCore::OnStarted(AllocationId id, const std::string& error, absl::Time now) {
  Actions actions;
  Held* held = Find(id);
  if (held == nullptr || held->phase != Phase::kStarting) return actions;
  if (!error.empty()) {
    // Nothing ran, so nothing is on its way.
    held->drained = true;
    Finish(*held, {.kind = ExitKind::kPrepareFailed, .text = error}, now, &actions);
    return actions;
  }
  held->phase = Phase::kRunning;
  actions.push_back(Save{*held});
  // An order to stop may have come while nothing was there to be stopped.
  OrderAgain(*held, &actions);
  Report(*held, now, &actions);
  return actions;
}

Actions AgentCore::OnExited(AllocationId id, const Exit& exit, absl::Time now) {
  Actions actions;
  Held* held = Find(id);
  if (held == nullptr || held->phase == Phase::kExited) return actions;
  Finish(*held, exit, now, &actions);
  return actions;
}

void AgentCore::Finish(Held& held, Exit exit, absl::Time now, Actions* actions) {
  exit.on_order = exit.on_order || OnOrder(held, exit);
  held.exit = std::move(exit);
  held.phase = Phase::kExited;
  if (held.dropped) {
    actions->push_back(Forget{held.id});
    unacked_.erase(held.id);
    held_.erase(held.id);
    return;
  }
  actions->push_back(Save{held});
  Report(held, now, actions);
}

Actions AgentCore::OnDrained(AllocationId id, absl::Time now) {
  Actions actions;
  Held* held = Find(id);
  if (held == nullptr || held->phase != Phase::kExited || held->drained) return actions;
  held->drained = true;
  actions.push_back(Save{*held});
  Report(*held, now, &actions);
  return actions;
}

Actions AgentCore::OnPreemptionWatched(AllocationId id) {
  Held* held = Find(id);
  if (held == nullptr || held->watches_preemption) return {};
  held->watches_preemption = true;
  return {Save{*held}};
}

Actions AgentCore::OnPreemptAcked(AllocationId id) {
  Held* held = Find(id);
  if (held == nullptr || held->preempt_acked) return {};
  held->preempt_acked = true;
  return {Save{*held}};
}

void AgentCore::Report(const Held& held, absl::Time now, Actions* actions) {
  if (!connected_) return;
  // An end is told after all that came before it, so that the master never refuses a report as
  // late.
  const bool hold_back = held.phase == Phase::kExited && !held.drained;
  const Phase phase = hold_back ? Phase::kRunning : held.phase;
  if (hold_back && unacked_.contains(held.id)) return;
  unacked_[held.id] = {now};
  actions->push_back(SendStatus{held.id, phase, phase == Phase::kExited ? held.exit : Exit{}});
}

Actions AgentCore::OnStatusAck(AllocationId id, Phase phase) {
  const Held* held = Find(id);
  if (held != nullptr &&
      (held->phase == phase || (held->phase == Phase::kExited && !held->drained))) {
    unacked_.erase(id);
  }
  return {};
}

Actions AgentCore::OnTick(absl::Time now) {
  Actions actions;
  if (!connected_) return actions;
  std::vector<AllocationId> late;
  for (const auto& [id, unacked] : unacked_) {
    if (now - unacked.sent >= kStatusResend) late.push_back(id);
  }
  for (const AllocationId id : late) {
    unacked_.erase(id);
    if (const Held* held = Find(id)) Report(*held, now, &actions);
  }
  return actions;
}

}  // namespace det::agent
