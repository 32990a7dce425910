#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "common/base/ids.h"
#include "common/base/value.h"
#include "common/storage/paths.h"
#include "master/gc/retention.h"

namespace det::pg {
class Pool;
}

// What is to be deleted of the checkpoints, recorded so that it survives the master.
namespace det::deletion {

struct Target {
  TrialId trial;
  std::string uuid;
};

struct Deletion {
  int64_t id = 0;
  ExperimentId experiment;
  Target target;
  std::vector<std::string> globs;  // none: the whole checkpoint
  std::string state;               // PENDING, RUNNING, DONE, FAILED
  std::string reason;
  int64_t attempts = 0;
  std::string actor;
  bool open() const { return state == "PENDING" || state == "RUNNING"; }
};

// A checkpoint of some trial; several may say that one folder is theirs.
struct Namesake {
  TrialId trial;
  ExperimentId experiment;
  std::string directory;
};

// A deletion whose turn it is.
struct Job {
  Deletion deletion;
  std::string storage_json;  // of the experiment's configuration: checkpoint_storage
  std::string owner;         // of the experiment: whose secrets the storage refers to
  storage::FileMap files;    // as they are recorded
  absl::Time since;          // when its trial was made
  std::string in_use;        // why it must not go; "" it may
  bool held = false;         // somebody is about to begin from it
  std::string directory;     // where it lies
  // Those of its name that were not deleted, itself among them: who reported it first comes first.
  std::vector<Namesake> namesakes;
};

// What became of a try.
struct Outcome {
  enum class Kind { kDone, kAgain, kFailed };
  Kind kind = Kind::kDone;
  std::string reason;
  absl::Duration pause;   // of kAgain: so much later
  storage::FileMap left;  // of kDone with patterns
};

struct Retention {
  gc::Policy policy;
  std::vector<Target> going;
  int64_t kept = 0;
  int64_t bytes = 0;  // of those that go
};

// How far the deletions of an experiment are.
struct Standing {
  int64_t open = 0;
  int64_t failed = 0;        // whose checkpoint still has files
  std::string first_reason;  // of a failed one
};

// The table of deletions and what is asked of it. Every write is fenced by the epoch (ABORTED when
// the lease is another master's). Errors besides those of common/pg: NOT_FOUND, FAILED_PRECONDITION
// (CHECKPOINT_IN_USE, CHECKPOINT_DELETED), INVALID_ARGUMENT (INVALID_GLOB). Any thread.
class Deletions {
 public:
  Deletions(const std::string& conninfo, int64_t epoch);
  ~Deletions();

  // Called after each new record, from the recording thread: the worker's call to work.
  void OnNew(std::function<void()> wake) { wake_ = std::move(wake); }

  // Records that these checkpoints go, or their files that match a pattern. All or none of them:
  // one that is in use, or gone, fails the request. What is asked for already is not asked twice.
  absl::StatusOr<std::vector<Deletion>> Request(const std::vector<Target>& targets,
                                                const std::vector<std::string>& globs,
                                                const std::string& actor);
  // Would Request take them?
  absl::Status Check(const std::vector<Target>& targets, const std::vector<std::string>& globs);
  // Of an experiment that ended: all of its checkpoints. For whoever deletes experiments; Of tells
  // how far it is.
  absl::StatusOr<std::vector<Deletion>> RequestAll(ExperimentId experiment,
                                                   const std::string& actor);
  absl::StatusOr<Standing> Of(ExperimentId experiment);

  absl::StatusOr<std::vector<Deletion>> ByIds(const std::vector<int64_t>& ids);
  // The newest first.
  absl::StatusOr<std::vector<Deletion>> ByExperiment(ExperimentId experiment, int64_t limit);

  // The policy as it is now, and what would go by it, or by `instead`.
  absl::StatusOr<Retention> Preview(ExperimentId experiment,
                                    const std::optional<gc::Policy>& instead);
  // Makes it the policy, and what does not fit it goes.
  absl::StatusOr<Retention> SetPolicy(ExperimentId experiment,
                                      const gc::Policy& policy,
                                      const std::string& actor);
  // Marks what the policy of one experiment that ended does not keep. False: there was none.
  absl::StatusOr<bool> CollectOne();

  // RFC 7396: members of the patch replace those of the metadata, null ones remove them. Gives the
  // metadata as it is then.
  absl::StatusOr<Value> PatchMetadata(const Target& target, const Value& patch);

  // For whoever is about to begin from these: until the last copy of what it gives is gone, none of
  // them goes. It is kept until their use is on record, which keeps them from then on.
  // FAILED_PRECONDITION (CHECKPOINT_DELETED) names one that is not whole, or is on its way out.
  absl::StatusOr<std::shared_ptr<void>> Hold(const std::vector<Target>& targets);

  // For the worker, one at a time. Claim takes also what was running when a master stopped.
  absl::StatusOr<std::optional<Job>> Claim();
  absl::Status Finish(const Job& job, const Outcome& outcome);

 private:
  class Holds;

  void Wake() const {
    if (wake_) wake_();
  }

  const int64_t epoch_;
  std::unique_ptr<pg::Pool> pool_;
  std::function<void()> wake_;
  const std::shared_ptr<Holds> holds_;
};

}  // namespace det::deletion
