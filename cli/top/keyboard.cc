#include "cli/top/keyboard.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <string_view>
#include <utility>

#include <poll.h>
#include <unistd.h>

namespace det::cli {
namespace {

constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l";
constexpr std::string_view kLeave = "\x1b[?25h\x1b[?1049l";
constexpr int kEnding[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
constexpr int kEscapeMs = 25;  // after which an escape is a key of its own

// What the handlers see.
termios restored = {};
std::atomic<bool> resized = false;

void Put(std::string_view text) {
  [[maybe_unused]] const ssize_t put = write(STDOUT_FILENO, text.data(), text.size());
}

// Everything here may be done in a handler.
extern "C" void OnEnd(int signal) {
  tcsetattr(STDIN_FILENO, TCSANOW, &restored);
  Put(kLeave);
  // The handler is gone (SA_RESETHAND): now the signal ends the program.
  raise(signal);
}

extern "C" void OnResize(int /*signal*/) {
  resized.store(true);
}

void Handle(int signal, void (*handler)(int), unsigned flags) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = static_cast<int>(flags);
  sigaction(signal, &action, nullptr);
}

bool Readable(int timeout_ms) {
  pollfd input = {STDIN_FILENO, POLLIN, 0};
  return poll(&input, 1, timeout_ms) > 0;
}

std::string NameOf(const std::string& sequence) {
  static constexpr std::pair<std::string_view, std::string_view> kKeys[] = {{"[A", "up"},
                                                                            {"[B", "down"},
                                                                            {"OA", "up"},
                                                                            {"OB", "down"},
                                                                            {"[5~", "pageup"},
                                                                            {"[6~", "pagedown"},
                                                                            {"[H", "home"},
                                                                            {"[F", "end"},
                                                                            {"[1~", "home"},
                                                                            {"[4~", "end"}};
  for (const auto& [keys, name] : kKeys) {
    if (sequence == keys) return std::string(name);
  }
  return sequence.empty() ? "escape" : "other";
}

}  // namespace

Keyboard::Keyboard() {
  ready_ = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 &&
           tcgetattr(STDIN_FILENO, &before_) == 0;
  if (!ready_) return;
  restored = before_;
  for (const int signal : kEnding) Handle(signal, OnEnd, SA_RESETHAND);
  Handle(SIGWINCH, OnResize, 0);
  termios raw = before_;
  raw.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON);
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
  Put(kEnter);
}

Keyboard::~Keyboard() {
  if (!ready_) return;
  Put(kLeave);
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  for (const int signal : kEnding) Handle(signal, SIG_DFL, 0);
  Handle(SIGWINCH, SIG_DFL, 0);
}

std::string Keyboard::Next(absl::Duration timeout) {
  const int ms = static_cast<int>(absl::ToInt64Milliseconds(timeout));
  const bool readable = !resized.load() && Readable(ms);
  if (resized.exchange(false)) return "resize";
  return readable ? Read() : std::string();
}

std::string Keyboard::Read() {
  char c = 0;
  const ssize_t got = read(STDIN_FILENO, &c, 1);
  if (got < 0 && errno == EINTR) return "";
  if (got != 1) return "quit";
  if (c == '\n' || c == '\r') return "enter";
  if (c == 127 || c == '\b') return "backspace";
  if (c != '\x1b') return std::string(1, c);
  std::string sequence;
  while (sequence.size() < 6 && Readable(kEscapeMs) && read(STDIN_FILENO, &c, 1) == 1) {
    sequence.push_back(c);
    const bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '~';
    if (letter && !(c == 'O' && sequence.size() == 1)) break;
  }
  return NameOf(sequence);
}

}  // namespace det::cli
