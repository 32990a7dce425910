#include "master/store/list_fields.h"

#include "common/json/json.h"
#include "master/core/lifecycle.h"

namespace det::store {
namespace {

using filter::Datum;
using filter::Type;

template <class T>
Datum Maybe(const std::optional<T>& value) {
  return value.has_value() ? Datum(*value) : Datum();
}

// "" is how a row says none.
Datum Text(const std::string& text) {
  return text.empty() ? Datum() : Datum(text);
}

Datum Json(const std::string& text) {
  absl::StatusOr<Value> value = ParseJson(text);
  return value.ok() ? Datum(*std::move(value)) : Datum();
}

template <class State>
std::vector<std::string> Names(size_t states) {
  std::vector<std::string> names;
  for (size_t i = 0; i < states; ++i) names.emplace_back(core::Name(static_cast<State>(i)));
  return names;
}

Datum Elapsed(absl::Time from, const std::optional<absl::Time>& to) {
  return to.value_or(absl::Now()) - from;
}

constexpr char kElapsed[] = "extract(epoch FROM coalesce(ended_at, now()) - created_at)::float8";
constexpr char kTrialElapsed[] =
    "extract(epoch FROM coalesce(t.ended_at, now()) - t.created_at)::float8";

std::vector<RowField<ExperimentRow>> OfExperiments() {
  using R = ExperimentRow;
  return {
      {{.name = "id", .type = Type::kInteger, .sql = "id", .required = true},
       [](const R& r) -> Datum { return r.id.value(); }},
      {{.name = "name", .sql = "nullif(name, '')"}, [](const R& r) { return Text(r.name); }},
      {{.name = "owner", .sql = "owner"}, [](const R& r) -> Datum { return r.owner; }},
      {{.name = "state",
        .sql = "state",
        .choices = Names<core::ExperimentState>(core::kExperimentStates)},
       [](const R& r) -> Datum { return r.state; }},
      {{.name = "reason", .sql = "nullif(reason_text, '')"},
       [](const R& r) { return Text(r.reason.text); }},
      {{.name = "reason_code", .sql = "nullif(reason_code, '')"},
       [](const R& r) { return Text(r.reason.code); }},
      {{.name = "since", .type = Type::kTime, .sql = "reason_since"},
       [](const R& r) -> Datum { return r.reason.since; }},
      {{.name = "searcher", .sql = "searcher"}, [](const R& r) -> Datum { return r.searcher; }},
      {{.name = "metric", .sql = "nullif(metric, '')"}, [](const R& r) { return Text(r.metric); }},
      {{.name = "pool", .sql = "pool"}, [](const R& r) -> Datum { return r.pool; }},
      {{.name = "priority", .type = Type::kInteger, .sql = "priority"},
       [](const R& r) -> Datum { return r.priority; }},
      {{.name = "progress", .type = Type::kNumber, .sql = "progress"},
       [](const R& r) -> Datum { return r.progress; }},
      {{.name = "trials", .type = Type::kInteger, .sql = "trials_created"},
       [](const R& r) -> Datum { return r.trials_created; }},
      {{.name = "trials_created", .type = Type::kInteger, .sql = "trials_created"},
       [](const R& r) -> Datum { return r.trials_created; }},
      {{.name = "trials_closed", .type = Type::kInteger, .sql = "trials_closed"},
       [](const R& r) -> Datum { return r.trials_closed; }},
      {{.name = "best_trial", .type = Type::kInteger, .sql = "best_trial"},
       [](const R& r) -> Datum {
         return r.best_trial.has_value() ? Datum(r.best_trial->value()) : Datum();
       }},
      {{.name = "best_metric", .type = Type::kNumber, .sql = "best_metric"},
       [](const R& r) { return Maybe(r.best_metric); }},
      {{.name = "best_steps", .type = Type::kInteger, .sql = "best_steps"},
       [](const R& r) -> Datum { return r.best_steps; }},
      {{.name = "created", .type = Type::kTime, .sql = "created_at"},
       [](const R& r) -> Datum { return r.created_at; }},
      {{.name = "ended", .type = Type::kTime, .sql = "ended_at"},
       [](const R& r) { return Maybe(r.ended_at); }},
      {{.name = "elapsed", .type = Type::kDuration, .sql = kElapsed},
       [](const R& r) { return Elapsed(r.created_at, r.ended_at); }},
      {{.name = "workspace", .sql = "(SELECT w.name FROM workspaces w WHERE w.id = workspace_id)"},
       [](const R& r) { return Text(r.workspace); }},
      {{.name = "project", .sql = "(SELECT p.name FROM projects p WHERE p.id = project_id)"},
       [](const R& r) { return Text(r.project); }},
      {{.name = "labels", .type = Type::kTextList, .sql = "labels"},
       [](const R& r) -> Datum { return r.labels; }},
      {{.name = "archived", .type = Type::kBoolean, .sql = "archived"},
       [](const R& r) -> Datum { return r.archived; }},
      {{.name = "description", .sql = "nullif(description, '')"},
       [](const R& r) { return Text(r.description); }},
      // Of the best trial.
      {{.name = "hparams", .type = Type::kJson, .sql = "best_hparams"},
       [](const R& r) { return Json(r.best_hparams); }},
  };
}

std::vector<RowField<TrialRow>> OfTrials() {
  using R = TrialRow;
  return {
      {{.name = "id", .type = Type::kInteger, .sql = "t.id", .required = true},
       [](const R& r) -> Datum { return r.id.value(); }},
      {{.name = "experiment", .type = Type::kInteger, .sql = "t.experiment_id"},
       [](const R& r) -> Datum { return r.experiment.value(); }},
      {{.name = "state", .sql = "t.state"}, [](const R& r) -> Datum { return r.state; }},
      {{.name = "reason", .sql = "nullif(t.reason_text, '')"},
       [](const R& r) { return Text(r.reason.text); }},
      {{.name = "reason_code", .sql = "nullif(t.reason_code, '')"},
       [](const R& r) { return Text(r.reason.code); }},
      {{.name = "since", .type = Type::kTime, .sql = "t.reason_since"},
       [](const R& r) -> Datum { return r.reason.since; }},
      {{.name = "best_metric", .type = Type::kNumber, .sql = "t.best_metric"},
       [](const R& r) { return Maybe(r.best_metric); }},
      {{.name = "latest_metric", .type = Type::kNumber, .sql = "t.latest_metric"},
       [](const R& r) { return Maybe(r.latest_metric); }},
      {{.name = "latest_steps", .type = Type::kInteger, .sql = "t.latest_steps"},
       [](const R& r) -> Datum { return r.latest_steps; }},
      {{.name = "progress", .type = Type::kNumber, .sql = "coalesce(l.progress, 0)"},
       [](const R& r) -> Datum { return r.progress; }},
      {{.name = "restarts", .type = Type::kInteger, .sql = "t.restarts"},
       [](const R& r) -> Datum { return r.restarts; }},
      {{.name = "runs", .type = Type::kInteger, .sql = "t.runs"},
       [](const R& r) -> Datum { return r.runs; }},
      {{.name = "seed", .type = Type::kInteger, .sql = "t.seed"},
       [](const R& r) -> Datum { return r.seed; }},
      {{.name = "agent", .sql = "a.agent"}, [](const R& r) { return Text(r.agent); }},
      {{.name = "latest_checkpoint", .sql = "nullif(t.latest_checkpoint, '')"},
       [](const R& r) { return Text(r.latest_checkpoint); }},
      {{.name = "hparams", .type = Type::kJson, .sql = "t.hparams"},
       [](const R& r) { return Json(r.hparams); }},
      {{.name = "training", .type = Type::kJson, .sql = "l.training"},
       [](const R& r) { return Json(r.training); }},
      {{.name = "created", .type = Type::kTime, .sql = "t.created_at"},
       [](const R& r) -> Datum { return r.created_at; }},
      {{.name = "ended", .type = Type::kTime, .sql = "t.ended_at"},
       [](const R& r) { return Maybe(r.ended_at); }},
      {{.name = "elapsed", .type = Type::kDuration, .sql = kTrialElapsed},
       [](const R& r) { return Elapsed(r.created_at, r.ended_at); }},
  };
}

std::vector<RowField<CheckpointRow>> OfCheckpoints() {
  using R = CheckpointRow;
  return {
      {{.name = "uuid", .sql = "c.uuid"}, [](const R& r) -> Datum { return r.uuid; }},
      {{.name = "trial", .type = Type::kInteger, .sql = "c.trial_id"},
       [](const R& r) -> Datum { return r.trial.value(); }},
      {{.name = "experiment", .type = Type::kInteger, .sql = "c.experiment_id"},
       [](const R& r) -> Datum { return r.experiment.value(); }},
      {{.name = "steps_completed", .type = Type::kInteger, .sql = "c.steps_completed"},
       [](const R& r) -> Datum { return r.steps_completed; }},
      {{.name = "metric", .type = Type::kNumber, .sql = "m.value"},
       [](const R& r) { return Maybe(r.metric); }},
      {{.name = "bytes", .type = Type::kBytes, .sql = "c.bytes"},
       [](const R& r) -> Datum { return r.bytes; }},
      {{.name = "state", .sql = "c.state"}, [](const R& r) -> Datum { return r.state; }},
      {{.name = "reported", .type = Type::kTime, .sql = "c.reported_at"},
       [](const R& r) -> Datum { return r.reported_at; }},
      {{.name = "directory", .sql = "nullif(c.directory, '')"},
       [](const R& r) { return Text(r.directory); }},
      {{.name = "metadata", .type = Type::kJson, .sql = "c.metadata"},
       [](const R& r) { return Json(r.metadata); }},
  };
}

}  // namespace

const ListFields<ExperimentRow>& ExperimentFields() {
  static const auto* const fields = new ListFields<ExperimentRow>("an experiment", OfExperiments());
  return *fields;
}

const ListFields<TrialRow>& TrialFields() {
  static const auto* const fields = new ListFields<TrialRow>("a trial", OfTrials());
  return *fields;
}

const ListFields<CheckpointRow>& CheckpointFields() {
  static const auto* const fields = new ListFields<CheckpointRow>("a checkpoint", OfCheckpoints());
  return *fields;
}

}  // namespace det::store
