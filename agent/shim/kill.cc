#include "agent/shim/kill.h"

#include <csignal>
#include <set>
#include <utility>

#include "common/base/status.h"

namespace det::agent {
namespace {

// Enough for what forks as fast as it can; a find that always finds something new must not hold up
// the killing for ever.
constexpr int kRounds = 8;

using Key = std::pair<pid_t, int64_t>;

}  // namespace

absl::StatusOr<KillCount> SignalAll(const FindProcesses& find, const std::vector<int>& signals) {
  KillCount count;
  std::set<Key> seen;
  for (int round = 0; round < kRounds; ++round) {
    DET_ASSIGN_OR_RETURN(const std::vector<ProcessId> found, find());
    bool any_new = false;
    for (const ProcessId& id : found) {
      if (!seen.insert({id.pid, id.start_time}).second) continue;
      any_new = true;
      ++count.alive;
      for (const int signal : signals) {
        if (absl::IsPermissionDenied(Signal(id, signal))) {
          ++count.refused;
          break;
        }
      }
    }
    if (!any_new) break;
  }
  return count;
}

absl::StatusOr<KillCount> StopAndKill(const FindProcesses& find) {
  DET_ASSIGN_OR_RETURN(const KillCount stopped, SignalAll(find, {SIGSTOP}));
  if (stopped.alive == 0) return stopped;
  return SignalAll(find, {SIGKILL});
}

}  // namespace det::agent
