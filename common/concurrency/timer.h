#pragma once

#include <chrono>
#include <map>
#include <thread>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"

#include "common/base/mutex.h"

namespace det {

// Runs short work later, on one thread of its own. Any thread.
class Timer {
 public:
  using Work = absl::AnyInvocable<void()>;

  Timer();
  // Drops what is not due.
  ~Timer();

  void After(absl::Duration delay, Work work);

 private:
  void Loop();

  Mutex mutex_;
  CondVar wake_;
  // By the steady clock, in the order of the calls where equal.
  std::multimap<std::chrono::steady_clock::time_point, Work> due_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace det
