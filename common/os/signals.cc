#include "common/os/signals.h"

#include <algorithm>
#include <cerrno>
#include <csignal>

#include <poll.h>
#include <sys/signalfd.h>

#include "common/os/os_error.h"
#include "common/os/process.h"

namespace det {

absl::StatusOr<SignalWaiter> SignalWaiter::Block(const std::vector<int>& signals) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : signals) ::sigaddset(&set, signal);
  if (const int error = ::pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0) {
    return OsError(error, "block", "signals");
  }
  UniqueFd fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return OsError(errno, "make a descriptor for", "signals");
  return SignalWaiter(std::move(fd));
}

absl::StatusOr<int> SignalWaiter::Wait(absl::Duration timeout) const {
  const absl::Duration deadline = SteadyNow() + timeout;
  for (;;) {
    signalfd_siginfo info{};
    const ssize_t got = ::read(fd_.get(), &info, sizeof(info));
    if (got == sizeof(info)) return static_cast<int>(info.ssi_signo);
    if (got < 0 && errno != EAGAIN && errno != EINTR) return OsError(errno, "read", "signals");
    const absl::Duration left = deadline - SteadyNow();
    if (left <= absl::ZeroDuration()) return 0;
    constexpr absl::Duration kLongest = absl::Minutes(1);
    pollfd item{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    ::poll(&item, 1, static_cast<int>(absl::ToInt64Milliseconds(std::min(left, kLongest))) + 1);
  }
}

}  // namespace det
