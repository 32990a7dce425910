#include <algorithm>
#include <map>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "master/core/authorize.h"
#include "master/core/internal.h"
#include "master/core/limits.h"
#include "master/core/verbs.h"

namespace det::core {

bool WantsToRun(const State& state, const Trial& trial) {
  const Experiment* experiment = state.Find(trial.experiment);
  return trial.state == TrialState::kActive && experiment != nullptr &&
         experiment->state == ExperimentState::kActive;
}

namespace internal {
namespace {

using enum TrialState;

// What people know a signal by.
std::string SignalName(int64_t signal) {
  static const std::map<int64_t, std::string_view> names = {{1, "SIGHUP"},
                                                            {2, "SIGINT"},
                                                            {3, "SIGQUIT"},
                                                            {4, "SIGILL"},
                                                            {6, "SIGABRT"},
                                                            {7, "SIGBUS"},
                                                            {8, "SIGFPE"},
                                                            {9, "SIGKILL"},
                                                            {11, "SIGSEGV"},
                                                            {13, "SIGPIPE"},
                                                            {15, "SIGTERM"},
                                                            {24, "SIGXCPU"},
                                                            {25, "SIGXFSZ"}};
  const auto name = names.find(signal);
  if (name == names.end()) return StrCat("signal ", signal);
  return StrCat("signal ", signal, " (", name->second, ")");
}

std::string Describe(const Exit& exit) {
  std::string text;
  switch (exit.kind) {
    case ExitKind::kExited:
      text = StrCat("exited with code ", exit.code);
      break;
    case ExitKind::kSignaled:
      text = StrCat("was ended by ", SignalName(exit.signal));
      break;
    case ExitKind::kOutOfMemory:
      text = "ran out of memory and was killed by the kernel";
      break;
    case ExitKind::kStartFailed:
      text = "could not be started";
      break;
    case ExitKind::kPrepareFailed:
      text = "could not be prepared by its agent";
      break;
    case ExitKind::kLost:
      text = "was lost with its agent";
      break;
    case ExitKind::kStartTimeout:
      text = "was not brought up in time";
      break;
  }
  return exit.text.empty() ? text : StrCat(text, ": ", exit.text);
}

std::string_view Code(const Exit& exit) {
  switch (exit.kind) {
    case ExitKind::kExited:
      return exit.code == 0 ? "EXITED" : "EXIT_CODE";
    case ExitKind::kSignaled:
      return "SIGNALED";
    case ExitKind::kOutOfMemory:
      return "OUT_OF_MEMORY";
    case ExitKind::kStartFailed:
      return "START_FAILED";
    case ExitKind::kPrepareFailed:
      return "PREPARE_FAILED";
    case ExitKind::kLost:
      return "LOST";
    case ExitKind::kStartTimeout:
      return kStartTimeoutCode;
  }
  return "";
}

bool IsFailure(const Exit& exit) {
  if (exit.on_order || IsInfrastructure(exit.kind)) return false;
  return exit.kind != ExitKind::kExited || exit.code != 0;
}

// Where an ending trial goes when its run is over.
TrialState Ended(const Trial& trial, bool failed) {
  switch (trial.state) {
    case kStoppingCompleted:
      return failed ? kError : kCompleted;
    case kStoppingError:
      return kError;
    default:
      return kCanceled;
  }
}

// What the exit of an active trial's run means for the trial.
void AppendConsequence(
    const Trial& trial, const Exit& exit, int64_t max_restarts, Reason reason, Events* events) {
  if (IsInfrastructure(exit.kind)) {
    if (trial.infrastructure_restarts < kInfrastructureRestartsMax) {
      events->push_back(TrialRestarted{.id = trial.id, .infrastructure = true, .reason = reason});
      return;
    }
    reason.text = StrCat("the infrastructure failed ",
                         kInfrastructureRestartsMax + 1,
                         " times; the last run ",
                         reason.text);
    reason.code = "TOO_MANY_FAULTS";
  } else if (exit.on_order) {
    return;  // it left for others, or for a pause: it will run again when it may
  } else if (!IsFailure(exit)) {
    events->push_back(TrialMoved{.id = trial.id, .to = kCompleted, .reason = reason});
    return;
  } else if (const LogMatch* match = CancelsRetries(trial)) {
    reason.text = StrCat("the last run ",
                         reason.text,
                         "; log policy ",
                         QuoteJson(match->policy),
                         " cancels retries, for the line: ",
                         match->line);
    reason.code = "LOG_POLICY";
  } else if (trial.restarts < max_restarts) {
    events->push_back(TrialRestarted{.id = trial.id, .infrastructure = false, .reason = reason});
    return;
  } else {
    reason.text = StrCat("failed ",
                         trial.restarts + 1,
                         " times (max_restarts is ",
                         max_restarts,
                         "); the last run ",
                         reason.text);
    reason.code = "MAX_RESTARTS";
  }
  events->push_back(TrialMoved{.id = trial.id, .to = kError, .reason = reason});
}

// The run ended by no fault of the trial: where the cause lasts, trying again at once would only
// use up the trial's patience.
TaskDelayed Delayed(const Task& task, const Exit& exit, absl::Time now) {
  const int64_t faults = task.delay.has_value() ? task.delay->faults + 1 : 1;
  absl::Duration wait = kRetryAfter;
  for (int64_t i = 1; i < faults && wait < kRetryAfterMax; ++i) wait *= 2;
  const AgentId& agent = task.allocation->agent;
  const bool prepare = exit.kind != ExitKind::kLost;
  const std::string_view what = exit.kind == ExitKind::kStartTimeout ? "a late start on agent "
                                : prepare ? "a failure to prepare on agent "
                                          : "a loss with agent ";
  std::string text = StrCat(what, agent.value(), exit.text.empty() ? "" : ": ", exit.text);
  return {.id = task.id,
          .faults = faults,
          .until = now + std::min(wait, kRetryAfterMax),
          .avoid = prepare ? agent : AgentId(),
          .reason = MakeReason(Code(exit), std::move(text), "master", now)};
}

StopLevel NeededLevel(const Trial& trial) {
  return trial.state == kStoppingKilled || trial.state == kStoppingError ? StopLevel::kKill
                                                                         : StopLevel::kPreempt;
}

// The trial shall not run (any more): it leaves the queue, or its run is told to end.
void AppendStop(const Task& task,
                const Trial& trial,
                const Experiment& experiment,
                absl::Time now,
                Events* events) {
  if (task.state == TaskState::kQueued) {
    events->push_back(TaskDequeued{task.id});
    return;
  }
  const Allocation& allocation = *task.allocation;
  const StopLevel level = NeededLevel(trial);
  const absl::Time latest =
      trial.invalid_hparams ? now + kInvalidHparamsGrace : absl::InfiniteFuture();
  const bool hurries =
      level == StopLevel::kPreempt && allocation.level == level && allocation.kill_at > latest;
  if (allocation.level >= level && !hurries) return;
  const absl::Duration grace = trial.invalid_hparams
                                   ? kInvalidHparamsGrace
                                   : absl::Seconds(experiment.spec->preemption_timeout_seconds);
  events->push_back(AllocationSignaled{
      .task = task.id,
      .id = allocation.id,
      .level = level,
      .kill_at = level == StopLevel::kPreempt ? now + grace : absl::InfiniteFuture(),
      .reason = trial.state == kActive ? experiment.reason : trial.reason});
}

// What the trial's task shall ask for now.
scheduler::Request RequestFor(const Experiment& experiment, const Trial& trial, const Task& task) {
  scheduler::Request request = task.request;
  request.pool = experiment.spec->resources.resource_pool;
  request.excluded = ExcludedAgents(trial);
  return request;
}

// A run is in another pool than its experiment now: it leaves, and is asked for again there.
void AppendMove(const Task& task, const Experiment& experiment, absl::Time now, Events* events) {
  if (task.allocation->level != StopLevel::kRun) return;
  const std::string text =
      StrCat("the experiment moved to pool ", QuoteJson(experiment.spec->resources.resource_pool));
  events->push_back(AllocationSignaled{
      .task = task.id,
      .id = task.allocation->id,
      .level = StopLevel::kPreempt,
      .kill_at = now + absl::Seconds(experiment.spec->preemption_timeout_seconds),
      .reason = MakeReason("POOL_CHANGED", text, "master", now)});
}

// The trial shall run: it asks for slots, for those that its experiment names now.
void AppendAsk(
    const State& state, const Task& task, const Trial& trial, absl::Time now, Events* events) {
  const Experiment& experiment = *state.Find(trial.experiment);
  const scheduler::Request wanted = RequestFor(experiment, trial, task);
  if (task.state == TaskState::kAllocated) {
    if (wanted.pool != task.request.pool) AppendMove(task, experiment, now, events);
    return;
  }
  if (task.Waits()) return;
  if (std::string why = NoAgentLeft(state, trial, wanted); !why.empty()) {
    if (task.state == TaskState::kQueued) events->push_back(TaskDequeued{task.id});
    events->push_back(
        TrialMoved{.id = trial.id,
                   .to = kError,
                   .reason = MakeReason("NO_AGENT_LEFT", std::move(why), "master", now)});
    return;
  }
  if (wanted != task.request) {
    events->push_back(TaskRevised{task.id, wanted.pool, wanted.excluded});
  }
  if (task.state == TaskState::kIdle) events->push_back(TaskQueued{task.id});
}

// How a run that was killed for its slow start ended is no fault of the trial.
Exit Judged(const Allocation& allocation, Exit exit) {
  const bool late = allocation.level_reason.code == kStartTimeoutCode;
  if (!late || IsInfrastructure(exit.kind)) return exit;
  return {.kind = ExitKind::kStartTimeout, .on_order = true, .text = allocation.level_reason.text};
}

}  // namespace

searcher::ExitKind SearcherExit(const Trial& trial) {
  if (trial.state == kCanceled) return searcher::ExitKind::kCanceled;
  if (trial.state == kError) return searcher::ExitKind::kErrored;
  return trial.invalid_hparams ? searcher::ExitKind::kInvalidHparams
                               : searcher::ExitKind::kCompleted;
}

void AppendExit(const State& state,
                const Task& task,
                const Exit& said,
                std::string actor,
                absl::Time now,
                Events* events) {
  const Exit exit = Judged(*task.allocation, said);
  events->push_back(AllocationEnded{.task = task.id, .id = task.allocation->id, .exit = exit});
  const Trial& trial = *state.Find(task.trial);
  const Experiment& experiment = *state.Find(trial.experiment);
  std::string text = Describe(exit);
  if (exit.kind == ExitKind::kExited && exit.code == 0 && trial.validations == 0) {
    const std::string metric = QuoteJson(experiment.spec->searcher.metric);
    StrAppend(text, "; no validation of ", metric, " was reported");
  }
  Reason reason = MakeReason(Code(exit), std::move(text), std::move(actor), now);
  if (trial.state == kActive) {
    AppendConsequence(trial, exit, experiment.spec->max_restarts, std::move(reason), events);
    const auto* restarted = std::get_if<TrialRestarted>(&events->back());
    if (restarted != nullptr && restarted->infrastructure) {
      events->push_back(Delayed(task, exit, now));
    }
  } else {
    const bool failed = IsFailure(exit) && !trial.invalid_hparams;
    Reason why = failed ? reason : trial.reason;
    why.since = now;
    events->push_back(TrialMoved{.id = trial.id, .to = Ended(trial, failed), .reason = why});
  }
}

absl::StatusOr<Events> DecideKillTrial(const State& state,
                                       const Principal& principal,
                                       const KillTrial& command,
                                       absl::Time now) {
  const Trial* trial = state.Find(command.id);
  if (trial == nullptr) {
    DET_RETURN_IF_ERROR(Authorize(principal, Verb::kRead, {}));
    return Error(absl::StatusCode::kNotFound,
                 "TRIAL_NOT_LIVE",
                 StrCat("trial ", command.id.value(), " does not exist or has ended"));
  }
  DET_RETURN_IF_ERROR(
      Authorize(principal, Verb::kControl, ObjectOf(*state.Find(trial->experiment))));
  const Answer answer = kTrialVerbTable(TrialVerb::kKill, trial->state).answer;
  if (answer == Answer::kNoOp) return Events{};
  if (answer == Answer::kRefused) {
    const std::string subject = StrCat("trial ", trial->id.value());
    return Refusal(TrialVerb::kKill, trial->state, subject, trial->reason.text);
  }
  const std::string text = StrCat("killed by ", principal.name);
  return Events{TrialMoved{.id = trial->id,
                           .to = kStoppingKilled,
                           .reason = MakeReason("USER_KILLED", text, principal.Actor(), now)}};
}

Events AdvanceTrial(const State& state, const Trial& trial, absl::Time now) {
  Events events;
  const Experiment* experiment = state.Find(trial.experiment);
  const Task* task = state.Find(trial.task);
  if (experiment == nullptr || task == nullptr) return events;
  if (IsTerminal(trial.state)) {
    if (experiment->open_trials.contains(trial.request)) {
      AppendSearch(
          state,
          *experiment,
          {searcher::OnExit(
               experiment->SearchConfig(), experiment->search, trial.request, SearcherExit(trial)),
           trial.validations > 0},
          now,
          &events);
    }
    return events;
  }
  const bool wants = WantsToRun(state, trial);
  if (wants) {
    AppendAsk(state, *task, trial, now, &events);
  } else if (task->state != TaskState::kIdle) {
    AppendStop(*task, trial, *experiment, now, &events);
  } else if (IsStopping(trial.state) && task->state == TaskState::kIdle) {
    Reason reason = trial.reason;
    reason.since = now;
    events.push_back(TrialMoved{.id = trial.id, .to = Ended(trial, false), .reason = reason});
  }
  return events;
}

}  // namespace internal
}  // namespace det::core
