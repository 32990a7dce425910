#include "agent/session/convert.h"

#include <algorithm>

namespace det::agent {

// Enumerators of the core and of the proto are in the same order; the proto's begin at 1.
Phase FromProto(v1::AllocationState state) {
  return static_cast<Phase>(std::clamp(static_cast<int>(state) - 1, 0, 4));
}

v1::AllocationState ToProto(Phase phase) {
  return static_cast<v1::AllocationState>(static_cast<int>(phase) + 1);
}

DesiredSet FromProto(const v1::DesiredSet& desired) {
  DesiredSet out{.epoch = desired.epoch(), .generation = desired.generation()};
  for (const v1::DesiredAllocation& a : desired.allocations()) {
    Wanted wanted{
        .id = AllocationId(a.id()),
        .run = a.run(),
        .slots = {a.slots().begin(), a.slots().end()},
        .level = static_cast<StopLevel>(std::clamp(static_cast<int>(a.level()) - 1, 0, 2)),
        .reason = a.reason()};
    if (a.has_order()) wanted.order = a.order().SerializeAsString();
    out.allocations.push_back(std::move(wanted));
  }
  return out;
}

v1::Status ToProto(const SendStatus& status) {
  v1::Status out;
  out.set_allocation(status.id.value());
  out.set_state(ToProto(status.phase));
  if (status.phase == Phase::kExited) {
    v1::Exit* exit = out.mutable_exit();
    exit->set_kind(static_cast<v1::Exit::Kind>(static_cast<int>(status.exit.kind) + 1));
    exit->set_code(status.exit.code);
    exit->set_signal(status.exit.signal);
    exit->set_on_order(status.exit.on_order);
    exit->set_text(status.exit.text);
  }
  return out;
}

}  // namespace det::agent
