#include "master/scheduler/gate.h"

namespace det::scheduler {

bool Gate::Add(Waiting* waiting) {
  if (passed_.empty() || (*passed_.rbegin())->key < waiting->key) {
    held_back_.insert(waiting);
    return false;
  }
  passed_.insert(waiting);
  slots_ += waiting->request.slots;
  return true;
}

bool Gate::Remove(Waiting* waiting) {
  if (passed_.erase(waiting) == 0) {
    held_back_.erase(waiting);
    return false;
  }
  slots_ -= waiting->request.slots;
  return true;
}

Waiting* Gate::Shrink() {
  if (passed_.empty() || slots_ <= left()) return nullptr;
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
