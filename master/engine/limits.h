#pragma once

#include <cstdint>

#include "absl/time/time.h"

// Bounds and times of the engine.
namespace det::engine {

inline constexpr int64_t kCommandsQueuedMax = 10000;  // beyond it callers are told to come back
// While the store is away: answers that wait for a commit, and among them live reads, each of which
// may hold a large answer. Beyond them callers are told to come back.
inline constexpr int64_t kOutputsHeldMax = 100000;
inline constexpr int64_t kReadsHeldMax = 1000;
inline constexpr int64_t kCommandsPerTurnMax = 128;  // drained before one scheduling pass
inline constexpr int64_t kEventsPerCommitMax = 128;  // a larger step is a commit of its own
// What waits is merged into commits of about so much (journal::ApproximateBytes); what is larger by
// itself goes alone. Far below what the database takes at once.
inline constexpr int64_t kBytesPerCommitMax = 16 << 20;
inline constexpr int64_t kBytesPerTurnMax = 8 << 20;  // of commands, beyond the first
// Commits that the database answers for but does not have: after so many in a row, some two
// minutes, another will not do either.
inline constexpr int64_t kCommitTriesMax = 60;
inline constexpr int64_t kEventsUncommittedMax = 20000;  // beyond it the core thread waits
inline constexpr int64_t kSnapshotLagEvents = 20000;     // a recovery reads about so many events
// A larger one would not fit into a commit: its aggregate is always read from the journal.
inline constexpr int64_t kSnapshotPartBytesMax = 64 << 20;
// What is kept of an ended experiment, to continue it: a larger one can't be continued.
inline constexpr int64_t kEndedRecordBytesMax = 8 << 20;
inline constexpr int64_t kSnapshotPartsPerTurnMax = 64;
inline constexpr int64_t kSnapshotBytesPerTurnMax = 8 << 20;
inline constexpr absl::Duration kCommitRetryMin = absl::Milliseconds(20);
inline constexpr absl::Duration kReadRetry = absl::Milliseconds(200);  // of a recovery
inline constexpr absl::Duration kCommitRetryMax = absl::Seconds(2);

}  // namespace det::engine
