#pragma once

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "agent/task/task_files.h"

namespace det::agent {

struct Leftovers {
  int killed = 0;
  bool gone = false;  // nothing is left
};

// Ends what a shim that was killed left behind: the members of its control group and every process
// with its mark. Signals go to verified identities only. Gives up after `patience`; call again
// then. Any thread.
absl::StatusOr<Leftovers> KillLeftovers(const ShimRecord& record, absl::Duration patience);

}  // namespace det::agent
