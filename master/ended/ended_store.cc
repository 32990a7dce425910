#include "master/ended/ended_store.h"

#include <algorithm>
#include <map>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/pg/pg.h"
#include "master/journal/codec.h"

namespace det::ended {
namespace {

constexpr int kConnectionsMax = 4;

absl::Status NotKept(ExperimentId id, std::string_view why) {
  return Error(absl::StatusCode::kFailedPrecondition,
               "NOT_KEPT",
               StrCat("experiment ", id.value(), " can't be continued: ", why),
               "det experiment fork makes a new one of it");
}

// What follows "deleted by ann" tells when; the row says it by its reason.
std::string Because(const pqxx::row& row) {
  auto text = row[1].as<std::string>();
  if (row[0].as<std::string>() == core::Name(core::ExperimentState::kDeleted)) {
    StrAppend(text, " at ", row[2].as<std::string>());
  }
  return text;
}

constexpr char kWhere[] =
    "SELECT state, reason_text, "
    "to_char(reason_since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS UTC') "
    "FROM experiments WHERE id = $1";

// The whole checkpoints of a trial that nobody asked to delete; the newest comes first.
using Left = std::vector<core::CheckpointRef>;

std::map<TrialId, Left> LeftOf(pqxx::work& tx, ExperimentId id) {
  std::map<TrialId, Left> out;
  for (const auto& row : tx.exec_params(
           "SELECT c.trial_id, c.uuid, c.steps_completed FROM checkpoints c "
           "WHERE c.experiment_id = $1 AND c.state = 'COMPLETED' AND NOT EXISTS "
           "(SELECT FROM deletions d WHERE d.trial_id = c.trial_id AND d.uuid = c.uuid AND "
           "d.state IN ('PENDING', 'RUNNING')) "
           "ORDER BY c.trial_id, c.steps_completed DESC, c.reported_at DESC",
           id.value())) {
    out[TrialId(row[0].as<int64_t>())].push_back({row[1].as<std::string>(), row[2].as<int64_t>()});
  }
  return out;
}

// What the record says was the latest may be gone by now.
void GoOnFromWhatIsLeft(const Left& left, core::Trial* trial) {
  std::optional<core::CheckpointRef>& latest = trial->latest_checkpoint;
  if (!latest.has_value()) return;
  const auto is_latest = [&](const core::CheckpointRef& one) { return one.uuid == latest->uuid; };
  if (std::any_of(left.begin(), left.end(), is_latest)) return;
  latest = left.empty() ? std::nullopt : std::optional(left.front());
}

}  // namespace

EndedStore::EndedStore(const std::string& conninfo, int64_t epoch)
    : pool_(std::make_unique<pg::Pool>(conninfo, kConnectionsMax)), epoch_(epoch) {}
EndedStore::~EndedStore() = default;

absl::StatusOr<Standing> EndedStore::Where(ExperimentId id) {
  Standing standing;
  bool found = false;
  std::string name;
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    for (const auto& row : tx.exec_params(kWhere, id.value())) {
      found = true;
      name = row[0].as<std::string>();
      standing.because = Because(row);
    }
  }));
  if (!found) {
    return Error(absl::StatusCode::kNotFound,
                 "EXPERIMENT_NOT_FOUND",
                 StrCat("experiment ", id.value(), " does not exist"),
                 "det experiment list shows all");
  }
  const std::optional<core::ExperimentState> state = core::ExperimentStateOf(name);
  if (!state.has_value()) {
    return Error(absl::StatusCode::kDataLoss,
                 "BAD_STATE",
                 StrCat("experiment ", id.value(), " is in the unknown state ", name));
  }
  standing.state = *state;
  return standing;
}

absl::StatusOr<core::ContinueExperiment> EndedStore::Load(ExperimentId id) {
  std::string record;
  std::vector<std::string> trials;
  WorkspaceId workspace;
  ProjectId project;
  bool archived = false;
  // Of a search what completed stays so, also when an earlier end of it is still on record.
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    trials.clear();
    for (const auto& row :
         tx.exec_params("SELECT workspace_id, project_id, archived FROM experiments WHERE id = $1",
                        id.value())) {
      workspace = WorkspaceId(row[0].as<int64_t>());
      project = ProjectId(row[1].as<int64_t>());
      archived = row[2].as<bool>();
    }
    const auto rows = tx.exec_params(
        "SELECT t.id IS NOT NULL, e.record FROM ended e "
        "LEFT JOIN trials t ON e.key = 'trial/' || t.id "
        "WHERE e.experiment_id = $1 AND (t.id IS NULL OR t.state <> 'COMPLETED' OR EXISTS "
        "(SELECT FROM experiments x WHERE x.id = $1 AND x.searcher = 'single')) ORDER BY t.id",
        id.value());
    for (const auto& row : rows) {
      std::string bytes = pg::FromBytea(std::string_view(row[1].c_str(), row[1].size()));
      if (row[0].as<bool>()) {
        trials.push_back(std::move(bytes));
      } else {
        record = std::move(bytes);
      }
    }
  }));
  std::map<TrialId, Left> left;
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) { left = LeftOf(tx, id); }));
  if (archived) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "EXPERIMENT_ARCHIVED",
                 StrCat("experiment ", id.value(), " is archived: it is not continued"),
                 StrCat("det experiment unarchive ", id.value(), " takes it back"));
  }
  if (record.empty()) return NotKept(id, "its search is too large to be kept, or older than this");
  core::ContinueExperiment command;
  DET_ASSIGN_OR_RETURN(command.ended, journal::DecodeEndedExperiment(record));
  // It may have been moved since.
  command.ended.workspace = workspace;
  command.ended.project = project;
  for (const std::string& bytes : trials) {
    DET_ASSIGN_OR_RETURN(core::EndedTrial trial, journal::DecodeEndedTrial(bytes));
    GoOnFromWhatIsLeft(left[trial.trial.id], &trial.trial);
    command.trials.push_back(std::move(trial));
  }
  return command;
}

absl::Status EndedStore::BeginDelete(ExperimentId id, const core::Principal& principal) {
  return pool_->Write([&](pqxx::work& tx) {
    tx.exec_params("SELECT det_fence($1)", epoch_);
    tx.exec_params(
        "UPDATE experiments SET state = 'DELETING', reason_code = 'USER_DELETED', "
        "reason_text = $2, reason_actor = $3, reason_since = now() "
        "WHERE id = $1 AND state IN ('COMPLETED', 'CANCELED', 'ERROR', 'DELETE_FAILED')",
        id.value(),
        StrCat("deleted by ", principal.name),
        principal.Actor());
  });
}

absl::Status Busy(ExperimentId id) {
  return Error(absl::StatusCode::kAborted,
               "EXPERIMENT_BUSY",
               StrCat("experiment ", id.value(), " is being changed by another call"),
               "try again in a moment");
}

absl::Status Refusal(core::ExperimentVerb verb, ExperimentId id, const Standing& standing) {
  if (standing.state == core::ExperimentState::kDeleted) {
    return Error(absl::StatusCode::kNotFound,
                 "EXPERIMENT_DELETED",
                 StrCat("experiment ", id.value(), " was ", standing.because));
  }
  return core::Refusal(verb, standing.state, StrCat("experiment ", id.value()), standing.because);
}

}  // namespace det::ended
