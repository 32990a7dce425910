#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "master/core/state.h"
#include "master/engine/limits.h"
#include "master/journal/journal.h"

namespace det::engine {

// Keeps what a recovery has to read short, at a cost that follows what changes: it saves the
// aggregates whose oldest unsaved change is the oldest, a few a turn, and never the whole state.
// The saved parts are of different ages; recovery brings each one up to date (recovery.h). An
// aggregate that is too large to be saved holds the floor where it is.
class Snapshotter {
 public:
  struct Options {
    int64_t lag_events = kSnapshotLagEvents;
    int64_t part_bytes_max = kSnapshotPartBytesMax;
  };
  explicit Snapshotter(Options options) : options_(options) {}

  // After a recovery: the aggregates with a saved form, and those changed since theirs (or without
  // one), each with the first such event.
  void Reset(std::set<core::Key> saved, const std::map<core::Key, int64_t>& unsaved);

  // The aggregates changed with events up to seq.
  void OnChanged(const std::set<core::Key>& changed, int64_t first_seq);

  // Adds parts to the batch when the oldest unsaved change is older than the lag.
  void Fill(const core::State& state, journal::Batch* batch);

 private:
  void ReviveGone(const core::State& state);
  int64_t Floor(const core::State& state) const;

  const Options options_;
  std::map<core::Key, int64_t> unsaved_;    // since which event
  std::map<core::Key, int64_t> too_large_;  // of those, not to be tried again while they live
  std::set<std::pair<int64_t, core::Key>> by_age_;
  std::set<core::Key> saved_;  // those with a saved form
};

// "experiment/7", "agent/gpu-3", and "meta" for what belongs to no aggregate.
std::string SnapshotKey(const core::Key& key);
// The inverse; nothing for "meta" and for what is no key.
std::optional<core::Key> ParseSnapshotKey(std::string_view text);
inline constexpr char kMetaKey[] = "meta";

// Reads one saved part into the state. False when it is not one of this program's version.
bool RestorePart(const journal::SnapshotPart& part, core::State* state);

}  // namespace det::engine
