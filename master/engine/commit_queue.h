#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "master/engine/limits.h"
#include "master/journal/journal.h"

namespace det::engine {

// Batches on their way to the journal. What waits while one is committed is merged into the next
// one, up to kEventsPerCommitMax and kBytesPerCommitMax: group commit. A step is never split.
// Without locks, as OutputGate.
class CommitQueue {
 public:
  void Push(journal::Batch batch) {
    events_ += static_cast<int64_t>(batch.events.size());
    const int64_t bytes = journal::ApproximateBytes(batch);
    waiting_.push_back({std::move(batch), bytes});
  }

  // The next commit; nothing when nothing waits.
  std::optional<journal::Batch> Pop() {
    if (waiting_.empty()) return std::nullopt;
    auto [batch, bytes] = std::move(waiting_.front());
    waiting_.pop_front();
    while (!waiting_.empty()) {
      Waiting& next = waiting_.front();
      if (static_cast<int64_t>(batch.events.size() + next.batch.events.size()) >
          kEventsPerCommitMax)
        break;
      bytes += next.bytes;
      if (bytes > kBytesPerCommitMax) break;
      journal::Merge(batch, std::move(next.batch));
      waiting_.pop_front();
    }
    return std::move(batch);
  }

  // The popped batch is durable.
  void Committed(const journal::Batch& batch) {
    events_ -= static_cast<int64_t>(batch.events.size());
  }

  // Events that are not durable yet.
  int64_t events() const { return events_; }
  bool empty() const { return waiting_.empty(); }

 private:
  struct Waiting {
    journal::Batch batch;
    int64_t bytes = 0;
  };

  std::deque<Waiting> waiting_;
  int64_t events_ = 0;
};

}  // namespace det::engine
