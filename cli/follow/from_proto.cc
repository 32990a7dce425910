#include "cli/follow/from_proto.h"

#include "cli/client/client.h"
#include "cli/view/hparams.h"

namespace det::cli::follow {
namespace {

TrialSnapshot FromTrial(const api::Trial& trial) {
  TrialSnapshot snapshot{.id = trial.id(),
                         .state = trial.state(),
                         .steps = trial.latest_steps(),
                         .progress = trial.progress(),
                         .agent = trial.agent(),
                         .hparams = CompactHparams(trial.hparams_json())};
  if (trial.has_latest_metric()) snapshot.latest = trial.latest_metric();
  if (trial.has_best_metric()) snapshot.best = trial.best_metric();
  return snapshot;
}

}  // namespace

Snapshot FromProto(const api::WatchExperimentResponse& response) {
  const api::Experiment& experiment = response.experiment();
  Snapshot snapshot{.experiment = experiment.id(),
                    .name = experiment.name(),
                    .state = experiment.state(),
                    .reason = experiment.reason().text(),
                    .searcher = experiment.searcher(),
                    .metric = experiment.metric(),
                    .smaller_is_better = experiment.smaller_is_better(),
                    .progress = experiment.progress(),
                    .trials_created = experiment.trials_created(),
                    .trials_closed = experiment.trials_closed(),
                    .trials_waiting = response.trials_waiting(),
                    .best_steps = experiment.best_steps(),
                    .created = absl::FromUnixNanos(experiment.created_unix_nanos())};
  if (experiment.has_best_trial()) snapshot.best_trial = experiment.best_trial();
  if (experiment.has_best_metric()) snapshot.best_metric = experiment.best_metric();
  if (response.has_seconds_left()) snapshot.seconds_left = response.seconds_left();
  if (experiment.ended_unix_nanos() != 0) {
    snapshot.ended = absl::FromUnixNanos(experiment.ended_unix_nanos());
  }
  for (const api::Trial& trial : response.running()) snapshot.running.push_back(FromTrial(trial));
  return snapshot;
}

}  // namespace det::cli::follow
