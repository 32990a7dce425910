#include "master/journal/faulty_journal.h"

#include <utility>

#include "common/base/status.h"

namespace det::journal {
namespace {

absl::Status Down() {
  return Error(absl::StatusCode::kUnavailable, "STORE_DOWN", "injected: the store does not answer");
}
absl::Status NoAnswer() {
  return Error(absl::StatusCode::kUnknown, "STORE_TIMEOUT", "injected: the answer was lost");
}

}  // namespace

// A read that is cut short can always be made again: every fault is kFail to it.
absl::Status FaultyJournal::Before() {
  return plan_() == StoreFault::kNone ? absl::OkStatus() : Down();
}

absl::StatusOr<int64_t> FaultyJournal::Acquire() {
  DET_RETURN_IF_ERROR(Before());
  return journal_->Acquire();
}

absl::Status FaultyJournal::Renew() {
  DET_RETURN_IF_ERROR(Before());
  return journal_->Renew();
}

// What was sent before runs first. Should the batch be there then, its numbers are taken.
absl::Status FaultyJournal::Now(const Batch& batch) {
  if (const auto late = std::exchange(late_, std::nullopt); late.has_value()) {
    const bool same = late->first_seq == batch.first_seq;
    if (journal_->Append(*late).ok() && same) return NoAnswer();
  }
  return journal_->Append(batch);
}

absl::Status FaultyJournal::Append(const Batch& batch) {
  switch (plan_()) {
    case StoreFault::kNone:
      return Now(batch);
    case StoreFault::kFail:
      return Down();
    case StoreFault::kTimeout:
      return NoAnswer();
    case StoreFault::kExecuteAndTimeout: {
      const absl::Status status = Now(batch);
      return status.ok() ? NoAnswer() : status;
    }
    case StoreFault::kExecuteLate:
      late_ = batch;
      return NoAnswer();
  }
  return Down();
}

absl::StatusOr<bool> FaultyJournal::IsDurable(const Batch& batch) {
  DET_RETURN_IF_ERROR(Before());
  return journal_->IsDurable(batch);
}

absl::StatusOr<Loaded> FaultyJournal::Load() {
  DET_RETURN_IF_ERROR(Before());
  return journal_->Load();
}

absl::Status FaultyJournal::Read(int64_t from, const Visit& visit) {
  DET_RETURN_IF_ERROR(Before());
  return journal_->Read(from, visit);
}

}  // namespace det::journal
