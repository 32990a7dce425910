#pragma once

#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"

#include "common/base/mutex.h"

namespace det {

// A fixed number of threads over a bounded queue, for work that blocks. Any thread.
class ThreadPool {
 public:
  using Work = absl::AnyInvocable<void()>;

  ThreadPool(int threads, size_t queue_max);
  // Finishes what is queued, unless it was stopped.
  ~ThreadPool();

  // Drops what is queued, waits for what runs, and takes nothing any more. Not from its threads.
  void Stop();

  // False when the queue is full: the caller sheds the load.
  bool Post(Work work);

 private:
  void Loop();
  void Join();

  const size_t queue_max_;
  Mutex mutex_;
  CondVar wake_;
  std::deque<Work> queue_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace det
