#include "cli/app/interrupt.h"

#include <cerrno>
#include <csignal>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "common/base/check.h"

namespace det::cli {
namespace {

constexpr char kInterrupt = 'i';
constexpr char kQuit = 'q';

// A signal handler sees nothing but this.
std::atomic<int> signal_pipe = -1;

extern "C" void OnSignal(int /*signal*/) {
  const int saved_errno = errno;
  [[maybe_unused]] const ssize_t put = write(signal_pipe.load(), &kInterrupt, 1);
  errno = saved_errno;
}

}  // namespace

InterruptGuard::InterruptGuard(std::function<void()> on_interrupt)
    : on_interrupt_(std::move(on_interrupt)) {
  DET_CHECK(pipe2(pipe_, O_CLOEXEC) == 0);
  DET_CHECK(signal_pipe.exchange(pipe_[1]) == -1, "one guard at a time");
  thread_ = std::thread([this] { Listen(); });
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  // After the first signal the default holds again, which ends the program.
  action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_RESTART;
  DET_CHECK(sigaction(SIGINT, &action, nullptr) == 0);
}

InterruptGuard::~InterruptGuard() {
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  sigaction(SIGINT, &action, nullptr);
  DET_CHECK(write(pipe_[1], &kQuit, 1) == 1);
  thread_.join();
  signal_pipe.store(-1);
  close(pipe_[0]);
  close(pipe_[1]);
}

void InterruptGuard::Listen() {
  char what = 0;
  while (true) {
    const ssize_t got = read(pipe_[0], &what, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got != 1 || what == kQuit) return;
    interrupted_.store(true);
    on_interrupt_();
  }
}

}  // namespace det::cli
