#include "common/base/status.h"
#include "common/base/strings.h"
#include "master/core/authorize.h"
#include "master/core/internal.h"
#include "master/core/verbs.h"
#include "master/spec/limits.h"

namespace det::core::internal {
namespace {

std::string NameOf(const Experiment& experiment) {
  return StrCat("experiment ", experiment.id.value());
}

absl::Status Refuse(std::string_view code, const std::string& what, std::string_view hint = "") {
  return Error(absl::StatusCode::kFailedPrecondition, code, what, hint);
}

absl::Status CheckTrials(const ContinueExperiment& command) {
  const std::string name = NameOf(command.ended);
  if (command.trials.empty()) {
    return Refuse("ALL_TRIALS_COMPLETED",
                  StrCat(name, " can't be continued: all its trials are COMPLETED"),
                  "det experiment fork makes a new one of it");
  }
  if (static_cast<int64_t>(command.trials.size()) <= spec::kOpenTrialsMax) return absl::OkStatus();
  return Refuse("TOO_MANY_TRIALS",
                StrCat(name,
                       " has ",
                       command.trials.size(),
                       " incomplete trials, at most ",
                       spec::kOpenTrialsMax,
                       " can be continued"));
}

absl::Status CheckContinue(const State& state,
                           const Principal& principal,
                           const ContinueExperiment& command) {
  const Experiment& ended = command.ended;
  DET_RETURN_IF_ERROR(Authorize(principal, Verb::kControl, ObjectOf(ended)));
  const Experiment* live = state.Find(ended.id);
  const Experiment& now = live == nullptr ? ended : *live;
  if (kExperimentVerbTable(ExperimentVerb::kContinue, now.state).answer != Answer::kAllowed) {
    return Refusal(ExperimentVerb::kContinue, now.state, NameOf(ended), now.reason.text);
  }
  if (command.spec != nullptr && !ended.IsSingle()) {
    return Refuse("SEARCH_CONFIG_FIXED",
                  StrCat(NameOf(ended), " is a search: it goes on with the configuration it had"),
                  "det experiment fork makes a new one with another configuration");
  }
  if (command.spec != nullptr &&
      (command.spec->searcher.metric != ended.spec->searcher.metric ||
       command.spec->searcher.smaller_is_better != ended.spec->searcher.smaller_is_better)) {
    return Refuse("METRIC_FIXED",
                  StrCat(NameOf(ended),
                         " goes on by its metric ",
                         QuoteJson(ended.spec->searcher.metric),
                         ": what was best so far is in it"),
                  "det experiment fork makes a new one with another metric");
  }
  DET_RETURN_IF_ERROR(CheckTrials(command));
  DET_RETURN_IF_ERROR(CheckLiveCount(state));
  const spec::ExperimentSpec& spec = command.spec == nullptr ? *ended.spec : *command.spec;
  return CheckPool(state, spec.resources.resource_pool);
}

// The trial as it goes on: from its latest checkpoint, with all its restarts before it. What its
// log said of machines still holds.
Trial Revived(const Trial& ended, TaskId task, const Reason& reason) {
  Trial trial = ended;
  trial.task = task;
  trial.state = TrialState::kActive;
  trial.reason = reason;
  trial.restarts = 0;
  trial.infrastructure_restarts = 0;
  trial.invalid_hparams = false;
  trial.reporter = {};
  trial.reports.clear();
  trial.ended_at = absl::InfinitePast();
  std::erase_if(trial.log_matches, [](const LogMatch& match) {
    return match.action != spec::LogAction::kExcludeNode;
  });
  return trial;
}

}  // namespace

absl::StatusOr<Events> DecideContinue(const State& state,
                                      const Principal& principal,
                                      const ContinueExperiment& command,
                                      absl::Time now) {
  DET_RETURN_IF_ERROR(CheckContinue(state, principal, command));
  const Reason reason =
      MakeReason("USER_CONTINUED", StrCat("continued by ", principal.name), principal.Actor(), now);
  Experiment experiment = command.ended;
  if (command.spec != nullptr) experiment.spec = command.spec;
  experiment.state = ExperimentState::kActive;
  experiment.reason = reason;
  experiment.open_trials.clear();
  experiment.queue_position = LastPosition(state, experiment.id);
  experiment.ended_at = absl::InfinitePast();
  Events events(1);
  IdSource ids(state);
  for (const EndedTrial& ended : command.trials) {
    const Trial& old = ended.trial;
    searcher::Reopen(experiment.search, old.request, SearcherExit(old));
    experiment.open_trials[old.request] = old.id;
    const TaskId task = ids.Task();
    const spec::ResourcesSpec& resources = experiment.spec->resources;
    events.push_back(TrialContinued{Revived(old, task, reason)});
    events.push_back(TaskCreated{.id = task,
                                 .trial = old.id,
                                 .request = {.task = task,
                                             .job = experiment.id,
                                             .pool = resources.resource_pool,
                                             .slots = resources.slots_per_trial},
                                 .runs = ended.runs});
  }
  events.front() = ExperimentContinued{std::move(experiment)};
  return events;
}

}  // namespace det::core::internal
