#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"

#include "common/base/mutex.h"
#include "common/clock/clock.h"
#include "master/engine/engine.h"
#include "master/engine/limits.h"

namespace det::test {

// The time of day, which a test may put forward. Any thread.
class ShiftedClock : public Clock {
 public:
  absl::Time Now() const override { return clock_.Now() + absl::Nanoseconds(shift_ns_.load()); }
  void Advance(absl::Duration by) { shift_ns_ += absl::ToInt64Nanoseconds(by); }

 private:
  SystemClock clock_;
  std::atomic<int64_t> shift_ns_{0};
};

// What the engine told of its work.
class CountingProbe : public engine::Probe {
 public:
  void OnCommit(int64_t events, absl::Duration latency) override;
  void OnCommitRetry() override { ++retries; }
  void OnTurn(int64_t commands, absl::Duration scheduling) override;

  std::atomic<int64_t> commits{0};
  std::atomic<int64_t> largest_commit{0};  // events
  std::atomic<int64_t> retries{0};
};

// An engine on a journal, connected as in the composition root. Any thread.
class TestEngine {
 public:
  // Takes the lease and recovers; both must succeed.
  explicit TestEngine(journal::Journal& journal, const engine::RecoverOptions& options = {});

  // Waits for the reply.
  absl::StatusOr<core::Events> Run(core::Command command);
  // As Run, of a command that must succeed.
  core::Events Must(core::Command command);
  // Reads what is durable, and waits. False when the engine has ended.
  bool Read(const std::function<void(const core::State&)>& read);

  struct Mark {
    int64_t seq = 0;
    uint64_t hash = 0;  // core::CompleteHash
    bool operator==(const Mark&) const = default;
  };
  Mark State();
  // Allocations on all agents now.
  std::vector<AllocationId> Allocations();
  AllocationId OnlyAllocation();

  engine::Engine& engine() { return *engine_; }
  ShiftedClock& clock() { return clock_; }
  // Puts forward what waiting is measured by.
  void AdvanceSteady(absl::Duration by) { steady_ns_ += absl::ToInt64Nanoseconds(by); }
  const CountingProbe& probe() const { return probe_; }
  std::optional<absl::Status> fatal();
  // Ends the engine, as its destructor does.
  void Stop() { engine_.reset(); }

 private:
  ShiftedClock clock_;
  std::atomic<int64_t> steady_ns_{0};
  CountingProbe probe_;
  Mutex mutex_;
  std::optional<absl::Status> fatal_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<engine::Engine> engine_;
};

// The state that the journal gives from its first event, without snapshots.
TestEngine::Mark Replayed(journal::Journal& journal);

}  // namespace det::test
