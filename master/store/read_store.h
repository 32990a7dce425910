#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "common/base/ids.h"

namespace det::pg {
class Pool;
}

// Queries over what is durable: projections, metrics, logs. For threads that may block. A thing
// that does not exist is kNotFound with its id.
namespace det::store {

struct ReasonRow {
  std::string code;
  std::string text;
  std::string actor;
  absl::Time since;
};

struct ExperimentRow {
  ExperimentId id;
  std::string name;
  std::string owner;
  std::string state;
  ReasonRow reason;
  std::string context;
  std::string searcher;
  std::string metric;
  bool smaller_is_better = true;
  std::string pool;
  int64_t priority = 0;
  double progress = 0;
  int64_t trials_created = 0;
  int64_t trials_closed = 0;
  std::optional<TrialId> best_trial;
  std::optional<double> best_metric;
  int64_t best_steps = 0;
  absl::Time created_at;
  std::optional<absl::Time> ended_at;
  std::string workspace;  // names
  std::string project;
  std::vector<std::string> labels;
  bool archived = false;
  std::string description;
};

// What is told of one experiment only.
struct ExperimentDetails {
  std::string notes;
  std::string git_commit;  // "": its model directory was in no work tree
  std::string git_branch;
  bool git_dirty = false;
};

struct TrialRow {
  TrialId id;
  ExperimentId experiment;
  std::string hparams;  // JSON
  int64_t seed = 0;
  std::string state;
  ReasonRow reason;
  int64_t restarts = 0;
  int64_t infrastructure_restarts = 0;
  int64_t runs = 0;
  std::optional<double> best_metric;
  std::optional<double> latest_metric;
  int64_t latest_steps = 0;
  std::string latest_checkpoint;
  absl::Time created_at;
  std::optional<absl::Time> ended_at;
  std::string agent;  // of its live run
  std::vector<int64_t> slots;
  double progress = 0;
  std::string training;  // JSON; "" is none
  int64_t training_steps = 0;
};

struct TransitionRow {
  int64_t seq = 0;
  absl::Time at;
  std::string kind;
  std::string subject;
  std::string to_state;
  std::string code;
  std::string text;
  std::string actor;
};

struct CheckpointRow {
  std::string uuid;
  TrialId trial;
  ExperimentId experiment;
  int64_t steps_completed = 0;
  int64_t bytes = 0;
  std::string files;     // JSON
  std::string metadata;  // JSON
  std::string directory;
  std::string state;
  absl::Time reported_at;
  std::optional<double> metric;  // the searcher's, of the validation at the same step
};

// Where a reader of a trial's metrics stands: after this point.
struct MetricCursor {
  int64_t allocation = 0;
  int64_t stream = 0;
  int64_t seq = 0;
  std::string name;
};

struct MetricRow {
  MetricCursor place;
  std::string group;
  std::string name;
  int64_t steps = 0;
  double value = 0;
  std::string other;  // JSON, for what is no number
  absl::Time at;
};

struct LogRow {
  AllocationId allocation;
  int64_t run = 0;
  int64_t rank = 0;
  int64_t seq = 0;
  int64_t note = 0;  // above 0: a line of the master's, after the record of this number
  absl::Time at;
  int source = 1;
  std::string line;
  bool partial = false;
  int64_t dropped = 0;
};

// Where a reader of a trial's log stands: after this record.
struct LogCursor {
  int64_t allocation = 0;
  int64_t rank = 0;
  int64_t seq = 0;
  int64_t note = 0;
};

class ReadStore {
 public:
  explicit ReadStore(const std::string& conninfo, int connections_max = 8);
  ~ReadStore();

  absl::StatusOr<std::string> ClusterId();

  absl::StatusOr<ExperimentRow> Experiment(ExperimentId id);
  absl::StatusOr<ExperimentDetails> Details(ExperimentId id);
  absl::StatusOr<std::string> EffectiveConfig(ExperimentId id);  // JSON
  struct ExperimentFilter {
    int64_t limit = 100;
    int64_t before_id = 0;                                    // 0: from the newest
    std::string owner;                                        // a handle; "": anybody's
    bool archived = false;                                    // these too
    std::optional<std::vector<WorkspaceId>> workspaces = {};  // nothing: all
    ProjectId project = {};                                   // 0: any
    std::vector<std::string> labels = {};                     // that all are there
  };
  absl::StatusOr<std::vector<ExperimentRow>> Experiments(const ExperimentFilter& filter);

  absl::StatusOr<TrialRow> Trial(TrialId id);
  struct TrialFilter {
    ExperimentId experiment;
    bool by_best = false;
    bool only_running = false;  // those that hold slots
    int64_t limit = 100;
    int64_t offset = 0;
  };
  absl::StatusOr<std::vector<TrialRow>> Trials(const TrialFilter& filter);
  absl::StatusOr<int64_t> CountTrials(ExperimentId experiment);

  // Of one experiment, trial, allocation or agent, oldest first, the last `limit`. A trial's
  // history includes its allocations'.
  absl::StatusOr<std::vector<TransitionRow>> History(const std::string& kind,
                                                     const std::string& id,
                                                     int64_t limit);

  // Of an experiment the best first; of a trial the newest first.
  absl::StatusOr<std::vector<CheckpointRow>> CheckpointsOf(ExperimentId experiment, int64_t limit);
  absl::StatusOr<std::vector<CheckpointRow>> CheckpointsOf(TrialId trial, int64_t limit);
  // By "UUID" or "TRIAL/UUID". FAILED_PRECONDITION (AMBIGUOUS_CHECKPOINT), which names the trials:
  // several have one of that uuid.
  absl::StatusOr<CheckpointRow> Checkpoint(const std::string& name);
  // The trial's latest checkpoint; "" when it has none.
  absl::StatusOr<std::string> LatestCheckpoint(TrialId trial);

  // Points after the cursor, in the order of their reports; group "" is all.
  absl::StatusOr<std::vector<MetricRow>> Metrics(TrialId trial,
                                                 const std::string& group,
                                                 int64_t limit,
                                                 const MetricCursor& after = {});

  // Records after the cursor, in order.
  absl::StatusOr<std::vector<LogRow>> Logs(TrialId trial, const LogCursor& after, int64_t limit);
  // The cursor after which `tail` records follow.
  absl::StatusOr<LogCursor> LogTail(TrialId trial, int64_t tail);

 private:
  std::unique_ptr<pg::Pool> pool_;
};

}  // namespace det::store
