#include "cli/app/quiet_input.h"

#include <csignal>

#include <unistd.h>

namespace det::cli {
namespace {

constexpr int kEnding[] = {SIGTERM, SIGHUP, SIGQUIT};

// What the handler sees.
termios restored = {};

extern "C" void RestoreAndEnd(int signal) {
  tcsetattr(STDIN_FILENO, TCSANOW, &restored);
  // The handler is gone (SA_RESETHAND): now the signal ends the program.
  raise(signal);
}

void HandleEnding(void (*handler)(int), int flags) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  for (const int signal : kEnding) sigaction(signal, &action, nullptr);
}

// A program in the background that changes the terminal is stopped.
bool IsInForeground() {
  return isatty(STDIN_FILENO) == 1 && tcgetpgrp(STDIN_FILENO) == getpgrp();
}

}  // namespace

QuietInput::QuietInput(bool wanted) {
  if (!wanted || !IsInForeground() || tcgetattr(STDIN_FILENO, &before_) != 0) return;
  active_ = true;
  restored = before_;
  HandleEnding(RestoreAndEnd, static_cast<int>(SA_RESETHAND));
  termios quiet = before_;
  quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON);
  tcsetattr(STDIN_FILENO, TCSANOW, &quiet);
}

void QuietInput::Restore() {
  if (!active_) return;
  active_ = false;
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  HandleEnding(SIG_DFL, 0);
}

}  // namespace det::cli
