#include "master/core/decide.h"

#include "common/base/overload.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "master/core/authorize.h"
#include "master/core/internal.h"
#include "master/core/limits.h"
#include "master/scheduler/scheduler.h"

namespace det::core {
namespace {

absl::Status AuthorizeAgent(const Command& command, const AgentId& agent) {
  return Authorize(command.principal, Verb::kRunTasks, {.agent = agent});
}

absl::StatusOr<Events> DecideAny(const State& state, const Command& command, absl::Time now) {
  using Result = absl::StatusOr<Events>;
  const auto as_agent = [&](const AgentId& agent, auto decide) -> Result {
    DET_RETURN_IF_ERROR(AuthorizeAgent(command, agent));
    return decide();
  };
  const auto as_master = [&](auto decide) -> Result {
    DET_RETURN_IF_ERROR(Authorize(command.principal, Verb::kRule, {}));
    return decide();
  };
  using namespace internal;
  return std::visit(
      overloaded{
          [&](const CreateExperiment& c) { return DecideCreate(state, command.principal, c, now); },
          [&](const PauseExperiment&) { return DecideControl(state, command, now); },
          [&](const ActivateExperiment&) { return DecideControl(state, command, now); },
          [&](const CancelExperiment&) { return DecideControl(state, command, now); },
          [&](const KillExperiment&) { return DecideControl(state, command, now); },
          [&](const ConfigureExperiment& c) {
            return DecideConfigure(state, command.principal, c, now);
          },
          [&](const ContinueExperiment& c) {
            return DecideContinue(state, command.principal, c, now);
          },
          [&](const KillTrial& c) { return DecideKillTrial(state, command.principal, c, now); },
          [&](const ConnectAgent& c) {
            return as_agent(c.id, [&] { return DecideConnect(state, c, now); });
          },
          [&](const DisconnectAgent& c) {
            return as_agent(c.id, [&] { return DecideDisconnect(state, c, now); });
          },
          [&](const DisableAgent& c) { return DecideDisable(state, command.principal, c, now); },
          [&](const EnableAgent& c) { return DecideEnable(state, command.principal, c, now); },
          [&](const ReportStatus& c) {
            return as_agent(c.agent, [&] { return DecideStatus(state, c, now); });
          },
          [&](const ReportValidation& c) {
            return as_agent(c.agent, [&] { return DecideValidation(state, c, now); });
          },
          [&](const ReportCheckpoint& c) {
            return as_agent(c.agent, [&] { return DecideCheckpoint(state, c, now); });
          },
          [&](const ReportInvalidHparams& c) {
            return as_agent(c.agent, [&] { return DecideInvalidHparams(state, c, now); });
          },
          [&](const ReportStop& c) {
            return as_agent(c.agent, [&] { return DecideStop(state, c, now); });
          },
          [&](const ReportPreemption& c) {
            return as_agent(c.agent, [&] { return DecidePreemption(state, c, now); });
          },
          [&](const ReportLogMatch& c) {
            return as_agent(c.match.agent, [&] { return DecideLogMatch(state, c); });
          },
          [&](const StartMaster&) {
            return as_master([&]() -> Result { return DecideStartMaster(state, now); });
          },
          [&](const Tick&) {
            return as_master([&]() -> Result { return DecideTick(state, now); });
          },
      },
      command.body);
}

}  // namespace

absl::Status CheckSize(int64_t events) {
  if (events <= kEventsPerDecisionMax) return absl::OkStatus();
  return Error(absl::StatusCode::kResourceExhausted,
               "STEP_TOO_LARGE",
               StrCat("this would be ",
                      events,
                      " events in one step, at most ",
                      kEventsPerDecisionMax,
                      " are allowed"),
               "ask for less at a time: fewer trials, or what names fewer things");
}

absl::StatusOr<Events> Decide(const State& state, const Command& command, absl::Time now) {
  absl::StatusOr<Events> events = DecideAny(state, command, now);
  if (events.ok()) DET_RETURN_IF_ERROR(CheckSize(static_cast<int64_t>(events->size())));
  return events;
}

Events Advance(const State& state, const Key& key, absl::Time now) {
  if (const auto* id = std::get_if<ExperimentId>(&key)) {
    const Experiment* experiment = state.Find(*id);
    return experiment == nullptr ? Events{} : internal::AdvanceExperiment(state, *experiment, now);
  }
  if (const auto* id = std::get_if<TrialId>(&key)) {
    const Trial* trial = state.Find(*id);
    return trial == nullptr ? Events{} : internal::AdvanceTrial(state, *trial, now);
  }
  return {};
}

namespace {

// Of the run that leaves for another: whom it makes room for, and by what right.
Reason WhyPreempted(const State& state, const scheduler::Preemption& preemption, absl::Time now) {
  const scheduler::View& view = state.indexes.view;
  const scheduler::Waiting& waiting = *view.FindWaiting(preemption.waiter);
  const scheduler::Running& victim = view.FindRunning(preemption.task)->running;
  const scheduler::Job& job = waiting.job->job;
  std::string text = StrCat("makes room for experiment ", job.id.value());
  if (view.rules().ForPool(victim.pool).policy == scheduler::Policy::kFairShare) {
    StrAppend(text, ", which holds less than its share");
    return internal::MakeReason("PREEMPTED_BY_FAIR_SHARE", std::move(text), "scheduler", now);
  }
  StrAppend(text, " of priority ", job.priority, "; its own is ", victim.priority);
  return internal::MakeReason("PREEMPTED_BY_PRIORITY", std::move(text), "scheduler", now);
}

AllocationSignaled Preempted(const State& state,
                             const scheduler::Preemption& preemption,
                             absl::Time now) {
  const Task& task = *state.Find(preemption.task);
  const Experiment& experiment = *state.Find(state.Find(task.trial)->experiment);
  return {.task = task.id,
          .id = task.allocation->id,
          .level = StopLevel::kPreempt,
          .kill_at = now + absl::Seconds(experiment.spec->preemption_timeout_seconds),
          .reason = WhyPreempted(state, preemption, now)};
}

}  // namespace

absl::StatusOr<Events> SchedulePool(const State& state,
                                    const std::string& pool,
                                    absl::Time now,
                                    bool* more) {
  const scheduler::View& view = state.indexes.view;
  scheduler::Plan plan = scheduler::Schedule(view, pool);
  DET_RETURN_IF_ERROR(scheduler::CheckPlan(view, pool, plan));
  *more = !plan.complete;
  Events events;
  int64_t next = state.next.allocation;
  for (scheduler::Placement& placement : plan.placements) {
    // Requests of the core never span agents.
    scheduler::Piece& piece = placement.pieces.front();
    events.push_back(AllocationPlaced{.task = placement.task,
                                      .id = AllocationId(next++),
                                      .agent = piece.agent,
                                      .slots = std::move(piece.slots),
                                      .run = state.Find(placement.task)->runs + 1,
                                      .priority = placement.priority});
  }
  for (const scheduler::Preemption& preemption : plan.preemptions) {
    events.push_back(Preempted(state, preemption, now));
  }
  return events;
}

Key OwnerOf(const EventBody& body) {
  return std::visit(overloaded{
                        [](const ExperimentCreated& e) -> Key { return e.id; },
                        [](const ExperimentConfigured& e) -> Key { return e.id; },
                        [](const ExperimentReordered& e) -> Key { return e.id; },
                        [](const ExperimentContinued& e) -> Key { return e.experiment.id; },
                        [](const ExperimentMoved& e) -> Key { return e.id; },
                        [](const SearchAdvanced& e) -> Key { return e.id; },
                        [](const BestFound& e) -> Key { return e.id; },
                        [](const TrialCreated& e) -> Key { return e.id; },
                        [](const TrialContinued& e) -> Key { return e.trial.id; },
                        [](const TrialMoved& e) -> Key { return e.id; },
                        [](const TrialRestarted& e) -> Key { return e.id; },
                        [](const ValidationRecorded& e) -> Key { return e.id; },
                        [](const CheckpointRecorded& e) -> Key { return e.id; },
                        [](const HparamsRefused& e) -> Key { return e.id; },
                        [](const StopReported& e) -> Key { return e.id; },
                        [](const PreemptionAnnounced& e) -> Key { return e.id; },
                        [](const LogPolicyMatched& e) -> Key { return e.id; },
                        [](const TaskCreated& e) -> Key { return e.id; },
                        [](const TaskRevised& e) -> Key { return e.id; },
                        [](const TaskQueued& e) -> Key { return e.id; },
                        [](const TaskDequeued& e) -> Key { return e.id; },
                        [](const TaskDelayed& e) -> Key { return e.id; },
                        [](const TaskReady& e) -> Key { return e.id; },
                        [](const AllocationPlaced& e) -> Key { return e.task; },
                        [](const AllocationMoved& e) -> Key { return e.task; },
                        [](const AllocationSignaled& e) -> Key { return e.task; },
                        [](const AllocationEnded& e) -> Key { return e.task; },
                        [](const AgentConnected& e) -> Key { return e.id; },
                        [](const AgentDisconnected& e) -> Key { return e.id; },
                        [](const AgentLost& e) -> Key { return e.id; },
                        [](const AgentDisabled& e) -> Key { return e.id; },
                        [](const AgentEnabled& e) -> Key { return e.id; },
                    },
                    body);
}

}  // namespace det::core
