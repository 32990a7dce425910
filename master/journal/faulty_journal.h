#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "master/journal/journal.h"

namespace det::journal {

// What goes wrong with one call.
enum class StoreFault {
  kNone,
  kFail,               // nothing is written, and the caller knows
  kTimeout,            // nothing is written, and the caller can't know
  kExecuteAndTimeout,  // it is written, and the caller can't know
  kExecuteLate,        // the same, but only after it was asked for: right before the next Append
};

// A journal whose calls fail as `plan` says, asked once a call. One thread.
class FaultyJournal : public Journal {
 public:
  FaultyJournal(std::unique_ptr<Journal> journal, std::function<StoreFault()> plan)
      : journal_(std::move(journal)), plan_(std::move(plan)) {}

  absl::StatusOr<int64_t> Acquire() override;
  absl::Status Renew() override;
  absl::Status Append(const Batch& batch) override;
  absl::StatusOr<bool> IsDurable(const Batch& batch) override;
  absl::StatusOr<Loaded> Load() override;
  absl::Status Read(int64_t from, const Visit& visit) override;

 private:
  absl::Status Before();
  absl::Status Now(const Batch& batch);

  std::unique_ptr<Journal> journal_;
  std::function<StoreFault()> plan_;
  std::optional<Batch> late_;  // sent, not yet run
};

}  // namespace det::journal
