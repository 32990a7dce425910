#pragma once

#include <atomic>
#include <functional>
#include <thread>

namespace det::cli {

// While it lives, Ctrl-C calls `on_interrupt` on a thread of its own instead of ending the program.
// A second Ctrl-C ends the program at once. One at a time.
class InterruptGuard {
 public:
  explicit InterruptGuard(std::function<void()> on_interrupt);
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  bool interrupted() const { return interrupted_.load(); }

 private:
  void Listen();

  const std::function<void()> on_interrupt_;
  std::atomic<bool> interrupted_ = false;
  int pipe_[2] = {-1, -1};
  std::thread thread_;
};

}  // namespace det::cli
