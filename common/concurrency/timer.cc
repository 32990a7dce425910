#include "common/concurrency/timer.h"

#include <chrono>

namespace det {

using SteadyClock = std::chrono::steady_clock;

Timer::Timer() : thread_([this] { Loop(); }) {}

Timer::~Timer() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.NotifyAll();
  thread_.join();
}

void Timer::After(absl::Duration delay, Work work) {
  MutexLock lock(mutex_);
  due_.emplace(SteadyClock::now() + absl::ToChronoNanoseconds(delay), std::move(work));
  wake_.NotifyAll();
}

void Timer::Loop() {
  while (true) {
    Work work;
    {
      MutexLock lock(mutex_);
      while (!stopping_ && (due_.empty() || due_.begin()->first > SteadyClock::now())) {
        if (due_.empty()) {
          wake_.Wait(mutex_);
        } else {
          wake_.WaitFor(mutex_, absl::FromChrono(due_.begin()->first - SteadyClock::now()));
        }
      }
      if (stopping_) return;
      work = std::move(due_.begin()->second);
      due_.erase(due_.begin());
    }
    work();
  }
}

}  // namespace det
