#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"

#include "master/scheduler/types.h"

namespace det::scheduler {

struct JobInPool;
struct JobState;
struct Row;
struct Waiting;

// What a request has to pass before it is ready, in this order.
inline constexpr int kNoStage = -1;
inline constexpr int kJobStage = 0;
inline constexpr int kUserStage = 1;
inline constexpr int kWorkspaceStage = 2;
inline constexpr int kReadyStage = 3;

// Less goes first.
struct QueueKey {
  int64_t level = 0;     // the job's priority with its age; 0 where the policy ignores priorities
  int64_t position = 0;  // the job's
  ExperimentId job;
  TaskId task;
  auto operator<=>(const QueueKey&) const = default;
  static const QueueKey& Of(const Waiting& waiting);
};

struct Waiting {
  Request request;
  QueueKey key;
  JobState* job = nullptr;
  JobInPool* place = nullptr;
  Row* row = nullptr;
  int stage = kNoStage;   // whose gate keeps it back
  bool possible = false;  // fits into the empty pool and into limits of which nothing is used
  bool ready = false;     // fits into the limits with those before it
};

inline const QueueKey& QueueKey::Of(const Waiting& waiting) {
  return waiting.key;
}

// A pointer with what it is sorted by beside it: to find a place among many touches none of them.
template <class Key, class Pointee>
class Ranked {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): it stands for the pointer
  Ranked(Pointee* pointee) : key_(Key::Of(*pointee)), pointee_(pointee) {}
  Ranked(std::nullptr_t) = delete;
  // NOLINTNEXTLINE(google-explicit-constructor)
  operator Pointee*() const { return pointee_; }
  Pointee* operator->() const { return pointee_; }

  friend bool operator<(const Ranked& a, const Ranked& b) { return a.key_ < b.key_; }

 private:
  Key key_;
  Pointee* pointee_;
};
// By Waiting::key, which changes only while it is in no set.
using WaitingSet = absl::btree_set<Ranked<QueueKey, Waiting>>;

// A limit on slots, with the requests that want to pass it: the longest row of them, in the order
// of the queue, that fits into what is left. Who does not fit holds back those behind it, so none
// is overtaken for ever, and all that passed may start in any order.
//
// While all of them fit it is open: it knows how much they want, and keeps no order. It closes when
// they don't, and opens again when they want half of what is left: what closing costs has been paid
// for by the changes since.
class Gate {
 public:
  int64_t limit = 0;
  int64_t used = 0;                               // slots held by what runs
  absl::btree_map<ExperimentId, JobState*> jobs;  // whose requests pass here

  int64_t left() const { return limit - used; }
  bool open() const { return open_; }
  // All of it fits, with so many slots more.
  bool Fits(int64_t more = 0) const { return wanted_ + more <= left(); }
  // All that passed, in order, where it is open: they are those of its jobs that stand at a later
  // stage.
  WaitingSet Passed(int stage) const;
  WaitingSet HeldBack() const { return held_back_; }

  // It closes, with those that pass for now; and opens where little is wanted.
  void Close(int stage);
  void OpenIfIdle();

  // True when it passes, for now: others may have to be held back for it.
  bool Add(Waiting* waiting);
  // True when it had passed.
  bool Remove(Waiting* waiting);
  // The next one to be held back or to pass, done; nullptr when the row is as it should be.
  Waiting* Shrink();
  Waiting* Grow();

 private:
  bool open_ = true;
  int64_t wanted_ = 0;  // slots of all that want to pass
  WaitingSet passed_;
  WaitingSet held_back_;
  int64_t slots_ = 0;  // of those that passed, where it is closed
};

}  // namespace det::scheduler
