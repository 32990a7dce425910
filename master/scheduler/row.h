#pragma once

#include <compare>
#include <cstdint>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"

#include "master/scheduler/gate.h"
#include "master/scheduler/types.h"

namespace det::scheduler {

struct JobInPool;
struct Row;

// Requests that fit or don't by the same numbers.
struct SizeClass {
  bool spans = false;
  int64_t slots = 0;
  auto operator<=>(const SizeClass&) const = default;
  static SizeClass Of(const Request& request) {
    return {.spans = request.spans, .slots = request.slots};
  }
};

// Where a row stands in the queue: QueueKey without the task.
struct RowKey {
  int64_t level = 0;
  int64_t position = 0;
  ExperimentId job;
  auto operator<=>(const RowKey&) const = default;
  static const RowKey& Of(const Row& row);
};

// What a job asks for in a pool in one size. Nothing of another job's comes between these in the
// queue, and limits let the first of them pass first: so those that are ready are the first ones.
struct Row {
  RowKey key;
  SizeClass size;
  JobInPool* place = nullptr;
  absl::btree_map<TaskId, Waiting*> tasks;
  // The first of `tasks`, at hand; none only while there are none.
  TaskId first;
  Waiting* first_waiting = nullptr;
  int64_t ready = 0;  // of `tasks`

  void Insert(TaskId task, Waiting* waiting);
  void Erase(TaskId task);
};

// A request that is ready, known without a look at it.
struct ReadyTask {
  TaskId task;
  const Waiting* waiting = nullptr;  // nullptr: there is none
  int64_t slots = 0;
};

inline const RowKey& RowKey::Of(const Row& row) {
  return row.key;
}
using RowSet = absl::btree_set<Ranked<RowKey, Row>>;  // those with ready requests

// Goes over what is ready in one size, in the order of the queue. The rows must not change.
class ReadyCursor {
 public:
  explicit ReadyCursor(const RowSet& rows) : row_(rows.begin()), end_(rows.end()) { Begin(); }

  // nullptr at the end.
  const Waiting* Get() const { return at_; }
  void Next() {
    ++task_;
    at_ = task_ == (*row_)->tasks.end() ? nullptr : task_->second;
    if (at_ != nullptr && at_->ready) return;
    ++row_;
    Begin();
  }

 private:
  void Begin() {
    at_ = nullptr;
    if (row_ == end_) return;
    task_ = (*row_)->tasks.begin();
    at_ = task_->second;
  }

  RowSet::const_iterator row_;
  RowSet::const_iterator end_;
  absl::btree_map<TaskId, Waiting*>::const_iterator task_;
  const Waiting* at_ = nullptr;
};

}  // namespace det::scheduler
