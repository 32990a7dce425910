#include "master/scheduler/gate.h"

#include "master/scheduler/view.h"

namespace det::scheduler {

WaitingSet Gate::Passed(int stage) const {
  if (!open_) return passed_;
  WaitingSet passed;
  for (const auto& [id, job] : jobs) {
    for (const auto& [name, place] : job->pools) {
      for (const auto& [size, row] : place.rows) {
        for (const auto& [task, waiting] : row->tasks) {
          if (waiting->stage > stage) passed.insert(waiting);
        }
      }
    }
  }
  return passed;
}

void Gate::Close(int stage) {
  passed_ = Passed(stage);
  slots_ = wanted_;
  open_ = false;
}

void Gate::OpenIfIdle() {
  if (open_ || (wanted_ > 0 && 2 * wanted_ > left())) return;
  open_ = true;
  passed_.clear();
  slots_ = 0;
}

bool Gate::Add(Waiting* waiting) {
  wanted_ += waiting->request.slots;
  if (open_) return true;
  if (passed_.empty() || (*passed_.rbegin())->key < waiting->key) {
    held_back_.insert(waiting);
    return false;
  }
  passed_.insert(waiting);
  slots_ += waiting->request.slots;
  return true;
}

bool Gate::Remove(Waiting* waiting) {
  wanted_ -= waiting->request.slots;
  if (open_) return true;
  if (passed_.erase(waiting) == 0) {
    held_back_.erase(waiting);
    return false;
  }
  slots_ -= waiting->request.slots;
  return true;
}

Waiting* Gate::Shrink() {
  if (open_ || passed_.empty() || slots_ <= left()) return nullptr;
  Waiting* last = *passed_.rbegin();
  passed_.erase(last);
  slots_ -= last->request.slots;
  held_back_.insert(last);
  return last;
}

Waiting* Gate::Grow() {
  if (held_back_.empty()) return nullptr;
  Waiting* first = *held_back_.begin();
  if (slots_ + first->request.slots > left()) return nullptr;
  held_back_.erase(held_back_.begin());
  passed_.insert(first);
  slots_ += first->request.slots;
  return first;
}

}  // namespace det::scheduler
