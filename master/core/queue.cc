#include <algorithm>
#include <utility>
#include <vector>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "master/core/internal.h"

// Places in the queue. A move changes one place where there is room between its neighbours, and
// shifts those behind where there is none.
namespace det::core::internal {
namespace {

struct Place {
  int64_t position = 0;
  ExperimentId id = {};
  auto operator<=>(const Place&) const = default;
};

// The other live jobs of the pool, in order.
std::vector<Place> OthersIn(const State& state, const std::string& pool, ExperimentId but) {
  std::vector<Place> places;
  const auto& jobs = state.indexes.jobs;
  for (auto it = jobs.lower_bound(JobPlace{.pool = pool}); it != jobs.end() && it->pool == pool;
       ++it) {
    if (it->id != but) places.push_back({it->position, it->id});
  }
  std::sort(places.begin(), places.end());
  return places;
}

absl::Status Refuse(std::string_view code, const std::string& text, std::string_view hint) {
  return Error(absl::StatusCode::kFailedPrecondition, code, text, hint);
}

absl::StatusOr<const Experiment*> Beside(const State& state,
                                         const Principal& principal,
                                         const Experiment& experiment,
                                         ExperimentId beside) {
  if (beside == experiment.id) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "INVALID_SETTING",
                 StrCat("experiment ", beside.value(), " can't be moved beside itself"));
  }
  const Experiment* other = state.Find(beside);
  if (other != nullptr && Authorize(principal, Verb::kRead, ObjectOf(*other)).ok()) return other;
  return Error(
      absl::StatusCode::kNotFound,
      "OTHER_NOT_LIVE",
      StrCat("experiment ", beside.value(), ", to move beside, does not exist or has ended"),
      "det job list shows the queue");
}

Events Reordered(std::vector<std::pair<ExperimentId, int64_t>> moves, const Reason& reason) {
  Events events;
  for (const auto& [id, position] : moves) {
    events.push_back(ExperimentReordered{.id = id, .position = position});
  }
  // The one that was asked for is the first: its history says why.
  std::get<ExperimentReordered>(events.front()).reason = reason;
  return events;
}

}  // namespace

int64_t LastPosition(const State& state, ExperimentId id) {
  const int64_t own = id.value() * kQueueStep;
  const auto& positions = state.indexes.positions;
  return positions.empty() ? own : std::max(own, positions.rbegin()->first + kQueueStep);
}

absl::StatusOr<QueueTarget> FindTarget(const State& state,
                                       const Principal& principal,
                                       const ConfigureExperiment& command) {
  const Experiment& experiment = *state.Find(command.id);
  const QueueMove& move = *command.move;
  const std::string& pool = command.settings.pool.has_value()
                                ? *command.settings.pool
                                : experiment.spec->resources.resource_pool;
  DET_ASSIGN_OR_RETURN(const Experiment* other, Beside(state, principal, experiment, move.beside));
  const std::string& there = other->spec->resources.resource_pool;
  if (there != pool) {
    return Refuse("OTHER_POOL",
                  StrCat("experiment ",
                         move.beside.value(),
                         " is in the pool ",
                         QuoteJson(there),
                         ", experiment ",
                         experiment.id.value(),
                         " in ",
                         QuoteJson(pool)),
                  "det experiment set pool moves it there first");
  }
  const scheduler::Policy policy = state.indexes.view.rules().ForPool(pool).policy;
  if (policy == scheduler::Policy::kFairShare) {
    return Refuse("NO_ORDER",
                  StrCat("the pool ", QuoteJson(pool), " shares fairly: it has no order"),
                  "det experiment set weight changes its share");
  }
  QueueTarget target;
  if (policy == scheduler::Policy::kPriority) target.priority = other->spec->resources.priority;
  return target;
}

Events MoveBeside(const State& state,
                  const Experiment& experiment,
                  const QueueMove& move,
                  const Reason& reason) {
  const Experiment& other = *state.Find(move.beside);
  const std::vector<Place> places =
      OthersIn(state, other.spec->resources.resource_pool, experiment.id);
  auto next = std::lower_bound(places.begin(), places.end(), Place{other.queue_position, other.id});
  if (move.behind) ++next;
  const bool first = next == places.begin();
  const bool last = next == places.end();
  const Place now{experiment.queue_position, experiment.id};
  if ((first || *std::prev(next) < now) && (last || now < *next)) return {};
  if (last) return Reordered({{experiment.id, std::prev(next)->position + kQueueStep}}, reason);
  const int64_t before = first ? next->position - 2 * kQueueStep : std::prev(next)->position;
  const int64_t middle = before + (next->position - before) / 2;
  if (middle > before) return Reordered({{experiment.id, middle}}, reason);
  // No room is left: those behind make some.
  std::vector<std::pair<ExperimentId, int64_t>> moves = {{experiment.id, before + kQueueStep / 2}};
  for (auto it = next; it != places.end(); ++it)
    moves.emplace_back(it->id, it->position + kQueueStep);
  return Reordered(std::move(moves), reason);
}

}  // namespace det::core::internal
