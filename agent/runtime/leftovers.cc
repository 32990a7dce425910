#include "agent/runtime/leftovers.h"

#include <algorithm>

#include "agent/shim/cgroup.h"
#include "agent/shim/kill.h"
#include "agent/task/mark.h"
#include "common/base/status.h"
#include "common/os/pause.h"

namespace det::agent {
namespace {

constexpr absl::Duration kBetweenRounds = absl::Milliseconds(2);

absl::StatusOr<std::vector<ProcessId>> Find(const ShimRecord& record, const Cgroup& cgroup) {
  DET_ASSIGN_OR_RETURN(std::vector<ProcessId> found,
                       FindMarked(record.token, record.shim.start_time));
  for (ProcessId& member : cgroup.Members()) {
    if (std::find(found.begin(), found.end(), member) == found.end()) {
      found.push_back(std::move(member));
    }
  }
  return found;
}

}  // namespace

absl::StatusOr<Leftovers> KillLeftovers(const ShimRecord& record, absl::Duration patience) {
  const Cgroup cgroup(record.cgroups);
  const absl::Duration deadline = SteadyNow() + patience;
  Leftovers leftovers;
  for (;;) {
    cgroup.Kill();
    DET_ASSIGN_OR_RETURN(const KillCount count, StopAndKill([&] { return Find(record, cgroup); }));
    leftovers.gone = count.alive == 0;
    if (leftovers.gone) cgroup.Remove();
    if (leftovers.gone || SteadyNow() >= deadline) return leftovers;
    leftovers.killed = std::max(leftovers.killed, count.alive - count.refused);
    PauseFor(kBetweenRounds);
  }
}

}  // namespace det::agent
