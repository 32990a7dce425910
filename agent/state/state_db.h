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
  // Room that is kept for the time when the disk is full: an order to stop what fills it must be
  // saved before it is given.
  static constexpr int64_t kReserveBytes = int64_t{1} << 20;

  // The folder is made if need be.
  static absl::StatusOr<StateDb> Open(const std::string& directory);

  // A record that can't be read.
  struct Damaged {
    AllocationId id;
    std::string kept;   // a copy
    std::string cause;  // for people
  };
  struct Loaded {
    std::vector<Held> held;
    std::vector<Damaged> damaged;
  };
  // What is damaged is copied aside, and is found again until something is saved in its place.
  // FAILED_PRECONDITION (STATE_VERSION) when another version of det-agent wrote here, and nothing
  // is touched then.
  absl::StatusOr<Loaded> Load() const;
  absl::Status Save(const Held& held);
  absl::Status Forget(AllocationId id);

 private:
  explicit StateDb(std::string directory) : directory_(std::move(directory)) {}
  std::string PathOf(AllocationId id) const;
  std::string ReservePath() const { return directory_ + "/reserve"; }
  void TakeReserve();

  std::string directory_;
  bool reserved_ = false;
};

}  // namespace det::agent
