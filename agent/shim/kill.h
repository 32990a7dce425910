#pragma once

#include <functional>
#include <vector>

#include "absl/status/statusor.h"

#include "common/os/process.h"

namespace det::agent {

using FindProcesses = std::function<absl::StatusOr<std::vector<ProcessId>>()>;

struct KillCount {
  int alive = 0;    // found
  int refused = 0;  // of these, how many may not be signalled: another user's
};

// Stops whatever `find` finds until it finds nothing new, so that nothing forks any more, then
// kills all of it. Everything is signalled by identity. What was forked faster than it was found is
// left for the next call: call until none is alive. Any thread.
absl::StatusOr<KillCount> StopAndKill(const FindProcesses& find);

// One signal to each of them, found again until nothing new turns up.
absl::StatusOr<KillCount> SignalAll(const FindProcesses& find, const std::vector<int>& signals);

}  // namespace det::agent
