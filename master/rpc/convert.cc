#include "master/rpc/convert.h"

#include <algorithm>

namespace det::rpc {
namespace {

void Put(const store::ReasonRow& reason, api::v1::Reason* out) {
  out->set_code(reason.code);
  out->set_text(reason.text);
  out->set_actor(reason.actor);
  out->set_since_unix_nanos(absl::ToUnixNanos(reason.since));
}

}  // namespace

api::v1::Experiment ToProto(const store::ExperimentRow& row) {
  api::v1::Experiment out;
  out.set_id(row.id.value());
  out.set_name(row.name);
  out.set_owner(row.owner);
  out.set_state(row.state);
  Put(row.reason, out.mutable_reason());
  out.set_searcher(row.searcher);
  out.set_metric(row.metric);
  out.set_smaller_is_better(row.smaller_is_better);
  out.set_pool(row.pool);
  out.set_priority(row.priority);
  out.set_progress(row.progress);
  out.set_trials_created(row.trials_created);
  out.set_trials_closed(row.trials_closed);
  if (row.best_trial.has_value()) out.set_best_trial(row.best_trial->value());
  if (row.best_metric.has_value()) out.set_best_metric(*row.best_metric);
  out.set_best_steps(row.best_steps);
  out.set_created_unix_nanos(absl::ToUnixNanos(row.created_at));
  if (row.ended_at.has_value()) out.set_ended_unix_nanos(absl::ToUnixNanos(*row.ended_at));
  out.set_context_sha256(row.context);
  if (row.parent.has_value()) out.set_parent(row.parent->value());
  out.set_workspace(row.workspace);
  out.set_project(row.project);
  for (const std::string& label : row.labels) out.add_labels(label);
  out.set_archived(row.archived);
  out.set_description(row.description);
  return out;
}

void PutDetails(const store::ExperimentDetails& details, api::v1::Experiment* out) {
  out->set_notes(details.notes);
  if (details.git_commit.empty()) return;
  out->mutable_code()->set_git_commit(details.git_commit);
  out->mutable_code()->set_git_branch(details.git_branch);
  out->mutable_code()->set_git_dirty(details.git_dirty);
}

api::v1::Trial ToProto(const store::TrialRow& row) {
  api::v1::Trial out;
  out.set_id(row.id.value());
  out.set_experiment(row.experiment.value());
  out.set_hparams_json(row.hparams);
  out.set_seed(static_cast<uint32_t>(row.seed));
  out.set_state(row.state);
  Put(row.reason, out.mutable_reason());
  out.set_restarts(row.restarts);
  out.set_infrastructure_restarts(row.infrastructure_restarts);
  out.set_runs(row.runs);
  if (row.best_metric.has_value()) out.set_best_metric(*row.best_metric);
  if (row.latest_metric.has_value()) out.set_latest_metric(*row.latest_metric);
  out.set_latest_steps(row.latest_steps);
  out.set_latest_checkpoint(row.latest_checkpoint);
  out.set_created_unix_nanos(absl::ToUnixNanos(row.created_at));
  if (row.ended_at.has_value()) out.set_ended_unix_nanos(absl::ToUnixNanos(*row.ended_at));
  out.set_agent(row.agent);
  for (const int64_t slot : row.slots) out.add_slots(static_cast<int32_t>(slot));
  out.set_progress(row.progress);
  out.set_latest_training_json(row.training);
  out.set_latest_training_steps(row.training_steps);
  out.set_log_policy(row.log_policy);
  return out;
}

api::v1::Checkpoint ToProto(const store::CheckpointRow& row) {
  api::v1::Checkpoint out;
  out.set_uuid(row.uuid);
  out.set_trial(row.trial.value());
  out.set_experiment(row.experiment.value());
  out.set_steps_completed(row.steps_completed);
  out.set_bytes(row.bytes);
  out.set_files_json(row.files);
  out.set_metadata_json(row.metadata);
  out.set_directory(row.directory);
  out.set_state(row.state);
  out.set_reported_unix_nanos(absl::ToUnixNanos(row.reported_at));
  if (row.metric.has_value()) out.set_metric(*row.metric);
  return out;
}

api::v1::Transition ToProto(const store::TransitionRow& row) {
  api::v1::Transition out;
  out.set_seq(row.seq);
  out.set_at_unix_nanos(absl::ToUnixNanos(row.at));
  out.set_kind(row.kind);
  out.set_subject(row.subject);
  out.set_to_state(row.to_state);
  out.set_code(row.code);
  out.set_text(row.text);
  out.set_actor(row.actor);
  return out;
}

api::v1::Reason ToProto(const core::Reason& reason) {
  api::v1::Reason out;
  out.set_code(reason.code);
  out.set_text(reason.text);
  out.set_actor(reason.actor);
  out.set_since_unix_nanos(absl::ToUnixNanos(reason.since));
  return out;
}

int64_t Limit(int64_t asked, int64_t otherwise, int64_t max) {
  return asked <= 0 ? otherwise : std::min(asked, max);
}

}  // namespace det::rpc
