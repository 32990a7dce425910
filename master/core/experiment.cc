#include <algorithm>
#include <set>

#include "common/base/nearest.h"
#include "common/base/overload.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "master/core/authorize.h"
#include "master/core/internal.h"
#include "master/core/limits.h"
#include "master/core/verbs.h"
#include "master/searcher/hparams.h"
#include "master/spec/limits.h"

namespace det::core::internal {
namespace {

using enum ExperimentState;

// All trials that are open at a time are in one step at the worst.
absl::Status CheckPoint(const spec::ExperimentSpec& spec) {
  const int64_t bytes = searcher::PointBytes(spec.hparams);
  if (bytes <= spec::kPointBytesMax) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument,
               "HPARAMS_TOO_LARGE",
               StrCat("the hyperparameters of one trial are up to ",
                      bytes,
                      " bytes of JSON, at most ",
                      spec::kPointBytesMax,
                      " are allowed"),
               "put large values into a file of the model directory and name it instead");
}

absl::Status NotLive(ExperimentId id) {
  return Error(absl::StatusCode::kNotFound,
               "EXPERIMENT_NOT_LIVE",
               StrCat("experiment ", id.value(), " does not exist or has ended"),
               "det experiment list shows all");
}

struct Request {
  ExperimentId id;
  ExperimentVerb verb = ExperimentVerb::kPause;
  std::string_view code;
};

Request RequestOf(const CommandBody& body) {
  return std::visit(overloaded{
                        [](const PauseExperiment& c) {
                          return Request{c.id, ExperimentVerb::kPause, "USER_PAUSED"};
                        },
                        [](const ActivateExperiment& c) {
                          return Request{c.id, ExperimentVerb::kActivate, "USER_ACTIVATED"};
                        },
                        [](const CancelExperiment& c) {
                          return Request{c.id, ExperimentVerb::kCancel, "USER_CANCELED"};
                        },
                        [](const KillExperiment& c) {
                          return Request{c.id, ExperimentVerb::kKill, "USER_KILLED"};
                        },
                        [](const auto&) { return Request{}; },
                    },
                    body);
}

// The live experiment, if this may be done to it by this principal now.
absl::StatusOr<const Experiment*> FindFor(const State& state,
                                          const Principal& principal,
                                          ExperimentId id,
                                          ExperimentVerb verb) {
  const Experiment* experiment = state.Find(id);
  if (experiment == nullptr) {
    DET_RETURN_IF_ERROR(Authorize(principal, Verb::kRead, {}));
    return NotLive(id);
  }
  DET_RETURN_IF_ERROR(Authorize(principal, Verb::kControl, ObjectOf(*experiment)));
  if (kExperimentVerbTable(verb, experiment->state).answer != Answer::kRefused) return experiment;
  const std::string subject = StrCat("experiment ", id.value());
  return Refusal(verb, experiment->state, subject, experiment->reason.text);
}

// The state that open trials of an ending experiment go to, or the trial's own where it stays.
TrialState TrialTarget(ExperimentState experiment, TrialState trial) {
  switch (experiment) {
    case kStoppingCanceled:
      return trial == TrialState::kActive ? TrialState::kStoppingCanceled : trial;
    case kStoppingKilled:
      return TrialState::kStoppingKilled;
    case kStoppingError:
      return trial == TrialState::kStoppingKilled ? trial : TrialState::kStoppingError;
    default:
      return trial;
  }
}

ExperimentState Ended(ExperimentState stopping) {
  switch (stopping) {
    case kStoppingCompleted:
      return kCompleted;
    case kStoppingError:
      return kError;
    default:
      return kCanceled;
  }
}

}  // namespace

// A misspelt pool would wait for ever. Pools are those that agents or the configuration named, and
// "default".
absl::Status CheckPool(const State& state, const std::string& pool) {
  const scheduler::View& view = state.indexes.view;
  const scheduler::PoolView* known = view.FindPool(pool);
  if (known != nullptr && known->slots_total > 0) return absl::OkStatus();
  std::set<std::string> pools = {"default"};
  for (const auto& [id, agent] : state.agents) pools.insert(agent.pool);
  for (const auto& [name, rules] : view.rules().pools) pools.insert(name);
  if (pools.contains(pool)) return absl::OkStatus();
  const std::string nearest = Nearest(pool, {pools.begin(), pools.end()});
  return Error(
      absl::StatusCode::kNotFound,
      "POOL_NOT_FOUND",
      StrCat("resource pool ",
             QuoteJson(pool),
             " does not exist; there is ",
             StrJoin(pools, ", ", [](const std::string& name) { return QuoteJson(name); })),
      nearest.empty() ? "" : StrCat("did you mean ", QuoteJson(nearest), "?"));
}

Reason MakeReason(std::string_view code, std::string text, std::string actor, absl::Time now) {
  text.resize(CutUtf8(text, static_cast<size_t>(kReasonBytesMax)).size());
  return {std::string(code), std::move(text), std::move(actor), now};
}

absl::Status CheckLiveCount(const State& state) {
  if (static_cast<int64_t>(state.experiments.size()) < kLiveExperimentsMax) return absl::OkStatus();
  return Error(absl::StatusCode::kResourceExhausted,
               "TOO_MANY_EXPERIMENTS",
               StrCat(kLiveExperimentsMax, " experiments are live, the most allowed"));
}

absl::StatusOr<Events> DecideCreate(const State& state,
                                    const Principal& principal,
                                    const CreateExperiment& command,
                                    absl::Time now) {
  DET_RETURN_IF_ERROR(
      Authorize(principal, Verb::kCreate, {.workspace = command.workspace, .what = "experiments"}));
  DET_RETURN_IF_ERROR(CheckPool(state, command.spec->resources.resource_pool));
  DET_RETURN_IF_ERROR(CheckPoint(*command.spec));
  DET_RETURN_IF_ERROR(CheckLiveCount(state));
  IdSource ids(state);
  Experiment experiment;
  experiment.id = ids.Experiment();
  experiment.spec = command.spec;
  experiment.source_checkpoint = command.source_checkpoint;
  experiment.queue_position = LastPosition(state, experiment.id);
  experiment.search = searcher::MakeState(experiment.SearchConfig());
  const std::string_view how = command.paused ? "submitted paused by " : "submitted by ";
  Events events;
  events.push_back(ExperimentCreated{
      .id = experiment.id,
      .spec = command.spec,
      .owner = principal.name,
      .context = command.context,
      .config_text = command.config_text,
      .source_checkpoint = command.source_checkpoint,
      .paused = command.paused,
      .reason = MakeReason("SUBMITTED", StrCat(how, principal.name), principal.Actor(), now),
      .queue_position = experiment.queue_position,
      .parent = command.parent,
      .workspace = command.workspace,
      .project = command.project,
      .code = command.code});
  AppendSearch(state,
               experiment,
               {searcher::Start(experiment.SearchConfig(), experiment.search)},
               now,
               &events);
  return events;
}

absl::StatusOr<Events> DecideControl(const State& state, const Command& command, absl::Time now) {
  const Request request = RequestOf(command.body);
  DET_ASSIGN_OR_RETURN(const Experiment* experiment,
                       FindFor(state, command.principal, request.id, request.verb));
  if (kExperimentVerbTable(request.verb, experiment->state).answer == Answer::kNoOp)
    return Events{};
  const std::string text = StrCat(Name(request.verb), " by ", command.principal.name);
  return Events{
      ExperimentMoved{.id = experiment->id,
                      .to = TargetOf(request.verb),
                      .reason = MakeReason(request.code, text, command.principal.Actor(), now)}};
}

namespace {

// The place that was asked for decides on the priority.
absl::Status CheckPriority(const ExperimentSettings& settings, const QueueTarget& target) {
  if (!settings.priority.has_value() || !target.priority.has_value() ||
      *settings.priority == *target.priority)
    return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument,
               "INVALID_SETTING",
               StrCat("priority ",
                      *settings.priority,
                      " and a place among those of priority ",
                      *target.priority,
                      " exclude each other"));
}

}  // namespace

absl::StatusOr<Events> DecideConfigure(const State& state,
                                       const Principal& principal,
                                       const ConfigureExperiment& command,
                                       absl::Time now) {
  DET_ASSIGN_OR_RETURN(const Experiment* experiment,
                       FindFor(state, principal, command.id, ExperimentVerb::kConfigure));
  ExperimentSettings settings = command.settings;
  if (command.move.has_value()) {
    DET_ASSIGN_OR_RETURN(const QueueTarget target, FindTarget(state, principal, command));
    DET_RETURN_IF_ERROR(CheckPriority(settings, target));
    if (target.priority.has_value()) settings.priority = target.priority;
  }
  if (!command.move.has_value() || settings != ExperimentSettings())
    DET_RETURN_IF_ERROR(CheckSettings(settings));
  Events events;
  const ExperimentSettings differing = Differing(settings, *experiment->spec);
  if (differing.pool.has_value()) DET_RETURN_IF_ERROR(CheckPool(state, *differing.pool));
  if (differing != ExperimentSettings()) {
    std::string text = StrCat(Describe(differing), " set by ", principal.name);
    events.push_back(ExperimentConfigured{
        .id = experiment->id,
        .settings = differing,
        .reason = MakeReason("USER_CONFIGURED", std::move(text), principal.Actor(), now)});
  }
  if (!command.move.has_value()) return events;
  std::string text = StrCat("moved ",
                            command.move->behind ? "behind" : "ahead of",
                            " experiment ",
                            command.move->beside.value(),
                            " by ",
                            principal.name);
  const Reason reason = MakeReason("USER_REORDERED", std::move(text), principal.Actor(), now);
  for (EventBody& event : MoveBeside(state, *experiment, *command.move, reason))
    events.push_back(std::move(event));
  return events;
}

Events AdvanceExperiment(const State& state, const Experiment& experiment, absl::Time now) {
  Events events;
  if (!IsStopping(experiment.state)) return events;
  for (const auto& [request, id] : experiment.open_trials) {
    const Trial* trial = state.Find(id);
    if (trial == nullptr || IsTerminal(trial->state)) continue;
    const TrialState to = TrialTarget(experiment.state, trial->state);
    if (to == trial->state) continue;
    events.push_back(TrialMoved{.id = id, .to = to, .reason = experiment.reason});
  }
  if (experiment.open_trials.empty()) {
    Reason reason = experiment.reason;
    reason.since = now;
    events.push_back(
        ExperimentMoved{.id = experiment.id, .to = Ended(experiment.state), .reason = reason});
  }
  return events;
}

}  // namespace det::core::internal
