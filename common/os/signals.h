#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "common/os/unique_fd.h"

namespace det {

// Signals as something to read instead of handlers: for the main of a daemon.
//
//   DET_ASSIGN_OR_RETURN(const SignalWaiter signals, SignalWaiter::Block({SIGTERM, SIGINT}));
//   ... start threads: they inherit that the signals are blocked ...
//   signals.Wait(absl::InfiniteDuration());
//
// Block() before any thread is started; the rest from one thread.
class SignalWaiter {
 public:
  static absl::StatusOr<SignalWaiter> Block(const std::vector<int>& signals);

  // Readable when one is there: for poll.
  int fd() const { return fd_.get(); }
  // The next one, or 0 when none came in time.
  absl::StatusOr<int> Wait(absl::Duration timeout) const;

 private:
  explicit SignalWaiter(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

}  // namespace det
