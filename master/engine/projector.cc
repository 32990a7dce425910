#include "master/engine/projector.h"

#include <optional>
#include <utility>

#include "common/base/strings.h"
#include "master/core/explain.h"
#include "master/engine/limits.h"
#include "master/engine/snapshotter.h"
#include "master/journal/codec.h"
#include "master/searcher/searcher.h"
#include "master/spec/parse.h"
#include "master/storage/place_of.h"

namespace det::engine {
namespace {

using core::Event;
using core::State;
using journal::Table;

// RFC 3339 with microseconds, what timestamptz holds; null for "not yet".
Value Timestamp(absl::Time time) {
  if (time == absl::InfinitePast() || time == absl::InfiniteFuture()) return {};
  return std::string(absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", time, absl::UTCTimeZone()));
}

void PutReason(const core::Reason& reason, Value& row) {
  row["reason_code"] = reason.code;
  row["reason_text"] = reason.text;
  row["reason_actor"] = reason.actor;
  row["reason_since"] = Timestamp(reason.since);
}

Value ExperimentRow(const core::Experiment& e) {
  const searcher::Totals& totals = e.search.totals;
  Value row;
  row["id"] = e.id.value();
  row["name"] = e.spec->name;
  row["description"] = e.spec->description;
  row["labels"] = Value::Array(e.spec->labels.begin(), e.spec->labels.end());
  row["workspace_id"] = e.workspace.value();
  row["project_id"] = e.project.value();
  row["owner"] = e.owner;
  row["state"] = core::Name(e.state);
  PutReason(e.reason, row);
  row["searcher"] = spec::SearcherName(e.spec->searcher);
  row["context"] = e.context;
  row["metric"] = e.spec->searcher.metric;
  row["smaller_is_better"] = e.spec->searcher.smaller_is_better;
  row["pool"] = e.spec->resources.resource_pool;
  row["priority"] = e.spec->resources.priority;
  row["progress"] = e.state == core::ExperimentState::kCompleted
                        ? 1.0
                        : searcher::Progress(e.SearchConfig(), e.search, 0);
  row["trials_created"] = totals.requested;
  row["trials_closed"] = totals.closed;
  row["best_trial"] = e.best.has_value() ? Value(e.best->trial.value()) : Value();
  row["best_metric"] = e.best.has_value() ? Value(e.best->metric) : Value();
  row["best_steps"] = e.best.has_value() ? Value(e.best->steps_completed) : Value();
  row["parent_id"] = e.parent.value() == 0 ? Value() : Value(e.parent.value());
  row["created_at"] = Timestamp(e.created_at);
  row["ended_at"] = Timestamp(e.ended_at);
  return row;
}

Value AllocationRow(const core::Task& task) {
  const core::Allocation& a = *task.allocation;
  Value row;
  row["id"] = a.id.value();
  row["task_id"] = task.id.value();
  row["trial_id"] = task.trial.value();
  row["run"] = a.run;
  row["agent"] = a.agent.value();
  row["slots"] = Value::Array(a.slots.begin(), a.slots.end());
  row["state"] = core::Name(a.state);
  row["level"] = core::Name(a.level);
  row["level_text"] = a.level_reason.text;
  row["exit_kind"] = Value();
  row["exit_code"] = Value();
  row["exit_text"] = Value();
  row["placed_at"] = Timestamp(a.placed_at);
  row["ended_at"] = Value();
  return row;
}

Value AgentRow(const core::Agent& agent) {
  Value::Array slots;
  for (const core::Slot& slot : agent.slots) {
    Value item;
    item["index"] = slot.index;
    item["kind"] = slot.kind;
    item["name"] = slot.name;
    slots.push_back(std::move(item));
  }
  Value row;
  row["id"] = agent.id.value();
  row["pool"] = agent.pool;
  row["version"] = agent.version;
  row["address"] = agent.address;
  row["slots"] = std::move(slots);
  row["connected"] = agent.connected;
  row["lost"] = agent.lost;
  row["since"] = Timestamp(agent.since);
  return row;
}

std::string_view ExitName(core::ExitKind kind) {
  static constexpr std::string_view kNames[] = {"EXITED",
                                                "SIGNALED",
                                                "OUT_OF_MEMORY",
                                                "START_FAILED",
                                                "PREPARE_FAILED",
                                                "LOST",
                                                "START_TIMEOUT"};
  return kNames[static_cast<size_t>(kind)];
}

// A line of an object's history.
struct Transition {
  std::string_view kind;
  std::string subject;
  int64_t experiment = 0;
  std::string to;
  core::Reason reason;
};

int64_t ExperimentOf(const State& state, TrialId trial) {
  const core::Trial* found = state.Find(trial);
  return found == nullptr ? 0 : found->experiment.value();
}

// In the text form of a bytea.
std::string Hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out = "\\x";
  out.reserve(2 + 2 * bytes.size());
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

// What is worth a line of history, of the state before the event.
class Historian {
 public:
  using Line = std::optional<Transition>;
  Historian(const State& state, absl::Time at) : state_(state), at_(at) {}

  Line operator()(const core::ExperimentCreated& e) const {
    return Transition{
        "experiment", e.id.ToString(), e.id.value(), e.paused ? "PAUSED" : "ACTIVE", e.reason};
  }
  Line operator()(const core::ExperimentMoved& e) const {
    return Transition{
        "experiment", e.id.ToString(), e.id.value(), std::string(core::Name(e.to)), e.reason};
  }
  Line operator()(const core::ExperimentConfigured& e) const {
    return Transition{"experiment", e.id.ToString(), e.id.value(), "CONFIGURED", e.reason};
  }
  Line operator()(const core::ExperimentReordered& e) const {
    if (e.reason.code.empty()) return std::nullopt;
    return Transition{"experiment", e.id.ToString(), e.id.value(), "REORDERED", e.reason};
  }
  Line operator()(const core::ExperimentContinued& e) const {
    const core::Experiment& x = e.experiment;
    return Transition{"experiment", x.id.ToString(), x.id.value(), "ACTIVE", x.reason};
  }
  Line operator()(const core::TrialContinued& e) const {
    const core::Trial& t = e.trial;
    return Transition{"trial", t.id.ToString(), t.experiment.value(), "ACTIVE", t.reason};
  }
  Line operator()(const core::LogPolicyMatched& e) const {
    const core::Reason reason{"LOG_POLICY", core::Describe(e.match), "master", at_};
    return OfTrial(e.id, "LOG_POLICY_MATCHED", reason);
  }
  Line operator()(const core::TrialCreated& e) const {
    return Transition{"trial", e.id.ToString(), e.experiment.value(), "ACTIVE", e.reason};
  }
  Line operator()(const core::TrialMoved& e) const {
    return OfTrial(e.id, core::Name(e.to), e.reason);
  }
  Line operator()(const core::TrialRestarted& e) const {
    return OfTrial(e.id, "RESTARTED", e.reason);
  }
  Line operator()(const core::AllocationPlaced& e) const {
    return OfAllocation(
        e, "ASSIGNED", {"PLACED", StrCat("placed on agent ", e.agent.value()), "scheduler", at_});
  }
  Line operator()(const core::AllocationMoved& e) const {
    return OfAllocation(e, std::string(core::Name(e.to)), {"", "", "agent", at_});
  }
  Line operator()(const core::AllocationSignaled& e) const {
    return OfAllocation(e, StrCat("TOLD_TO_", core::Name(e.level)), e.reason);
  }
  Line operator()(const core::AllocationEnded& e) const {
    return OfAllocation(
        e, "TERMINATED", {std::string(ExitName(e.exit.kind)), e.exit.text, "agent", at_});
  }
  Line operator()(const core::AgentConnected& e) const {
    return OfAgent(e.id, "CONNECTED", "agent");
  }
  Line operator()(const core::AgentDisconnected& e) const {
    return OfAgent(e.id, "DISCONNECTED", "master");
  }
  Line operator()(const core::AgentLost& e) const { return OfAgent(e.id, "LOST", "master"); }
  Line operator()(const core::AgentDisabled& e) const {
    const std::string to = e.how.drain ? "DRAINING" : "DISABLED";
    return Transition{"agent", e.id.value(), 0, to, e.how.reason};
  }
  Line operator()(const core::AgentEnabled& e) const {
    return Transition{"agent", e.id.value(), 0, "ENABLED", e.reason};
  }
  template <class Other>
  Line operator()(const Other& /*e*/) const {
    return std::nullopt;
  }

 private:
  Line OfTrial(TrialId id, std::string_view to, const core::Reason& reason) const {
    return Transition{"trial", id.ToString(), ExperimentOf(state_, id), std::string(to), reason};
  }
  template <class E>
  Line OfAllocation(const E& e, std::string to, core::Reason reason) const {
    const int64_t experiment = ExperimentOf(state_, state_.Find(e.task)->trial);
    return Transition{"allocation", e.id.ToString(), experiment, std::move(to), std::move(reason)};
  }
  Line OfAgent(const AgentId& id, std::string_view to, std::string_view actor) const {
    return Transition{"agent", id.value(), 0, std::string(to), {"", "", std::string(actor), at_}};
  }

  const State& state_;
  const absl::Time at_;
};

Value CheckpointRow(const State& state, const core::CheckpointRecorded& e, absl::Time at) {
  const core::Trial& trial = *state.Find(e.id);
  const core::Experiment& experiment = *state.Find(trial.experiment);
  Value row;
  row["uuid"] = e.uuid;
  row["trial_id"] = e.id.value();
  row["experiment_id"] = experiment.id.value();
  row["allocation_id"] = e.report.allocation.value();
  row["steps_completed"] = e.steps_completed;
  row["bytes"] = e.bytes;
  row["files"] = e.files;
  row["metadata"] = e.metadata;
  row["directory"] =
      storage::CheckpointUrl(storage::PlaceOf(experiment.spec->checkpoint_storage), e.uuid);
  row["state"] = "COMPLETED";
  row["reported_at"] = Timestamp(at);
  return row;
}

}  // namespace

void Projector::Put(Table table, Value values) {
  journal::Row row{table, std::move(values)};
  std::string key = journal::KeyOf(row);
  rows_[{table, std::move(key)}] = std::move(row.values);
}

void Projector::OnEvent(const State& state, int64_t seq, const Event& event) {
  if (const std::optional<Transition> line = std::visit(Historian(state, event.at), event.body)) {
    Value row;
    row["seq"] = seq;
    row["at"] = Timestamp(event.at);
    row["kind"] = line->kind;
    row["subject_id"] = line->subject;
    row["experiment_id"] = line->experiment == 0 ? Value() : Value(line->experiment);
    row["to_state"] = line->to;
    row["code"] = line->reason.code;
    row["text"] = line->reason.text;
    row["actor"] = line->reason.actor;
    Put(Table::kTransitions, std::move(row));
  }
  if (const auto* created = std::get_if<core::ExperimentCreated>(&event.body)) {
    Value row;
    row["experiment_id"] = created->id.value();
    row["config"] = spec::ToValue(*created->spec);
    row["config_text"] = created->config_text;
    row["git_commit"] = created->code.commit;
    row["git_branch"] = created->code.branch;
    row["git_dirty"] = created->code.dirty;
    Put(Table::kSubmissions, std::move(row));
  } else if (const auto* configured = std::get_if<core::ExperimentConfigured>(&event.body)) {
    spec::ExperimentSpec spec = *state.Find(configured->id)->spec;
    core::ApplySettings(configured->settings, &spec);
    PutConfig(configured->id, spec::ToValue(spec));
  } else if (const auto* continued = std::get_if<core::ExperimentContinued>(&event.body)) {
    PutConfig(continued->experiment.id, spec::ToValue(*continued->experiment.spec));
  } else if (const auto* moved = std::get_if<core::ExperimentMoved>(&event.body)) {
    // A pause shows in the trials too, though their own aggregates may not change.
    for (const auto& [request, trial] : state.Find(moved->id)->open_trials) trials_.insert(trial);
  } else if (const auto* checkpoint = std::get_if<core::CheckpointRecorded>(&event.body)) {
    Put(Table::kCheckpoints, CheckpointRow(state, *checkpoint, event.at));
  } else if (const auto* ended = std::get_if<core::AllocationEnded>(&event.body)) {
    Value row = AllocationRow(*state.Find(ended->task));
    row["state"] = "TERMINATED";
    row["exit_kind"] = ExitName(ended->exit.kind);
    row["exit_code"] =
        ended->exit.kind == core::ExitKind::kSignaled ? ended->exit.signal : ended->exit.code;
    row["exit_text"] = ended->exit.text;
    row["ended_at"] = Timestamp(event.at);
    Put(Table::kAllocations, std::move(row));
  }
}

void Projector::PutEnded(const core::Key& key, ExperimentId experiment, std::string record) {
  if (static_cast<int64_t>(record.size()) > kEndedRecordBytesMax) return;
  Value row;
  row["key"] = SnapshotKey(key);
  row["experiment_id"] = experiment.value();
  row["record"] = Hex(record);
  Put(Table::kEnded, std::move(row));
}

// Of a search only trials that did not complete are ever continued.
void Projector::PutEndedTrial(const State& state,
                              const core::Departed& departed,
                              const core::Trial& trial,
                              const core::Task* task) {
  const core::Experiment* experiment = state.Find(trial.experiment);
  for (const core::Experiment& e : departed.experiments) {
    if (e.id == trial.experiment) experiment = &e;
  }
  const bool completed = trial.state == core::TrialState::kCompleted;
  if (completed && !experiment->IsSingle()) return;
  PutEnded(
      trial.id, trial.experiment, journal::EncodeEnded(trial, task == nullptr ? 0 : task->runs));
}

// One row of the table a commit: what is to be written whole takes the change in.
void Projector::PutConfig(ExperimentId id, Value config) {
  Value row;
  row["experiment_id"] = id.value();
  const auto whole = rows_.find({Table::kSubmissions, journal::KeyOf({Table::kSubmissions, row})});
  if (whole != rows_.end()) {
    whole->second["config"] = std::move(config);
    return;
  }
  row["config"] = std::move(config);
  Put(Table::kConfigs, std::move(row));
}

void Projector::PutTrial(const State& state, const core::Trial& t, const core::Task* task) {
  Value row;
  row["id"] = t.id.value();
  row["experiment_id"] = t.experiment.value();
  row["bracket"] = t.request.bracket;
  row["index_in_bracket"] = t.request.index;
  row["hparams"] = t.hparams;
  row["seed"] = static_cast<int64_t>(t.seed);
  row["state"] = core::ShownState(state, t);
  PutReason(t.reason, row);
  row["restarts"] = t.restarts;
  row["infrastructure_restarts"] = t.infrastructure_restarts;
  row["runs"] = task == nullptr ? 0 : task->runs;
  row["best_metric"] = t.validations > 0 ? Value(t.best_metric) : Value();
  row["latest_metric"] = t.validations > 0 ? Value(t.latest_metric) : Value();
  row["latest_steps"] = t.latest_steps;
  row["latest_checkpoint"] =
      t.latest_checkpoint.has_value() ? Value(t.latest_checkpoint->uuid) : Value();
  row["log_policy"] = t.log_matches.empty() ? "" : t.log_matches.back().policy;
  row["created_at"] = Timestamp(t.created_at);
  row["ended_at"] = Timestamp(t.ended_at);
  Put(Table::kTrials, std::move(row));
}

void Projector::PutAllocation(const core::Task& task) {
  if (task.allocation.has_value()) Put(Table::kAllocations, AllocationRow(task));
}

void Projector::OnStep(const State& state,
                       const std::set<core::Key>& changed,
                       const core::Departed& departed) {
  std::set<TrialId> trials = std::exchange(trials_, {});
  for (const core::Key& key : changed) {
    if (const auto* experiment = std::get_if<ExperimentId>(&key)) {
      if (const core::Experiment* e = state.Find(*experiment))
        Put(Table::kExperiments, ExperimentRow(*e));
    } else if (const auto* trial = std::get_if<TrialId>(&key)) {
      trials.insert(*trial);
    } else if (const auto* task_id = std::get_if<TaskId>(&key)) {
      // A trial's shown state follows its task.
      if (const core::Task* task = state.Find(*task_id)) {
        trials.insert(task->trial);
        PutAllocation(*task);
      }
    } else if (const core::Agent* agent = state.Find(std::get<AgentId>(key))) {
      Put(Table::kAgents, AgentRow(*agent));
    }
  }
  for (const TrialId id : trials) {
    if (const core::Trial* trial = state.Find(id)) PutTrial(state, *trial, state.Find(trial->task));
  }
  for (size_t i = 0; i < departed.trials.size(); ++i) {
    const core::Task* task = i < departed.tasks.size() ? &departed.tasks[i] : nullptr;
    PutTrial(state, departed.trials[i], task);
    PutEndedTrial(state, departed, departed.trials[i], task);
  }
  for (const core::Experiment& e : departed.experiments) {
    Put(Table::kExperiments, ExperimentRow(e));
    PutEnded(e.id, e.id, journal::EncodeEnded(e));
  }
}

std::vector<journal::Row> Projector::Take() {
  std::vector<journal::Row> rows;
  for (auto& [key, values] : std::exchange(rows_, {}))
    rows.push_back({key.first, std::move(values)});
  return rows;
}

}  // namespace det::engine
