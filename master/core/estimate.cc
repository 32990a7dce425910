#include <algorithm>

#include "master/core/internal.h"
#include "master/scheduler/scheduler.h"

namespace det::core::internal {
namespace {

// The batches after which the trial ends at the latest, where its search says.
std::optional<double> BatchesToRun(const spec::SearcherSpec& searcher) {
  const auto of_halving = [](const auto& method) -> std::optional<double> {
    if (method.time_metric != "batches") return std::nullopt;
    return static_cast<double>(method.max_time);
  };
  if (const auto* halving = std::get_if<spec::AsyncHalvingSpec>(&searcher.method)) {
    return of_halving(*halving);
  }
  if (const auto* asha = std::get_if<spec::AdaptiveAshaSpec>(&searcher.method)) {
    return of_halving(*asha);
  }
  if (searcher.max_length.has_value() && searcher.max_length->unit == spec::LengthUnit::kBatches) {
    return static_cast<double>(searcher.max_length->units);
  }
  return std::nullopt;
}

// At the speed of its run so far, which began with its first batch: of a later run it is not known
// where it began.
std::optional<absl::Duration> Remaining(const State& state, const Task& task, absl::Time now) {
  const Trial& trial = *state.Find(task.trial);
  const std::optional<double> batches = BatchesToRun(state.Find(trial.experiment)->spec->searcher);
  if (task.allocation->level != StopLevel::kRun) return absl::ZeroDuration();
  if (!batches.has_value() || task.allocation->run != 1 || trial.latest_steps <= 0) {
    return std::nullopt;
  }
  const auto done = static_cast<double>(trial.latest_steps);
  return (now - task.allocation->placed_at) * (std::max(0.0, *batches - done) / done);
}

}  // namespace

// `view` is the state's own, or one in which more waits.
std::optional<absl::Duration> EstimateWait(const State& state,
                                           const scheduler::View& view,
                                           TaskId task,
                                           absl::Time now) {
  const scheduler::Waiting* waiting = view.FindWaiting(task);
  const scheduler::Explanation why = scheduler::Explain(view, task);
  if (waiting == nullptr || why.impossible || !waiting->ready) return std::nullopt;
  const scheduler::PoolView* pool = view.FindPool(waiting->request.pool);
  std::vector<std::pair<absl::Duration, int64_t>> ends;
  for (const auto& [capacity, by_free] : pool->agents) {
    for (const auto& [free, agents] : by_free) {
      for (const scheduler::AgentSlots* agent : agents) {
        for (const scheduler::RunningTask* running : agent->tasks) {
          const Task* other = state.Find(running->running.task);
          if (other == nullptr || !other->allocation.has_value()) continue;
          if (const auto left = Remaining(state, *other, now)) {
            ends.emplace_back(*left, running->slots);
          }
        }
      }
    }
  }
  std::sort(ends.begin(), ends.end());
  int64_t lacks = why.slots_ahead + waiting->request.slots - pool->slots_free;
  for (const auto& [left, slots] : ends) {
    lacks -= slots;
    if (lacks > 0) continue;
    // What was told to leave takes as long as it likes, up to its grace.
    return left > absl::ZeroDuration() ? std::optional(left) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace det::core::internal
