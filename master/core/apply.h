#pragma once

#include "master/core/event.h"
#include "master/core/state.h"

// The parts of Apply that a recovery from snapshots needs apart: aggregates there are of different
// ages until the tail of the journal has been read.
namespace det::core {

// Changes the event's own aggregate, raises seq and now, and touches nothing else: no index, and
// nothing leaves the state. The aggregate must be there, unless the event creates it.
void ApplyToAggregate(State& state, const Event& event);

// Drops what has left the state by the rules that Apply follows event by event.
void SweepDeparted(State& state);

}  // namespace det::core
