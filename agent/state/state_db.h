#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "agent/core/agent_core.h"

namespace det::agent {

// The allocations that the agent holds, on disk: one file each, replaced whole. What Save returned
// for survives the agent and the machine. One thread.
class StateDb {
 public:
  // The folder is made if need be.
  static absl::StatusOr<StateDb> Open(const std::string& directory);

  absl::StatusOr<std::vector<Held>> Load() const;
  absl::Status Save(const Held& held);
  absl::Status Forget(AllocationId id);

 private:
  explicit StateDb(std::string directory) : directory_(std::move(directory)) {}
  std::string PathOf(AllocationId id) const;

  std::string directory_;
};

}  // namespace det::agent
