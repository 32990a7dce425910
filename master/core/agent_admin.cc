#include <algorithm>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "master/core/authorize.h"
#include "master/core/internal.h"
#include "master/core/limits.h"

namespace det::core::internal {
namespace {

// "agent gpu-3", "slot 2 of agent gpu-3".
std::string What(const AgentId& agent, std::optional<int> slot) {
  if (!slot.has_value()) return StrCat("agent ", agent.value());
  return StrCat("slot ", *slot, " of agent ", agent.value());
}

const Disabled* Find(const Agent& agent, std::optional<int> slot) {
  if (!slot.has_value()) return agent.disabled.has_value() ? &*agent.disabled : nullptr;
  const auto found = agent.disabled_slots.find(*slot);
  return found == agent.disabled_slots.end() ? nullptr : &found->second;
}

absl::StatusOr<const Agent*> Known(const State& state, const AgentId& id, std::optional<int> slot) {
  const Agent* agent = state.Find(id);
  if (agent == nullptr) {
    return Error(absl::StatusCode::kNotFound,
                 "AGENT_NOT_FOUND",
                 StrCat("no agent ", QuoteJson(id.value()), " is known"),
                 "det agent list names them");
  }
  // One that is disabled can be enabled again though the agent came back without it.
  const bool has = !slot.has_value() || agent->disabled_slots.contains(*slot) ||
                   std::any_of(agent->slots.begin(), agent->slots.end(), [&](const Slot& s) {
                     return s.index == *slot;
                   });
  if (!has) {
    return Error(absl::StatusCode::kNotFound,
                 "SLOT_NOT_FOUND",
                 StrCat("agent ", id.value(), " has no slot ", *slot),
                 "det slot list names them");
  }
  return agent;
}

bool Holds(const Allocation& allocation, std::optional<int> slot) {
  return !slot.has_value() || std::find(allocation.slots.begin(), allocation.slots.end(), *slot) !=
                                  allocation.slots.end();
}

// Tells every run on the agent or the slot to save and leave.
void AppendVacate(const State& state,
                  const AgentId& agent,
                  std::optional<int> slot,
                  const Reason& reason,
                  Events* events) {
  const auto on_agent = state.indexes.on_agent.find(agent);
  if (on_agent == state.indexes.on_agent.end()) return;
  for (const auto& [id, task_id] : on_agent->second) {
    const Task& task = *state.Find(task_id);
    if (task.allocation->level != StopLevel::kRun || !Holds(*task.allocation, slot)) continue;
    const Trial& trial = *state.Find(task.trial);
    const Experiment& experiment = *state.Find(trial.experiment);
    events->push_back(AllocationSignaled{
        .task = task_id,
        .id = id,
        .level = StopLevel::kPreempt,
        .kill_at = reason.since + absl::Seconds(experiment.spec->preemption_timeout_seconds),
        .reason = reason});
  }
}

absl::Status CheckNote(const std::string& note) {
  if (static_cast<int64_t>(note.size()) <= kAgentTextBytesMax) return absl::OkStatus();
  return Error(
      absl::StatusCode::kInvalidArgument,
      "INVALID_REASON",
      StrCat(
          "the reason has ", note.size(), " bytes, at most ", kAgentTextBytesMax, " are allowed"));
}

}  // namespace

absl::StatusOr<Events> DecideDisable(const State& state,
                                     const Principal& principal,
                                     const DisableAgent& command,
                                     absl::Time now) {
  DET_RETURN_IF_ERROR(Authorize(principal, Verb::kAdminister, {.what = "agents"}));
  DET_RETURN_IF_ERROR(CheckNote(command.note));
  DET_ASSIGN_OR_RETURN(const Agent* agent, Known(state, command.id, command.slot));
  if (command.drain_for <= absl::ZeroDuration()) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "INVALID_DEADLINE",
                 "the deadline of a drain must lie ahead");
  }
  const Disabled* before = Find(*agent, command.slot);
  const absl::Time until = command.drain ? now + command.drain_for : absl::InfiniteFuture();
  if (before != nullptr && before->drain == command.drain && before->until == until) {
    return Events{};
  }
  const std::string_view verb = command.drain ? " is drained" : " is disabled";
  std::string text = StrCat(What(command.id, command.slot), verb, " by ", principal.Actor());
  if (!command.note.empty()) StrAppend(text, ": ", command.note);
  const Disabled how{.drain = command.drain,
                     .until = until,
                     .reason = MakeReason(command.drain ? "AGENT_DRAINED" : "AGENT_DISABLED",
                                          std::move(text),
                                          principal.Actor(),
                                          now)};
  Events events;
  events.push_back(AgentDisabled{.id = command.id, .slot = command.slot, .how = how});
  if (!command.drain) AppendVacate(state, command.id, command.slot, how.reason, &events);
  return events;
}

absl::StatusOr<Events> DecideEnable(const State& state,
                                    const Principal& principal,
                                    const EnableAgent& command,
                                    absl::Time now) {
  DET_RETURN_IF_ERROR(Authorize(principal, Verb::kAdminister, {.what = "agents"}));
  DET_ASSIGN_OR_RETURN(const Agent* agent, Known(state, command.id, command.slot));
  if (Find(*agent, command.slot) == nullptr) return Events{};
  return Events{AgentEnabled{
      .id = command.id,
      .slot = command.slot,
      .reason =
          MakeReason("AGENT_ENABLED",
                     StrCat(What(command.id, command.slot), " is enabled by ", principal.Actor()),
                     principal.Actor(),
                     now)}};
}

void AppendDrainsDue(const State& state, const Agent& agent, absl::Time now, Events* events) {
  const auto end = [&](std::optional<int> slot, Disabled how) {
    if (how.until > now) return;
    how.drain = false;
    how.until = absl::InfiniteFuture();
    how.reason = MakeReason("DRAIN_DEADLINE",
                            StrCat("the time for ", What(agent.id, slot), " to drain is over"),
                            "master",
                            now);
    events->push_back(AgentDisabled{.id = agent.id, .slot = slot, .how = how});
    AppendVacate(state, agent.id, slot, how.reason, events);
  };
  if (agent.disabled.has_value()) end(std::nullopt, *agent.disabled);
  for (const auto& [slot, how] : agent.disabled_slots) end(slot, how);
}

}  // namespace det::core::internal
