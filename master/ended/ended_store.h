#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "master/core/command.h"
#include "master/core/verbs.h"

namespace det::pg {
class Pool;
}

// What becomes of experiments that ended: they are taken up again, or deleted.
namespace det::ended {

// Where an experiment stands, for who may do what to it.
struct Standing {
  core::ExperimentState state = core::ExperimentState::kActive;
  std::string because;  // of its state
};

// Reads and writes what the store keeps of ended experiments; every write is fenced. Under the
// experiment's EndedLocks, and after what the engine did to it is durable. For threads that may
// block. Any thread.
class EndedStore {
 public:
  EndedStore(const std::string& conninfo, int64_t epoch);
  ~EndedStore();

  // kNotFound: there was never one of the id.
  absl::StatusOr<Standing> Where(ExperimentId id);

  // What ContinueExperiment carries; trials go on from what is left of their checkpoints.
  // FAILED_PRECONDITION when it is archived, or (NOT_KEPT) its record is not there.
  absl::StatusOr<core::ContinueExperiment> Load(ExperimentId id);

  // From an ended state, or DELETE_FAILED, to DELETING; what follows is the Deleter's.
  absl::Status BeginDelete(ExperimentId id, const core::Principal& principal);

 private:
  std::unique_ptr<pg::Pool> pool_;
  const int64_t epoch_;
};

// Somebody else holds its lock.
absl::Status Busy(ExperimentId id);

// The error of a verb that the state refuses. Of a deleted experiment NOT_FOUND, with who and when.
absl::Status Refusal(core::ExperimentVerb verb, ExperimentId id, const Standing& standing);

}  // namespace det::ended
