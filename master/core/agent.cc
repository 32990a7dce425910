#include <algorithm>
#include <set>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "master/core/internal.h"
#include "master/core/limits.h"

namespace det::core::internal {
namespace {

bool IsPlainName(const std::string& name, int64_t bytes_max) {
  return !name.empty() && static_cast<int64_t>(name.size()) <= bytes_max && name[0] != '.' &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
         });
}

absl::Status Refuse(absl::StatusCode code,
                    std::string_view reason,
                    const std::string& what,
                    std::string_view hint = "") {
  return Error(code, reason, what, hint);
}

absl::Status Invalid(const std::string& what) {
  return Refuse(absl::StatusCode::kInvalidArgument, "INVALID_AGENT", what);
}

absl::Status TooMany(const AgentId& agent, std::string_view what, size_t count, int64_t most) {
  return Invalid(StrCat(
      "agent ", agent.value(), " has ", count, " ", what, ", at most ", most, " are allowed"));
}

absl::Status CheckTexts(const ConnectAgent& command) {
  const std::pair<std::string_view, const std::string*> texts[] = {{"instance", &command.instance},
                                                                   {"boot_id", &command.boot_id},
                                                                   {"version", &command.version},
                                                                   {"address", &command.address}};
  for (const auto& [name, text] : texts) {
    if (static_cast<int64_t>(text->size()) > kAgentTextBytesMax) {
      return TooMany(command.id, StrCat("bytes of ", name), text->size(), kAgentTextBytesMax);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckSlots(const ConnectAgent& command) {
  if (static_cast<int64_t>(command.slots.size()) > kSlotsPerAgentMax) {
    return TooMany(command.id, "slots", command.slots.size(), kSlotsPerAgentMax);
  }
  std::set<int> indexes;
  for (const Slot& slot : command.slots) {
    if (slot.index < 0 || !indexes.insert(slot.index).second) {
      return Invalid(
          StrCat("agent ", command.id.value(), " names slot ", slot.index, " wrongly or twice"));
    }
    const size_t longest = std::max(slot.kind.size(), slot.name.size());
    if (static_cast<int64_t>(longest) > kAgentTextBytesMax) {
      return TooMany(
          command.id, StrCat("bytes of text at slot ", slot.index), longest, kAgentTextBytesMax);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckHeld(const ConnectAgent& command) {
  if (static_cast<int64_t>(command.held.size()) > kHeldMax) {
    return TooMany(command.id, "allocations", command.held.size(), kHeldMax);
  }
  std::set<AllocationId> held;
  for (const HeldAllocation& allocation : command.held) {
    if (!held.insert(allocation.id).second) {
      return Invalid(StrCat(
          "agent ", command.id.value(), " names allocation ", allocation.id.value(), " twice"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckConnect(const State& state, const ConnectAgent& command) {
  using Code = absl::StatusCode;
  if (!IsPlainName(command.id.value(), kAgentIdBytesMax) ||
      !IsPlainName(command.pool, kAgentTextBytesMax)) {
    return Invalid("an agent's id and pool must be letters, digits, '-', '_' and '.'");
  }
  DET_RETURN_IF_ERROR(CheckTexts(command));
  DET_RETURN_IF_ERROR(CheckSlots(command));
  DET_RETURN_IF_ERROR(CheckHeld(command));
  const Agent* known = state.Find(command.id);
  if (known == nullptr && static_cast<int64_t>(state.agents.size()) >= kAgentsMax) {
    return Refuse(Code::kResourceExhausted,
                  "TOO_MANY_AGENTS",
                  StrCat(kAgentsMax, " agents are known, the most allowed"));
  }
  if (known != nullptr && known->connected && known->instance != command.instance) {
    return Refuse(Code::kAlreadyExists,
                  "AGENT_ID_IN_USE",
                  StrCat("another agent is connected as ", command.id.value()),
                  "give each agent its own id (agent_id in its configuration)");
  }
  return absl::OkStatus();
}

// A slot that a run holds is gone: the run can't be what was placed any more.
bool HasSlots(const std::vector<Slot>& slots, const std::vector<int>& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](int index) {
    return std::any_of(slots.begin(), slots.end(), [&](const Slot& s) { return s.index == index; });
  });
}

// The allocations that the master believes on the agent but the agent does not hold. One that it
// was never seen to have accepted may just not have reached it: it is sent again.
void AppendMissing(const State& state,
                   const ConnectAgent& command,
                   absl::Time now,
                   Events* events) {
  const auto on_agent = state.indexes.on_agent.find(command.id);
  if (on_agent == state.indexes.on_agent.end()) return;
  std::set<AllocationId> held;
  for (const HeldAllocation& allocation : command.held) held.insert(allocation.id);
  const std::string actor = StrCat("agent:", command.id.value());
  for (const auto& [id, task_id] : on_agent->second) {
    const Task& task = *state.Find(task_id);
    Exit exit{.kind = ExitKind::kLost};
    if (!HasSlots(command.slots, task.allocation->slots)) {
      exit.text = StrCat("agent ", command.id.value(), " came back without its slots");
    } else if (!held.contains(id) && task.allocation->state > AllocationState::kAssigned) {
      exit.text = StrCat("agent ", command.id.value(), " has no trace of it");
    } else {
      continue;
    }
    AppendExit(state, task, exit, actor, now, events);
  }
}

void AppendLost(const State& state, const Agent& agent, absl::Time now, Events* events) {
  events->push_back(AgentLost{agent.id});
  const auto on_agent = state.indexes.on_agent.find(agent.id);
  if (on_agent == state.indexes.on_agent.end()) return;
  for (const auto& [id, task_id] : on_agent->second) {
    const Exit exit{
        .kind = ExitKind::kLost,
        .text = StrCat(
            "agent ", agent.id.value(), " was away for ", absl::FormatDuration(kAgentLostAfter))};
    AppendExit(state, *state.Find(task_id), exit, "master", now, events);
  }
}

Reason StartTimeout(const Allocation& allocation, absl::Time now) {
  return MakeReason(kStartTimeoutCode,
                    StrCat("it was ",
                           Name(allocation.state),
                           " on agent ",
                           allocation.agent.value(),
                           " and did not come to run within ",
                           absl::FormatDuration(kStartUpMax)),
                    "master",
                    now);
}

void AppendDue(const State& state, const Key& key, absl::Time now, Events* events) {
  if (const auto* agent = std::get_if<AgentId>(&key)) {
    const Agent& due = *state.Find(*agent);
    if (!due.connected && !due.lost && due.lost_at <= now) {
      AppendLost(state, due, now, events);
    } else {
      AppendDrainsDue(state, due, now, events);
    }
    return;
  }
  const Task& task = *state.Find(std::get<TaskId>(key));
  if (!task.allocation.has_value()) {
    events->push_back(TaskReady{task.id});
    return;
  }
  if (task.allocation->level == StopLevel::kRun) {
    events->push_back(AllocationSignaled{.task = task.id,
                                         .id = task.allocation->id,
                                         .level = StopLevel::kKill,
                                         .reason = StartTimeout(*task.allocation, now)});
    return;
  }
  const absl::Duration waited = now - task.allocation->level_reason.since;
  events->push_back(AllocationSignaled{
      .task = task.id,
      .id = task.allocation->id,
      .level = StopLevel::kKill,
      .reason = MakeReason("PREEMPTION_TIMEOUT",
                           StrCat("did not leave within ",
                                  absl::FormatDuration(absl::Trunc(waited, absl::Seconds(1))),
                                  " of being told to"),
                           "master",
                           now)});
}

}  // namespace

absl::StatusOr<Events> DecideConnect(const State& state,
                                     const ConnectAgent& command,
                                     absl::Time now) {
  DET_RETURN_IF_ERROR(CheckConnect(state, command));
  const Agent* known = state.Find(command.id);
  Events events;
  events.push_back(AgentConnected{.id = command.id,
                                  .pool = command.pool,
                                  .instance = command.instance,
                                  .boot_id = command.boot_id,
                                  .version = command.version,
                                  .address = command.address,
                                  .slots = command.slots,
                                  .session = known == nullptr ? 1 : known->session + 1});
  AppendMissing(state, command, now, &events);
  for (const HeldAllocation& held : command.held) {
    const Task* task = state.FindByAllocation(held.id);
    if (task == nullptr || task->allocation->agent != command.id) continue;
    // Ends come with their exit, as a status.
    if (held.state > task->allocation->state && held.state != AllocationState::kTerminated &&
        HasSlots(command.slots, task->allocation->slots)) {
      events.push_back(AllocationMoved{.task = task->id, .id = held.id, .to = held.state});
    }
  }
  return events;
}

absl::StatusOr<Events> DecideDisconnect(const State& state,
                                        const DisconnectAgent& command,
                                        absl::Time now) {
  const Agent* agent = state.Find(command.id);
  if (agent == nullptr || !agent->connected || agent->session != command.session) return Events{};
  return Events{AgentDisconnected{.id = command.id, .lost_at = now + kAgentLostAfter}};
}

absl::StatusOr<Events> DecideStatus(const State& state,
                                    const ReportStatus& command,
                                    absl::Time now) {
  const Task* task = state.FindByAllocation(command.allocation);
  if (task == nullptr) return Events{};  // long over; the agent may forget it
  if (task->allocation->agent != command.agent) {
    return Error(absl::StatusCode::kPermissionDenied,
                 "NOT_YOUR_ALLOCATION",
                 StrCat("allocation ",
                        command.allocation.value(),
                        " runs on agent ",
                        task->allocation->agent.value(),
                        ", not on ",
                        command.agent.value()));
  }
  Events events;
  if (command.state == AllocationState::kTerminated) {
    AppendExit(state, *task, command.exit, StrCat("agent:", command.agent.value()), now, &events);
  } else if (command.state > task->allocation->state) {
    events.push_back(
        AllocationMoved{.task = task->id, .id = command.allocation, .to = command.state});
  }
  return events;
}

Events DecideStartMaster(const State& state, absl::Time now) {
  // A new master has seen no agent yet: each gets the full time to come back.
  Events events;
  for (const auto& [id, agent] : state.agents) {
    if (!agent.lost)
      events.push_back(AgentDisconnected{.id = id, .lost_at = now + kAgentLostAfter});
  }
  return events;
}

// One deadline a tick: what it leads to may settle others that are due too.
Events DecideTick(const State& state, absl::Time now) {
  Events events;
  if (NextDeadline(state) <= now) {
    AppendDue(state, state.indexes.deadlines.begin()->second, now, &events);
  }
  return events;
}

}  // namespace det::core::internal
