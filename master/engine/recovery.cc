#include "master/engine/recovery.h"

#include "common/base/overload.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/pause.h"
#include "master/core/apply.h"
#include "master/core/index.h"
#include "master/core/state_hash.h"
#include "master/engine/limits.h"

namespace det::engine {
namespace {

bool Creates(const core::EventBody& body) {
  return std::holds_alternative<core::ExperimentCreated>(body) ||
         std::holds_alternative<core::TrialCreated>(body) ||
         std::holds_alternative<core::TaskCreated>(body) ||
         std::holds_alternative<core::AgentConnected>(body);
}

bool Exists(const core::State& state, const core::Key& key) {
  return std::visit([&](const auto& id) { return state.Find(id) != nullptr; }, key);
}

// Brings aggregates of different ages to one.
class Replay {
 public:
  bool Restore(const std::vector<journal::SnapshotPart>& parts) {
    for (const journal::SnapshotPart& part : parts) {
      if (!RestorePart(part, &state)) return false;
      if (const auto key = ParseSnapshotKey(part.key)) ages_[*key] = part.seq;
    }
    return true;
  }

  absl::Status Visit(int64_t seq, const core::Event& event) {
    if (seq != state.seq + 1) {
      return Error(absl::StatusCode::kDataLoss,
                   "JOURNAL_GAP",
                   StrCat("the journal goes from event ", state.seq, " to ", seq));
    }
    const core::Key key = core::OwnerOf(event.body);
    const auto age = ages_.find(key);
    // It is in the saved form already; or its aggregate left the state before the journal's end,
    // and was never saved (Snapshotter's floor makes sure of that).
    const bool skip =
        (age != ages_.end() && seq <= age->second) || (!Creates(event.body) && !Exists(state, key));
    if (skip) {
      state.seq = seq;
      state.now = std::max(state.now, event.at);
      return absl::OkStatus();
    }
    core::ApplyToAggregate(state, event);
    unsaved.emplace(key, seq);
    return absl::OkStatus();
  }

  std::set<core::Key> Saved() const {
    std::set<core::Key> saved;
    for (const auto& [key, seq] : ages_) saved.insert(key);
    return saved;
  }

  core::State state;
  std::map<core::Key, int64_t> unsaved;

 private:
  std::map<core::Key, int64_t> ages_;
};

void MarkAllDirty(core::State& state) {
  for (const auto& [id, experiment] : state.experiments) state.dirty.insert(id);
  for (const auto& [id, trial] : state.trials) state.dirty.insert(id);
}

absl::StatusOr<Recovered> RecoverFrom(journal::Journal& journal,
                                      const journal::Loaded& loaded,
                                      const RecoverOptions& options,
                                      bool snapshots) {
  Replay replay;
  int64_t from = 1;
  if (snapshots) {
    if (!replay.Restore(loaded.snapshots)) {
      return Error(absl::StatusCode::kDataLoss, "BAD_SNAPSHOT", "a saved aggregate can't be read");
    }
    from = loaded.floor;
  }
  replay.state.seq = from - 1;
  DET_RETURN_IF_ERROR(journal.Read(from, [&](const journal::Recorded& recorded) {
    return replay.Visit(recorded.seq, recorded.event);
  }));
  if (replay.state.seq != loaded.last_seq) {
    return Error(
        absl::StatusCode::kDataLoss,
        "JOURNAL_GAP",
        StrCat("the journal ends at event ", replay.state.seq, ", not at ", loaded.last_seq));
  }
  core::SweepDeparted(replay.state);
  replay.state.indexes = core::BuildIndexes(replay.state, options.rules);
  core::RunningHash hash;
  hash.Reset(replay.state);
  if (loaded.hash_format == core::kHashFormat && hash.value() != loaded.state_hash) {
    return Error(
        absl::StatusCode::kDataLoss,
        "STATE_MISMATCH",
        StrCat("the state after event ", replay.state.seq, " is not the one that was recorded"));
  }
  // A newer version may draw conclusions that an older one did not.
  MarkAllDirty(replay.state);
  Recovered recovered{
      .state = std::move(replay.state),
      .snapshotter = Snapshotter({options.snapshot_lag_events, options.snapshot_part_bytes_max}),
      .events_read = loaded.last_seq - from + 1,
      .from_snapshots = snapshots};
  recovered.snapshotter.Reset(replay.Saved(), replay.unsaved);
  return recovered;
}

}  // namespace

absl::StatusOr<Recovered> RecoverPatiently(journal::Journal& journal,
                                           const RecoverOptions& options,
                                           const std::function<bool()>& stopped) {
  while (true) {
    absl::StatusOr<Recovered> recovered = Recover(journal, options);
    if (recovered.status().code() != absl::StatusCode::kUnavailable || stopped()) return recovered;
    PauseFor(kReadRetry);
  }
}

absl::StatusOr<Recovered> Recover(journal::Journal& journal, const RecoverOptions& options) {
  DET_ASSIGN_OR_RETURN(const journal::Loaded loaded, journal.Load());
  if (options.use_snapshots && !loaded.snapshots.empty()) {
    absl::StatusOr<Recovered> recovered = RecoverFrom(journal, loaded, options, true);
    if (recovered.ok() || recovered.status().code() != absl::StatusCode::kDataLoss)
      return recovered;
  }
  return RecoverFrom(journal, loaded, options, false);
}

}  // namespace det::engine
