#pragma once

#include <cstdint>
#include <map>
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

// Queries over what is durable: the projections. For threads that may block. A thing
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
  std::optional<ExperimentId> parent;
  absl::Time created_at;
  std::optional<absl::Time> ended_at;
  std::string workspace;  // names
  std::string project;
  std::vector<std::string> labels;
  bool archived = false;
  std::string description;
  std::string best_hparams;  // JSON, of the best trial; "" where there is none, or not in a list
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
  std::string log_policy;  // that matched last; "" is none
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

// Which rows of a list, in which order, and which page of them. Of things whose ids give the order
// a page costs what it shows; in any other order all that the filter lets through is sorted.
struct ListQuery {
  std::string filter;             // as common/filter reads it; empty: all
  std::vector<std::string> sort;  // "FIELD:desc"; none: the list's own order
  std::string page;               // `next` of the page before; empty: the first
  int64_t limit = 100;
  absl::Time now;  // from which ages are counted
};

// The workspaces whose experiments, trials and checkpoints a list shows; nothing stands for all.
using Visible = std::optional<std::vector<WorkspaceId>>;

// Fewer rows than asked for do not mean the end: an empty `next` does.
template <class Row>
struct ListPage {
  std::vector<Row> rows;
  std::string next;
};

class ReadStore {
 public:
  explicit ReadStore(const std::string& conninfo, int connections_max = 8);
  ~ReadStore();

  absl::StatusOr<std::string> ClusterId();
  struct Health {
    absl::Duration latency;      // of a query
    int64_t bytes = 0;           // of the database
    std::string data_directory;  // of the server; "" where its user may not know
  };
  absl::StatusOr<Health> Look();

  // kNotFound (EXPERIMENT_DELETED), with who and when, of one that was deleted.
  absl::StatusOr<ExperimentRow> Experiment(ExperimentId id);
  // What they are called now; those that do not exist are not in it.
  absl::StatusOr<std::map<ExperimentId, std::string>> Names(const std::vector<ExperimentId>& ids);
  absl::StatusOr<ExperimentDetails> Details(ExperimentId id);
  absl::StatusOr<std::string> EffectiveConfig(ExperimentId id);  // JSON
  absl::StatusOr<std::string> SubmittedConfig(ExperimentId id);  // as given, without secrets
  struct ExperimentScope {
    std::string owner;                     // a handle; "": anybody's
    bool archived = false;                 // these too
    Visible workspaces = {};               // nothing: all
    ProjectId project = {};                // 0: any
    std::vector<std::string> labels = {};  // that all are there
  };
  // Newest first where the query has no sort.
  absl::StatusOr<ListPage<ExperimentRow>> ListExperiments(const ListQuery& query,
                                                          const ExperimentScope& scope);

  absl::StatusOr<TrialRow> Trial(TrialId id);
  struct TrialFilter {
    ExperimentId experiment;
    bool by_best = false;
    bool only_running = false;  // those that hold slots
    int64_t limit = 100;
    int64_t offset = 0;
  };
  absl::StatusOr<std::vector<TrialRow>> Trials(const TrialFilter& filter);
  struct TrialScope {
    ExperimentId experiment;  // 0: of all, the newest first
    bool by_best = false;
    bool only_live = false;  // those that hold slots
    Visible workspaces = {};
  };
  absl::StatusOr<ListPage<TrialRow>> ListTrials(const ListQuery& query, const TrialScope& scope);
  absl::StatusOr<int64_t> CountTrials(ExperimentId experiment);

  // Of one experiment, trial, allocation or agent, oldest first, the last `limit`. A trial's
  // history includes its allocations'.
  absl::StatusOr<std::vector<TransitionRow>> History(const std::string& kind,
                                                     const std::string& id,
                                                     int64_t limit);

  struct CheckpointScope {
    ExperimentId experiment;          // 0: of all
    TrialId trial;                    // 0: of all
    std::vector<std::string> states;  // empty: any
    Visible workspaces = {};
  };
  // Without a sort of an experiment the best first; else the newest.
  absl::StatusOr<ListPage<CheckpointRow>> ListCheckpoints(const ListQuery& query,
                                                          const CheckpointScope& scope);
  // By "UUID" or "TRIAL/UUID", or what such a uuid begins with. FAILED_PRECONDITION
  // (AMBIGUOUS_CHECKPOINT), which names the trials: several have one of that uuid. Others than
  // those of the workspaces do not count.
  absl::StatusOr<CheckpointRow> Checkpoint(const std::string& name, const Visible& workspaces = {});
  // The trial's latest checkpoint; "" when it has none.
  absl::StatusOr<std::string> LatestCheckpoint(TrialId trial);

 private:
  absl::StatusOr<std::string> Submission(ExperimentId id, const char* column);

  std::unique_ptr<pg::Pool> pool_;
};

}  // namespace det::store
