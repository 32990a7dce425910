#pragma once

#include <cstdint>

#include "absl/time/time.h"

// Bounds and times of the core.
namespace det::core {

inline constexpr int64_t kAgentsMax = 20000;
inline constexpr int64_t kSlotsPerAgentMax = 1024;
inline constexpr int64_t kAgentIdBytesMax = 128;
inline constexpr int64_t kAgentTextBytesMax = 256;  // its pool, version, address, slots' names, ...
inline constexpr int64_t kHeldMax = 100000;         // allocations that one agent says it holds
inline constexpr int64_t kLiveExperimentsMax = 100000;

// An agent that is away for so long is given up: what it ran is run elsewhere.
inline constexpr absl::Duration kAgentLostAfter = absl::Seconds(120);
// A trial that refused its hyperparameters gets so long to leave by itself.
inline constexpr absl::Duration kInvalidHparamsGrace = absl::Seconds(10);
// Faults of the infrastructure don't count against max_restarts, but a trial that meets nothing
// else is not run for ever.
inline constexpr int64_t kInfrastructureRestartsMax = 100;
// After such a fault a task asks for slots again after so long; it doubles with each in a row.
inline constexpr absl::Duration kRetryAfter = absl::Seconds(1);
inline constexpr absl::Duration kRetryAfterMax = absl::Seconds(60);
// Events that one command can cause, all told. Beyond it the program is wrong, not the input.
inline constexpr int64_t kEventsPerStepMax = 20 * 1000 * 1000;
// Events of one decision. A command that would lead to more is refused, so that every step is one
// that the journal can take.
inline constexpr int64_t kEventsPerDecisionMax = 100 * 1000;
inline constexpr int64_t kReasonBytesMax = 1024;
// A run that its agent does not get to run within so long is taken from it.
inline constexpr absl::Duration kStartUpMax = absl::Minutes(30);
// Matches of log policies that are remembered of one trial; an agent excluded counts as one.
inline constexpr int64_t kLogMatchesMax = 1000;
inline constexpr int64_t kLogLineBytesMax = 512;  // of a line that matched
inline constexpr int64_t kCheckpointUuidBytesMax = 128;
inline constexpr int64_t kCheckpointBytesMax = 1
                                               << 20;  // of its list of files and metadata, as JSON

}  // namespace det::core
