#pragma once

#include <cstdint>
#include <map>

#include "master/core/state.h"

namespace det::core {

// Raised with every change of what the hashes cover: hashes of two formats are not compared. A test
// holds the hash of a fixed state.
inline constexpr int64_t kHashFormat = 6;

// A fingerprint of everything that decisions depend on, complete: O(state). Equal states have equal
// hashes on every machine.
uint64_t CompleteHash(const State& state);

// The same purpose at the cost of what changed. It covers every aggregate, but an experiment's
// searcher only by the hash of its history; so it equals CompleteHash in meaning, not in value.
class RunningHash {
 public:
  // Of a whole state.
  void Reset(const State& state);
  // After a step: `changed` are the aggregates that it touched, gone ones too.
  void Update(const State& state, const std::set<Key>& changed);
  uint64_t value() const { return sum_; }

 private:
  std::map<Key, uint64_t> parts_;
  uint64_t sum_ = 0;
};

}  // namespace det::core
