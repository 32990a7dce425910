#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace det::cli {

struct EndedTasks {
  int ended = 0;
  int killed = 0;  // of these: they did not end by SIGTERM in time
};

// Ends the tasks that run below an agent's data directory: SIGTERM, then SIGKILL after `patience`.
// The agent must not run. Each is noted as lost with the machine rather than as failed, so that it
// is run again from its last checkpoint and no restart is counted against it.
absl::StatusOr<EndedTasks> EndTasks(const std::string& agent_data, absl::Duration patience);

}  // namespace det::cli
