#include "master/testing/test_engine.h"

#include <future>

#include "common/base/check.h"
#include "master/core/state_hash.h"

namespace det::test {

void CountingProbe::OnCommit(int64_t events, absl::Duration /*latency*/) {
  ++commits;
  if (events > largest_commit) largest_commit = events;
}

void CountingProbe::OnTurn(int64_t /*commands*/, absl::Duration /*scheduling*/) {}

TestEngine::TestEngine(journal::Journal& journal, const engine::RecoverOptions& options) {
  const absl::StatusOr<int64_t> epoch = engine::AcquireLease(journal, [] { return false; });
  DET_CHECK(epoch.ok(), epoch.status().ToString());
  absl::StatusOr<engine::Recovered> recovered =
      engine::RecoverPatiently(journal, options, [] { return false; });
  DET_CHECK(recovered.ok(), recovered.status().ToString());
  const auto on_fatal = [this](absl::Status status) {
    MutexLock lock(mutex_);
    fatal_ = std::move(status);
  };
  const auto steady = [this] { return SteadyNow() + absl::Nanoseconds(steady_ns_.load()); };
  engine_ = std::make_unique<engine::Engine>(
      engine::Engine::Deps{journal, clock_, probe_, on_fatal, steady},
      *epoch,
      *std::move(recovered));
}

absl::StatusOr<core::Events> TestEngine::Run(core::Command command) {
  auto reply = std::make_shared<std::promise<absl::StatusOr<core::Events>>>();
  std::future<absl::StatusOr<core::Events>> future = reply->get_future();
  engine_->Post(std::move(command), [reply](absl::StatusOr<core::Events> events) {
    reply->set_value(std::move(events));
  });
  return future.get();
}

core::Events TestEngine::Must(core::Command command) {
  absl::StatusOr<core::Events> events = Run(std::move(command));
  DET_CHECK(events.ok(), events.status().ToString());
  return *std::move(events);
}

bool TestEngine::Read(const std::function<void(const core::State&)>& read) {
  auto done = std::make_shared<std::promise<void>>();
  std::future<void> future = done->get_future();
  const absl::Status queued = engine_->Read([read, done](const core::State& state) {
    read(state);
    return [done] { done->set_value(); };
  });
  done.reset();
  if (!queued.ok()) return false;
  try {
    future.get();
    return true;
  } catch (const std::future_error&) {
    return false;
  }
}

TestEngine::Mark TestEngine::State() {
  Mark mark;
  DET_CHECK(Read([&](const core::State& state) { mark = {state.seq, core::CompleteHash(state)}; }));
  return mark;
}

std::vector<AllocationId> TestEngine::Allocations() {
  std::vector<AllocationId> ids;
  DET_CHECK(Read([&](const core::State& state) {
    ids.clear();
    for (const auto& [id, task] : state.indexes.allocations) ids.push_back(id);
  }));
  return ids;
}

AllocationId TestEngine::OnlyAllocation() {
  const std::vector<AllocationId> ids = Allocations();
  DET_CHECK(ids.size() == 1);
  return ids[0];
}

std::optional<absl::Status> TestEngine::fatal() {
  MutexLock lock(mutex_);
  return fatal_;
}

TestEngine::Mark Replayed(journal::Journal& journal) {
  const absl::StatusOr<engine::Recovered> full =
      engine::RecoverPatiently(journal, {.use_snapshots = false}, [] { return false; });
  DET_CHECK(full.ok(), full.status().ToString());
  return {full->state.seq, core::CompleteHash(full->state)};
}

}  // namespace det::test
