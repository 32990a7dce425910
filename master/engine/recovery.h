#pragma once

#include <functional>

#include "absl/status/statusor.h"

#include "master/core/state.h"
#include "master/engine/snapshotter.h"
#include "master/journal/journal.h"

namespace det::engine {

struct RecoverOptions {
  scheduler::Rules rules;
  int64_t snapshot_lag_events = kSnapshotLagEvents;
  int64_t snapshot_part_bytes_max = kSnapshotPartBytesMax;
  bool use_snapshots = true;  // false: from the first event
};

struct Recovered {
  core::State state;
  Snapshotter snapshotter;
  int64_t events_read = 0;
  bool from_snapshots = false;
};

// The state that the journal says: the saved aggregates, each brought up to date with the events
// after it, or all events from the first. The result is checked against the hash that was recorded
// with the last event; a mismatch after reading snapshots leads to a full read, one after a full
// read to kDataLoss.
absl::StatusOr<Recovered> Recover(journal::Journal& journal, const RecoverOptions& options);

// As Recover, again and again while the store does not answer, until `stopped` says to give up.
absl::StatusOr<Recovered> RecoverPatiently(journal::Journal& journal,
                                           const RecoverOptions& options,
                                           const std::function<bool()>& stopped);

}  // namespace det::engine
