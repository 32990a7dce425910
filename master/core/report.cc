#include <cmath>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "master/core/internal.h"
#include "master/core/limits.h"

namespace det::core::internal {
namespace {

// The trial that the report speaks for, or nullptr when there is nothing to decide: the run is over
// (a stale copy reports), or the report was decided on before.
absl::StatusOr<const Trial*> Accept(const State& state,
                                    const AgentId& agent,
                                    const ReportId& report) {
  const Task* task = state.FindByAllocation(report.allocation);
  if (task == nullptr) return nullptr;
  if (task->allocation->agent != agent) {
    return Error(absl::StatusCode::kPermissionDenied,
                 "NOT_YOUR_ALLOCATION",
                 StrCat("allocation ",
                        report.allocation.value(),
                        " runs on agent ",
                        task->allocation->agent.value(),
                        ", not on ",
                        agent.value()));
  }
  const Trial* trial = state.Find(task->trial);
  if (trial->reporter == report.allocation) {
    const auto taken = trial->reports.find(report.stream);
    if (taken != trial->reports.end() && taken->second >= report.seq) return nullptr;
  }
  return trial;
}

// Metrics travel as JSON numbers, or as the strings that stand for what JSON has no number for.
std::optional<double> Number(const Value& metrics, std::string_view name) {
  const Value* value = metrics.Find(name);
  if (value == nullptr) return std::nullopt;
  if (value->is_number()) return value->as_number();
  if (!value->is_string()) return std::nullopt;
  if (value->as_string() == "NaN") return std::nan("");
  if (value->as_string() == "Infinity") return INFINITY;
  if (value->as_string() == "-Infinity") return -INFINITY;
  return std::nullopt;
}

std::string Names(const Value& metrics) {
  if (!metrics.is_object() || metrics.as_object().empty()) return "no metric at all";
  return StrJoin(metrics.as_object(), ", ", [](const auto& item) { return item.first; });
}

bool IsBest(const Experiment& experiment, double metric) {
  if (!experiment.best.has_value()) return !std::isnan(metric);
  return IsBetter(experiment.spec->searcher.smaller_is_better, metric, experiment.best->metric);
}

const std::string* TimeMetric(const Experiment& experiment) {
  const spec::SearchMethodSpec& method = experiment.spec->searcher.method;
  if (const auto* halving = std::get_if<spec::AsyncHalvingSpec>(&method)) {
    return &halving->time_metric;
  }
  if (const auto* asha = std::get_if<spec::AdaptiveAshaSpec>(&method)) return &asha->time_metric;
  return nullptr;
}

// A search by halving can't go on without its metrics: going on would spend slots for nothing.
void AppendMissing(const Experiment& experiment,
                   const Trial& trial,
                   const std::string& name,
                   const Value& metrics,
                   absl::Time now,
                   Events* events) {
  if (!kExperimentMoves(experiment.state, ExperimentState::kStoppingError)) return;
  events->push_back(
      ExperimentMoved{.id = experiment.id,
                      .to = ExperimentState::kStoppingError,
                      .reason = MakeReason("METRIC_MISSING",
                                           StrCat("trial ",
                                                  trial.id.value(),
                                                  " reported a validation without the number ",
                                                  QuoteJson(name),
                                                  " that the search needs; it has ",
                                                  Names(metrics)),
                                           "searcher",
                                           now)});
}

void AppendValidation(const State& state,
                      const Trial& trial,
                      const ReportValidation& command,
                      std::optional<double> metric,
                      absl::Time now,
                      Events* events) {
  const Experiment& experiment = *state.Find(trial.experiment);
  const std::string* time_metric = TimeMetric(experiment);
  if (trial.state != TrialState::kActive || time_metric == nullptr) return;
  std::optional<double> time = Number(command.metrics, *time_metric);
  if (!time.has_value() && *time_metric == "batches") {
    time = static_cast<double>(command.steps_completed);
  }
  if (!metric.has_value() || !time.has_value()) {
    const std::string& missing =
        metric.has_value() ? *time_metric : experiment.spec->searcher.metric;
    AppendMissing(experiment, trial, missing, command.metrics, now, events);
    return;
  }
  AppendSearch(state,
               experiment,
               {searcher::OnValidation(
                   experiment.SearchConfig(), experiment.search, {trial.request, *time, *metric})},
               now,
               events);
}

absl::Status CheckCheckpoint(const ReportCheckpoint& command) {
  const auto bad = [&](std::string_view what) {
    return Error(absl::StatusCode::kInvalidArgument, "INVALID_CHECKPOINT", what);
  };
  if (command.uuid.empty() || static_cast<int64_t>(command.uuid.size()) > kCheckpointUuidBytesMax ||
      command.uuid.find('/') != std::string::npos || command.uuid.starts_with('.')) {
    return bad("a checkpoint needs an id without \"/\" of 1 to 128 bytes");
  }
  const size_t bytes = command.files.ToJson().size() + command.metadata.ToJson().size();
  if (static_cast<int64_t>(bytes) > kCheckpointBytesMax) {
    return bad(StrCat("a checkpoint's list of files and metadata are ",
                      bytes,
                      " bytes, at most ",
                      kCheckpointBytesMax,
                      " are allowed"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Events> DecideValidation(const State& state,
                                        const ReportValidation& command,
                                        absl::Time now) {
  DET_ASSIGN_OR_RETURN(const Trial* trial, Accept(state, command.agent, command.report));
  Events events;
  if (trial == nullptr) return events;
  const Experiment& experiment = *state.Find(trial->experiment);
  const std::optional<double> metric = Number(command.metrics, experiment.spec->searcher.metric);
  events.push_back(ValidationRecorded{.id = trial->id,
                                      .report = command.report,
                                      .steps_completed = command.steps_completed,
                                      .metric = metric});
  if (metric.has_value() && IsBest(experiment, *metric)) {
    events.push_back(
        BestFound{.id = experiment.id, .best = {trial->id, *metric, command.steps_completed}});
  }
  AppendValidation(state, *trial, command, metric, now, &events);
  return events;
}

absl::StatusOr<Events> DecideCheckpoint(const State& state,
                                        const ReportCheckpoint& command,
                                        absl::Time /*now*/) {
  DET_ASSIGN_OR_RETURN(const Trial* trial, Accept(state, command.agent, command.report));
  Events events;
  if (trial == nullptr) return events;
  DET_RETURN_IF_ERROR(CheckCheckpoint(command));
  events.push_back(CheckpointRecorded{.id = trial->id,
                                      .report = command.report,
                                      .uuid = command.uuid,
                                      .steps_completed = command.steps_completed,
                                      .bytes = command.bytes,
                                      .files = command.files,
                                      .metadata = command.metadata});
  return events;
}

absl::StatusOr<Events> DecideInvalidHparams(const State& state,
                                            const ReportInvalidHparams& command,
                                            absl::Time now) {
  DET_ASSIGN_OR_RETURN(const Trial* trial, Accept(state, command.agent, command.report));
  Events events;
  if (trial == nullptr) return events;
  events.push_back(HparamsRefused{.id = trial->id, .report = command.report});
  if (trial->state == TrialState::kActive) {
    events.push_back(TrialMoved{
        .id = trial->id,
        .to = TrialState::kStoppingCompleted,
        .reason = MakeReason("INVALID_HPARAMS", "it refused its hyperparameters", "trial", now)});
  }
  return events;
}

absl::StatusOr<Events> DecideStop(const State& state, const ReportStop& command, absl::Time now) {
  DET_ASSIGN_OR_RETURN(const Trial* trial, Accept(state, command.agent, command.report));
  Events events;
  if (trial == nullptr) return events;
  events.push_back(StopReported{.id = trial->id, .report = command.report});
  if (trial->state == TrialState::kActive) {
    events.push_back(TrialMoved{
        .id = trial->id,
        .to = TrialState::kStoppingCompleted,
        .reason = MakeReason("USER_REQUESTED_STOP", "it stopped by itself", "trial", now)});
  }
  return events;
}

absl::StatusOr<Events> DecidePreemption(const State& state,
                                        const ReportPreemption& command,
                                        absl::Time now) {
  DET_ASSIGN_OR_RETURN(const Trial* trial, Accept(state, command.agent, command.report));
  Events events;
  if (trial == nullptr) return events;
  events.push_back(PreemptionAnnounced{.id = trial->id, .report = command.report});
  const Task& task = *state.Find(trial->task);
  if (task.allocation->level != StopLevel::kRun) return events;
  const spec::ExperimentSpec& spec = *state.Find(trial->experiment)->spec;
  events.push_back(AllocationSignaled{
      .task = task.id,
      .id = task.allocation->id,
      .level = StopLevel::kPreempt,
      .kill_at = now + absl::Seconds(spec.preemption_timeout_seconds),
      .reason = MakeReason("MACHINE_PREEMPTED",
                           "the infrastructure announced that it takes the machine away",
                           StrCat("agent:", command.agent.value()),
                           now)});
  return events;
}

}  // namespace det::core::internal
