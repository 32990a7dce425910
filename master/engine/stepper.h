#pragma once

#include <optional>
#include <set>

#include "absl/status/statusor.h"

#include "master/core/decide.h"
#include "master/core/state.h"
#include "master/core/state_hash.h"
#include "master/engine/projector.h"
#include "master/engine/snapshotter.h"
#include "master/journal/journal.h"

namespace det::engine {

// The core with its outputs, and without threads: runs commands to their end and collects what must
// become durable. The engine's core thread drives one, and so does the simulation. One thread.
class Stepper {
 public:
  struct Options {
    // Faults planted by tests of the tests: see tests/sim.
    bool plant_double_placement = false;
  };

  // `state` is a recovered one; its `unsaved` and `saved` are what Recover found.
  Stepper(core::State state, Snapshotter snapshotter, Options options);

  // Decide, Apply, then Advance until nothing follows: one atomic step. The events it led to, for
  // the reply; an error changes nothing. `now` is raised to the state's own when it lies before it.
  absl::StatusOr<core::Events> Run(const core::Command& command, absl::Time now);

  // Acts on every deadline that has come.
  void RunDue(absl::Time now);

  // One scheduling pass over the pools in which something changed. An error is a fault in the
  // scheduler: its plan is dropped, and the pool rests until something changes there.
  absl::Status Schedule(absl::Time now);

  // What happened since the last call, as a batch; nothing when nothing did.
  std::optional<journal::Batch> Seal();

  // The agents whose desired set may have changed since the last call.
  std::set<AgentId> TakeTouchedAgents();

  const core::State& state() const { return state_; }
  uint64_t hash() const { return hash_.value(); }

 private:
  absl::Time Raise(absl::Time now) const { return std::max(now, state_.now); }
  void ApplyAll(core::Events events, absl::Time now, core::Events* log);
  void Settle(absl::Time now, core::Events* log);
  void FinishStep(int64_t first_seq);

  core::State state_;
  Snapshotter snapshotter_;
  const Options options_;
  core::RunningHash hash_;
  Projector projector_;
  journal::Batch batch_;
  std::set<AgentId> touched_;
};

}  // namespace det::engine
