#pragma once

#include <cmath>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "common/base/strings.h"
#include "master/core/authorize.h"
#include "master/core/decide.h"

// Shared by the files of this folder.
namespace det::core::internal {

// Of the level of a run that was killed for not getting to run.
inline constexpr char kStartTimeoutCode[] = "START_TIMEOUT";

// Not a number is never better, and everything else is better than it.
inline bool IsBetter(bool smaller_is_better, double metric, double than) {
  if (std::isnan(metric) || std::isnan(than)) return !std::isnan(metric);
  return smaller_is_better ? metric < than : metric > than;
}

Reason MakeReason(std::string_view code, std::string text, std::string actor, absl::Time now);

// For Authorize.
inline Object ObjectOf(const Experiment& experiment) {
  return {.owner = experiment.owner,
          .workspace = experiment.workspace,
          .what = StrCat("experiment ", experiment.id.value())};
}

// Ids for the events of one decision: Apply has not raised the state's own yet.
class IdSource {
 public:
  explicit IdSource(const State& state) : next_(state.next) {}
  ExperimentId Experiment() { return ExperimentId(next_.experiment++); }
  TrialId Trial() { return TrialId(next_.trial++); }
  TaskId Task() { return TaskId(next_.task++); }

 private:
  NextIds next_;
};

// experiment.cc
absl::Status CheckPool(const State& state, const std::string& pool);
absl::StatusOr<Events> DecideCreate(const State& state,
                                    const Principal& principal,
                                    const CreateExperiment& command,
                                    absl::Time now);
absl::StatusOr<Events> DecideControl(const State& state, const Command& command, absl::Time now);
absl::Status CheckLiveCount(const State& state);
absl::StatusOr<Events> DecideConfigure(const State& state,
                                       const Principal& principal,
                                       const ConfigureExperiment& command,
                                       absl::Time now);
Events AdvanceExperiment(const State& state, const Experiment& experiment, absl::Time now);

// queue.cc
// Behind all that live.
int64_t LastPosition(const State& state, ExperimentId id);
struct QueueTarget {
  std::optional<int64_t> priority;  // that it needs there; nothing: the order has none
};
// Whether the command's experiment, which lives, may be moved as it says, with the settings that it
// gives.
absl::StatusOr<QueueTarget> FindTarget(const State& state,
                                       const Principal& principal,
                                       const ConfigureExperiment& command);
// Nothing when it is there already. By the live positions of its target's pool: O(jobs in it).
Events MoveBeside(const State& state,
                  const Experiment& experiment,
                  const QueueMove& move,
                  const Reason& reason);

// continue.cc
absl::StatusOr<Events> DecideContinue(const State& state,
                                      const Principal& principal,
                                      const ContinueExperiment& command,
                                      absl::Time now);

// search.cc: events of what a searcher's step asks for.
struct SearchNews {
  searcher::Step step;
  bool metric_reported = false;  // see SearchAdvanced
};
void AppendSearch(const State& state,
                  const Experiment& experiment,
                  SearchNews news,
                  absl::Time now,
                  Events* events);

// trial.cc
absl::StatusOr<Events> DecideKillTrial(const State& state,
                                       const Principal& principal,
                                       const KillTrial& command,
                                       absl::Time now);
searcher::ExitKind SearcherExit(const Trial& trial);
Events AdvanceTrial(const State& state, const Trial& trial, absl::Time now);
void AppendExit(const State& state,
                const Task& task,
                const Exit& exit,
                std::string actor,
                absl::Time now,
                Events* events);

// report.cc
absl::StatusOr<Events> DecideValidation(const State& state,
                                        const ReportValidation& command,
                                        absl::Time now);
absl::StatusOr<Events> DecideCheckpoint(const State& state,
                                        const ReportCheckpoint& command,
                                        absl::Time now);
absl::StatusOr<Events> DecideInvalidHparams(const State& state,
                                            const ReportInvalidHparams& command,
                                            absl::Time now);

absl::StatusOr<Events> DecideStop(const State& state, const ReportStop& command, absl::Time now);
absl::StatusOr<Events> DecidePreemption(const State& state,
                                        const ReportPreemption& command,
                                        absl::Time now);

// log_policy.cc
absl::StatusOr<Events> DecideLogMatch(const State& state, const ReportLogMatch& command);
// The match that makes the trial's next failure its last, or nullptr.
const LogMatch* CancelsRetries(const Trial& trial);
// Why the trial, whose log excluded agents, can run on none of those that are there; "" when it
// can.
std::string NoAgentLeft(const State& state, const Trial& trial, const scheduler::Request& request);
// estimate.cc: how long a waiting task still waits, by the progress of what runs in its pool;
// nothing where that is not known. O(what runs in the pool).
std::optional<absl::Duration> EstimateWait(const State& state,
                                           const scheduler::View& view,
                                           TaskId task,
                                           absl::Time now);

// agent.cc
absl::StatusOr<Events> DecideConnect(const State& state,
                                     const ConnectAgent& command,
                                     absl::Time now);
absl::StatusOr<Events> DecideDisconnect(const State& state,
                                        const DisconnectAgent& command,
                                        absl::Time now);
absl::StatusOr<Events> DecideStatus(const State& state,
                                    const ReportStatus& command,
                                    absl::Time now);
Events DecideStartMaster(const State& state, absl::Time now);
Events DecideTick(const State& state, absl::Time now);

// agent_admin.cc
absl::StatusOr<Events> DecideDisable(const State& state,
                                     const Principal& principal,
                                     const DisableAgent& command,
                                     absl::Time now);
absl::StatusOr<Events> DecideEnable(const State& state,
                                    const Principal& principal,
                                    const EnableAgent& command,
                                    absl::Time now);
// What is to be told to leave where the time for a drain is over.
void AppendDrainsDue(const State& state, const Agent& agent, absl::Time now, Events* events);

}  // namespace det::core::internal
