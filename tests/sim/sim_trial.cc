#include "tests/sim/sim_trial.h"

#include <cmath>

#include "common/base/strings.h"

namespace det::sim {

SimTrial::SimTrial(
    Kernel& kernel, Checker& checker, TrialHost& host, AllocationId id, const core::RunOrder& order)
    : kernel_(kernel), checker_(checker), host_(host), id_(id), order_(order) {
  step_ = order.steps_completed;
  target_ = order.spec->data.Find("target")->as_int();
  cooperates_ = order.spec->data.Find("cooperates")->as_bool();
}

void SimTrial::Run() {
  ignores_stop_ = kernel_.Happens(Fault::kTrialIgnoresStop);
  refuses_ = kernel_.Happens(Fault::kTrialRefusesHparams);
  Again();
}

void SimTrial::Again() {
  kernel_.After(absl::Seconds(kernel_.rng.Between(0.3, 4)), [self = shared_from_this()] {
    if (self->alive_) self->Step();
  });
}

void SimTrial::Step() {
  // Without its agent a trial waits in its next call.
  if (!host_.RelayUp()) return Again();
  if (refuses_) {
    Report(ingest::InvalidHparams{});
    return End({.kind = agent::ExitKind::kExited, .code = 1});
  }
  if (Leave()) return;
  if (kernel_.Happens(Fault::kTrialStops)) {
    Report(ingest::Stop{});
    return End({.kind = agent::ExitKind::kExited, .code = 0});
  }
  if (kernel_.Happens(Fault::kMachineAnnounced)) Report(ingest::PendingPreemption{});
  if (kernel_.Happens(Fault::kTrialCrash)) {
    checker_.OnTrialFault(order_.trial);
    return End({.kind = agent::ExitKind::kExited, .code = 1});
  }
  Train();
  if (step_ >= target_) return End({.kind = agent::ExitKind::kExited, .code = 0});
  Again();
}

bool SimTrial::Leave() {
  if (!cooperates_ || !host_.ShouldPreempt(id_) || ignores_stop_) return false;
  Checkpoint();
  host_.AckPreempt(id_);
  End({.kind = agent::ExitKind::kExited, .code = 0});
  return true;
}

void SimTrial::Train() {
  ++step_;
  const double x = order_.hparams.Find("x")->as_double();
  double loss = x + 1.0 / static_cast<double>(step_);
  if (kernel_.Happens(Fault::kTrialReportsNan)) loss = std::nan("");
  Value values;
  values["loss"] = loss;
  Report(ingest::Metrics{"training", step_, values});
  Report(ingest::Metrics{"validation", step_, std::move(values)});
  // What the core does not hear of must not have acknowledged what it does.
  Report(ingest::Progress{static_cast<double>(step_) / static_cast<double>(target_)});
  if (step_ % 3 == 0) Checkpoint();
}

void SimTrial::Checkpoint() {
  Report(
      ingest::Checkpoint{.uuid = StrCat("c", id_.value(), "-", step_), .steps_completed = step_});
}

void SimTrial::Report(decltype(ingest::Report::body) body) {
  ingest::Report report{
      .id = {id_, 0, ++seq_}, .trial = order_.trial, .at = kernel_.now(), .body = std::move(body)};
  ++kernel_.counters.reports;
  if (kernel_.Happens(Fault::kTrialReportsTwice)) host_.TakeReport(id_, report);
  host_.TakeReport(id_, report);
}

void SimTrial::Terminate() {
  if (!alive_) return;
  const absl::Duration grace = ignores_stop_ ? absl::Seconds(30) : absl::Seconds(1);
  const int64_t signal = ignores_stop_ ? 9 : 15;
  kernel_.After(grace, [self = shared_from_this(), signal] {
    self->Kill({.kind = agent::ExitKind::kSignaled, .signal = signal});
  });
}

void SimTrial::Kill(const agent::Exit& exit) {
  if (alive_) End(exit);
}

void SimTrial::End(agent::Exit exit) {
  alive_ = false;
  exit_ = std::move(exit);
  host_.OnProcessExit(id_);
}

}  // namespace det::sim
