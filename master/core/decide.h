#pragma once

#include "absl/status/statusor.h"

#include "master/core/command.h"
#include "master/core/event.h"
#include "master/core/state.h"

// The master's decisions, as pure functions.
namespace det::core {

// What an untrusted command leads to: events that always apply, or an error that names the ids. One
// that leads to more than kEventsPerDecisionMax events is an error too. An empty list is a success
// that changes nothing (a report sent twice, a pause of what is paused). `now` is not before
// state.now.
absl::StatusOr<Events> Decide(const State& state, const Command& command, absl::Time now);

// What follows by itself from a change of one thing: an exit leads to the searcher, the searcher to
// a new trial, a trial to a request for slots. Empty when nothing follows.
Events Advance(const State& state, const Key& key, absl::Time now);

// Placements of one pool, and what leaves to make room, as events, judged by CheckPlan first: an
// error is a fault in the scheduler, and nothing is placed. `more` is set when the pass was cut at
// its limit.
absl::StatusOr<Events> SchedulePool(const State& state,
                                    const std::string& pool,
                                    absl::Time now,
                                    bool* more);

// Changes the state. Total: an event that Decide, Advance or SchedulePool made, or that the journal
// holds, always applies; anything else is a programmer's error and stops the process.
void Apply(State& state, const Event& event);

// May one decision have so many events?
absl::Status CheckSize(int64_t events);

}  // namespace det::core
