#include "master/core/explain.h"

#include <map>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "master/core/internal.h"
#include "master/scheduler/scheduler.h"

namespace det::core {
namespace {

constexpr size_t kTrialsNamedMax = 5;

std::string Ago(absl::Time then, absl::Time now) {
  return absl::FormatDuration(
      std::max(absl::Trunc(now - then, absl::Seconds(1)), absl::ZeroDuration()));
}

// "40 s", "12 min", "3 h": no more exact than an estimate is.
std::string About(absl::Duration time) {
  if (time < absl::Seconds(90)) return StrCat(absl::ToInt64Seconds(time), " s");
  if (time < absl::Minutes(90)) return StrCat(absl::ToInt64Minutes(time), " min");
  return StrCat(absl::ToInt64Hours(time), " h");
}

absl::Status NotLive(std::string_view kind, int64_t id) {
  return Error(absl::StatusCode::kNotFound,
               "NOT_LIVE",
               StrCat(kind, " ", id, " does not exist or has ended"));
}

std::string AllocationDetail(const State& state, const Allocation& allocation, absl::Time now) {
  std::string text = StrCat("allocation ",
                            allocation.id.value(),
                            " is ",
                            Name(allocation.state),
                            " on agent ",
                            allocation.agent.value(),
                            " for ",
                            Ago(allocation.placed_at, now));
  const Agent* agent = state.Find(allocation.agent);
  if (agent != nullptr && !agent->connected) {
    StrAppend(text,
              "; the agent is away for ",
              Ago(agent->since, now),
              " and is given up after ",
              Ago(agent->since, agent->lost_at));
  }
  if (allocation.level != StopLevel::kRun) {
    StrAppend(text,
              "; it was told to leave ",
              Ago(allocation.level_reason.since, now),
              " ago (",
              allocation.level_reason.text,
              ")");
    if (allocation.kill_at != absl::InfiniteFuture()) {
      StrAppend(text, " and is killed in ", Ago(now, allocation.kill_at));
    }
  }
  return text;
}

std::string TrialDetail(const State& state, const Trial& trial, absl::Time now) {
  const Task& task = *state.Find(trial.task);
  if (task.allocation.has_value()) return AllocationDetail(state, *task.allocation, now);
  if (task.state == TaskState::kQueued) {
    std::string text = scheduler::Explain(state.indexes.view, task.id).text;
    if (const auto wait = internal::EstimateWait(state, state.indexes.view, task.id, now)) {
      StrAppend(text, "; about ", About(*wait), " from the progress of what runs");
    }
    return text;
  }
  if (task.Waits()) {
    return StrCat("it waits ",
                  Ago(task.delay->reason.since, task.delay->until),
                  " after ",
                  task.delay->reason.text,
                  "; ",
                  Ago(now, task.delay->until),
                  " are left");
  }
  return "it holds no slots and asks for none";
}

// Of those that run where nothing is heard from.
std::string AwayDetail(const Agent& agent, size_t trials, absl::Time now) {
  std::string text = StrCat(trials,
                            trials == 1 ? " of them runs" : " of them run",
                            " on agent ",
                            agent.id.value(),
                            ", of which nothing was heard for ",
                            Ago(agent.since, now));
  if (agent.lost_at != absl::InfiniteFuture())
    StrAppend(text, "; in ", Ago(now, agent.lost_at), " it counts as lost");
  return text;
}

void AddAway(const State& state,
             const std::vector<TrialId>& trials,
             absl::Time now,
             std::vector<std::string>* details) {
  std::map<AgentId, size_t> away;
  for (const TrialId id : trials) {
    const Task* task = state.Find(state.Find(id)->task);
    if (task == nullptr || !task->allocation.has_value()) continue;
    const Agent* agent = state.Find(task->allocation->agent);
    if (agent != nullptr && !agent->connected) ++away[agent->id];
  }
  for (const auto& [id, count] : away) details->push_back(AwayDetail(*state.Find(id), count, now));
}

void AddTrials(const State& state,
               const Experiment& experiment,
               absl::Time now,
               std::vector<std::string>* details) {
  std::map<std::string, std::vector<TrialId>> by_state;
  for (const auto& [request, id] : experiment.open_trials) {
    if (const Trial* trial = state.Find(id)) by_state[ShownState(state, *trial)].push_back(id);
  }
  for (const auto& [name, trials] : by_state) {
    details->push_back(
        StrCat(trials.size(), trials.size() == 1 ? " trial is " : " trials are ", name));
    if (name == "RUNNING") {
      AddAway(state, trials, now, details);
      continue;
    }
    for (size_t i = 0; i < std::min(trials.size(), kTrialsNamedMax); ++i) {
      const Trial& trial = *state.Find(trials[i]);
      details->push_back(StrCat("trial ", trial.id.value(), ": ", TrialDetail(state, trial, now)));
    }
  }
}

}  // namespace

std::string ShownState(const State& state, const Trial& trial) {
  if (trial.state != TrialState::kActive) return std::string(Name(trial.state));
  const Experiment* experiment = state.Find(trial.experiment);
  if (experiment != nullptr && experiment->state == ExperimentState::kPaused) return "PAUSED";
  const Task* task = state.Find(trial.task);
  if (task == nullptr || !task->allocation.has_value()) return "QUEUED";
  switch (task->allocation->state) {
    case AllocationState::kAssigned:
    case AllocationState::kPulling:
      return "PULLING";
    case AllocationState::kStarting:
      return "STARTING";
    // What has ended stays what it was until what follows from it is known: states only go forward.
    case AllocationState::kRunning:
    case AllocationState::kTerminated:
      return "RUNNING";
  }
  return "RUNNING";
}

std::string Describe(const LogMatch& match) {
  std::string text =
      StrCat("log policy matched: ", match.policy, " (on agent ", match.agent.value());
  if (match.action == spec::LogAction::kCancelRetries) StrAppend(text, "; retries are canceled");
  if (match.action == spec::LogAction::kExcludeNode) StrAppend(text, "; it is excluded");
  return StrCat(text, "): ", match.line);
}

absl::StatusOr<Explanation> Explain(const State& state, ExperimentId id, absl::Time now) {
  const Experiment* experiment = state.Find(id);
  if (experiment == nullptr) return NotLive("experiment", id.value());
  Explanation why{.subject = StrCat("experiment ", id.value()),
                  .state = std::string(Name(experiment->state)),
                  .reason = experiment->reason};
  AddTrials(state, *experiment, now, &why.details);
  return why;
}

absl::StatusOr<Explanation> Explain(const State& state, TrialId id, absl::Time now) {
  const Trial* trial = state.Find(id);
  if (trial == nullptr) return NotLive("trial", id.value());
  Explanation why{.subject = StrCat("trial ", id.value()),
                  .state = ShownState(state, *trial),
                  .reason = trial->reason};
  if (why.state == "PAUSED") why.reason = state.Find(trial->experiment)->reason;
  why.details.push_back(TrialDetail(state, *trial, now));
  for (const LogMatch& match : trial->log_matches) why.details.push_back(Describe(match));
  if (trial->restarts + trial->infrastructure_restarts > 0) {
    why.details.push_back(StrCat("it failed ",
                                 trial->restarts,
                                 " times by itself and ",
                                 trial->infrastructure_restarts,
                                 " times with its agent"));
  }
  return why;
}

absl::StatusOr<Explanation> Explain(const State& state, AllocationId id, absl::Time now) {
  const Task* task = state.FindByAllocation(id);
  if (task == nullptr) return NotLive("allocation", id.value());
  const Allocation& allocation = *task->allocation;
  Explanation why{.subject = StrCat("allocation ", id.value()),
                  .state = std::string(Name(allocation.state)),
                  .reason = allocation.level_reason};
  why.details.push_back(StrCat("it is run ", allocation.run, " of trial ", task->trial.value()));
  why.details.push_back(AllocationDetail(state, allocation, now));
  return why;
}

}  // namespace det::core
