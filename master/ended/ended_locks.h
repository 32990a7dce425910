#pragma once

#include <optional>
#include <set>
#include <utility>

#include "common/base/ids.h"
#include "common/base/mutex.h"

namespace det::ended {

// Who works on an experiment that ended: to take it up again and to delete it exclude each other.
// One process writes, so its memory is enough. Any thread.
class EndedLocks {
 public:
  // Until it goes.
  class Held {
   public:
    Held(EndedLocks* locks, ExperimentId id) : locks_(locks), id_(id) {}
    Held(Held&& other) noexcept : locks_(std::exchange(other.locks_, nullptr)), id_(other.id_) {}
    Held& operator=(Held&&) = delete;
    ~Held() { Release(); }
    // Before its time; who is answered after it may go on at once.
    void Release() {
      if (EndedLocks* locks = std::exchange(locks_, nullptr)) locks->Release(id_);
    }

   private:
    EndedLocks* locks_;
    ExperimentId id_;
  };

  // Nothing while somebody else holds it.
  std::optional<Held> TryLock(ExperimentId id) {
    MutexLock lock(mutex_);
    if (!held_.insert(id).second) return std::nullopt;
    return Held(this, id);
  }

 private:
  void Release(ExperimentId id) {
    MutexLock lock(mutex_);
    held_.erase(id);
  }

  Mutex mutex_;
  std::set<ExperimentId> held_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace det::ended
