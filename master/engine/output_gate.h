#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"

namespace det::engine {

// Holds replies, live reads and agents' orders until the journal has made their cause durable, so
// that nobody ever sees what a crash could undo. Without locks: its owner serialises the calls, and
// runs what it gets back outside of its own lock.
// Units: seq counts events since the cluster began.
class OutputGate {
 public:
  using Output = absl::AnyInvocable<void()>;

  explicit OutputGate(int64_t durable_seq) : durable_(durable_seq) {}

  // Gives `output` back when it may run at once; else keeps it until `seq` is durable. Sequence
  // numbers must not decrease from call to call.
  std::optional<Output> Hold(int64_t seq, Output output) {
    if (seq <= durable_) return output;
    held_.emplace_back(seq, std::move(output));
    return std::nullopt;
  }

  // Everything up to `seq` is durable: what waited for it, in the order of Hold.
  std::vector<Output> Release(int64_t seq) {
    durable_ = seq;
    std::vector<Output> released;
    while (!held_.empty() && held_.front().first <= durable_) {
      released.push_back(std::move(held_.front().second));
      held_.pop_front();
    }
    return released;
  }

  // Nothing more will become durable: what was held, to be dropped.
  std::vector<Output> Abandon() {
    std::vector<Output> dropped;
    for (auto& [seq, output] : held_) dropped.push_back(std::move(output));
    held_.clear();
    return dropped;
  }

  int64_t durable_seq() const { return durable_; }
  int64_t size() const { return static_cast<int64_t>(held_.size()); }

 private:
  int64_t durable_;
  std::deque<std::pair<int64_t, Output>> held_;
};

}  // namespace det::engine
