#include "master/engine/stepper.h"

#include "common/base/check.h"
#include "common/base/overload.h"
#include "master/core/limits.h"

namespace det::engine {
namespace {

// The agent that the event concerns, of the state before it.
AgentId AgentOf(const core::State& state, const core::EventBody& body) {
  const auto placed_on = [&](TaskId task) { return state.Find(task)->allocation->agent; };
  return std::visit(overloaded{
                        [](const core::AllocationPlaced& e) { return e.agent; },
                        [&](const core::AllocationSignaled& e) { return placed_on(e.task); },
                        [&](const core::AllocationEnded& e) { return placed_on(e.task); },
                        [](const core::AgentConnected& e) { return e.id; },
                        [](const auto&) { return AgentId(); },
                    },
                    body);
}

}  // namespace

Stepper::Stepper(core::State state, Snapshotter snapshotter, Options options)
    : state_(std::move(state)), snapshotter_(std::move(snapshotter)), options_(options) {
  hash_.Reset(state_);
}

absl::StatusOr<core::Events> Stepper::Run(const core::Command& command, absl::Time now) {
  now = Raise(now);
  absl::StatusOr<core::Events> decided = core::Decide(state_, command, now);
  if (!decided.ok()) return decided.status();
  const int64_t first_seq = state_.seq + 1;
  core::Events log;
  ApplyAll(*std::move(decided), now, &log);
  Settle(now, &log);
  FinishStep(first_seq);
  return log;
}

void Stepper::RunDue(absl::Time now) {
  const core::Command tick{{core::Role::kMaster, "master"}, core::Tick{}};
  while (core::NextDeadline(state_) <= Raise(now)) {
    DET_CHECK(Run(tick, now).ok(), "a deadline can't be acted on");
  }
}

absl::Status Stepper::Schedule(absl::Time now) {
  now = Raise(now);
  absl::Status result;
  const std::set<std::string> pools = state_.indexes.view.dirty();
  for (const std::string& pool : pools) {
    const int64_t first_seq = state_.seq + 1;
    bool more = false;
    absl::StatusOr<core::Events> placed = core::SchedulePool(state_, pool, now, &more);
    state_.indexes.view.ClearDirty(pool);
    if (!placed.ok()) {
      result = placed.status();
      continue;
    }
    if (placed->empty()) continue;
    if (options_.plant_double_placement && placed->size() > 1) {
      const auto* first = std::get_if<core::AllocationPlaced>(&(*placed)[0]);
      auto* second = std::get_if<core::AllocationPlaced>(&(*placed)[1]);
      if (first != nullptr && second != nullptr && second->slots.size() == first->slots.size()) {
        second->agent = first->agent;
        second->slots = first->slots;
      }
    }
    core::Events log;
    ApplyAll(*std::move(placed), now, &log);
    Settle(now, &log);
    FinishStep(first_seq);
    // Placing makes the pool dirty again; only a pass that was cut has more to do.
    if (!more) state_.indexes.view.ClearDirty(pool);
  }
  return result;
}

void Stepper::ApplyAll(core::Events events, absl::Time now, core::Events* log) {
  for (core::EventBody& body : events) {
    core::Event event{.at = now, .body = std::move(body)};
    if (AgentId agent = AgentOf(state_, event.body); !agent.empty()) touched_.insert(agent);
    projector_.OnEvent(state_, state_.seq + 1, event);
    core::Apply(state_, event);
    log->push_back(event.body);
    batch_.events.push_back(std::move(event));
  }
}

void Stepper::Settle(absl::Time now, core::Events* log) {
  while (!state_.dirty.empty()) {
    const core::Key key = *state_.dirty.begin();
    state_.dirty.erase(state_.dirty.begin());
    ApplyAll(core::Advance(state_, key, now), now, log);
    DET_CHECK(static_cast<int64_t>(log->size()) < core::kEventsPerStepMax, "a step never ends");
  }
}

void Stepper::FinishStep(int64_t first_seq) {
  projector_.OnStep(state_, state_.changed, state_.departed);
  hash_.Update(state_, state_.changed);
  snapshotter_.OnChanged(state_.changed, first_seq);
  state_.changed.clear();
  state_.departed = {};
}

std::optional<journal::Batch> Stepper::Seal() {
  if (batch_.events.empty()) return std::nullopt;
  batch_.first_seq = state_.seq - static_cast<int64_t>(batch_.events.size()) + 1;
  batch_.state_hash = hash_.value();
  batch_.rows = projector_.Take();
  snapshotter_.Fill(state_, &batch_);
  return std::exchange(batch_, {});
}

std::set<AgentId> Stepper::TakeTouchedAgents() {
  return std::exchange(touched_, {});
}

}  // namespace det::engine
