#include "master/journal/tables.h"

#include <algorithm>

#include "common/base/check.h"

namespace det::journal {

namespace {

// One entry a table, in the order of Table; columns as store/migrations has them.
// clang-format off
const TableShape kShapes[kTables] = {
    {"experiments", "id",
     {"id", "name", "owner", "state", "reason_code", "reason_text", "reason_actor",
      "reason_since", "context", "searcher", "metric", "smaller_is_better", "pool",
      "priority", "progress", "trials_created", "trials_closed", "best_trial", "best_metric",
      "best_steps", "parent_id", "created_at", "ended_at", "description", "labels",
      "workspace_id", "project_id"},
     {"name", "description", "labels", "workspace_id", "project_id"}},
    {"submissions", "experiment_id",
     {"experiment_id", "config", "config_text", "git_commit", "git_branch", "git_dirty"}},
    {"submissions", "experiment_id", {"experiment_id", "config"}},
    {"trials", "id",
     {"id", "experiment_id", "bracket", "index_in_bracket", "hparams", "seed", "state",
      "reason_code", "reason_text", "reason_actor", "reason_since", "restarts",
      "infrastructure_restarts", "runs", "best_metric", "latest_metric", "latest_steps",
      "latest_checkpoint", "log_policy", "created_at", "ended_at"}},
    {"allocations", "id",
     {"id", "task_id", "trial_id", "run", "agent", "slots", "state", "level", "level_text",
      "exit_kind", "exit_code", "exit_text", "placed_at", "ended_at"}},
    {"checkpoints", "trial_id, uuid",
     {"uuid", "trial_id", "experiment_id", "allocation_id", "steps_completed", "bytes",
      "files", "metadata", "directory", "state", "reported_at"}},
    {"agents", "id",
     {"id", "pool", "version", "address", "slots", "connected", "lost", "since"}},
    {"transitions", "seq",
     {"seq", "at", "kind", "subject_id", "experiment_id", "to_state", "code", "text", "actor"}},
    {"ended", "key", {"key", "experiment_id", "record"}},
};
// clang-format on

}  // namespace

const TableShape& ShapeOf(Table table) {
  return kShapes[static_cast<size_t>(table)];
}

std::string KeyOf(const Row& row) {
  constexpr std::string_view kSeparator = ", ";
  std::string key;
  std::string_view columns = ShapeOf(row.table).key;
  while (!columns.empty()) {
    const size_t end = std::min(columns.find(kSeparator), columns.size());
    const Value* value = row.values.Find(columns.substr(0, end));
    DET_CHECK(value != nullptr, "a row without its key");
    key.append(key.empty() ? "" : kSeparator).append(value->ToJson());
    columns.remove_prefix(std::min(end + kSeparator.size(), columns.size()));
  }
  return key;
}

}  // namespace det::journal
