#include "master/journal/memory_journal.h"

#include <set>
#include <utility>

#include "common/base/check.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "master/core/state_hash.h"
#include "master/journal/codec.h"

namespace det::journal {

absl::Status MemoryJournal::CheckLease() const {
  if (epoch_ != 0 && store_->epoch == epoch_) return absl::OkStatus();
  return Error(absl::StatusCode::kAborted,
               "LEASE_LOST",
               StrCat("the lease of epoch ", epoch_, " was taken by epoch ", store_->epoch));
}

absl::StatusOr<int64_t> MemoryJournal::Acquire() {
  epoch_ = ++store_->epoch;
  return epoch_;
}

absl::Status MemoryJournal::Renew() {
  return CheckLease();
}

absl::Status MemoryJournal::Append(const Batch& batch) {
  DET_RETURN_IF_ERROR(CheckLease());
  const auto last = static_cast<int64_t>(store_->events.size());
  if (batch.first_seq != last + 1) {
    return Error(absl::StatusCode::kDataLoss,
                 "JOURNAL_GAP",
                 StrCat("event ", batch.first_seq, " can't follow event ", last));
  }
  for (const core::Event& event : batch.events) store_->events.push_back(EncodeEvent(event));
  store_->commits[batch.last_seq()] = {batch.state_hash, core::kHashFormat};
  std::set<std::pair<Table, std::string>> keys;
  for (const Row& row : batch.rows) {
    const auto [key, fresh] = keys.emplace(row.table, KeyOf(row));
    // PostgreSQL refuses it, so this journal must not let it pass.
    DET_CHECK(fresh, "a batch with two rows of one key");
    store_->rows[*key] = row.values;
  }
  for (const SnapshotPart& part : batch.snapshots) {
    if (part.bytes.has_value()) {
      store_->snapshots[part.key] = part;
    } else {
      store_->snapshots.erase(part.key);
    }
  }
  if (batch.snapshot_floor != 0) store_->floor = batch.snapshot_floor;
  return absl::OkStatus();
}

absl::StatusOr<bool> MemoryJournal::IsDurable(const Batch& batch) {
  DET_RETURN_IF_ERROR(CheckLease());
  const auto last = static_cast<int64_t>(store_->events.size());
  if (last == batch.last_seq()) return true;
  if (last == batch.first_seq - 1) return false;
  return Error(absl::StatusCode::kDataLoss,
               "JOURNAL_GAP",
               StrCat("the journal ends at event ",
                      last,
                      " amid a batch of ",
                      batch.first_seq,
                      " to ",
                      batch.last_seq()));
}

absl::StatusOr<Loaded> MemoryJournal::Load() {
  Loaded loaded{.floor = store_->floor, .last_seq = static_cast<int64_t>(store_->events.size())};
  for (const auto& [key, part] : store_->snapshots) loaded.snapshots.push_back(part);
  if (!store_->commits.empty()) {
    loaded.state_hash = store_->commits.rbegin()->second.state_hash;
    loaded.hash_format = store_->commits.rbegin()->second.hash_format;
  }
  return loaded;
}

absl::Status MemoryJournal::Read(int64_t from, const Visit& visit) {
  for (size_t i = static_cast<size_t>(from - 1); i < store_->events.size(); ++i) {
    Recorded recorded{.seq = static_cast<int64_t>(i) + 1};
    DET_ASSIGN_OR_RETURN(recorded.event, DecodeEvent(store_->events[i]));
    if (const auto commit = store_->commits.find(recorded.seq); commit != store_->commits.end()) {
      recorded.state_hash = commit->second.state_hash;
      recorded.hash_format = commit->second.hash_format;
    }
    DET_RETURN_IF_ERROR(visit(recorded));
  }
  return absl::OkStatus();
}

}  // namespace det::journal
