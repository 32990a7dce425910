// A task for tests: does one of many bad things. Links nothing of det.
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

void WriteAll(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (put < 0) ::_exit(99);
    bytes.remove_prefix(static_cast<size_t>(put));
  }
}

void AppendTo(const char* path, const std::string& text) {
  const int fd = ::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0 || ::write(fd, text.data(), text.size()) < 0) ::_exit(98);
  ::close(fd);
}

[[noreturn]] void SleepForEver() {
  for (;;) ::pause();
}

void Ignore(int signal) {
  struct sigaction action {};
  action.sa_handler = SIG_IGN;
  ::sigaction(signal, &action, nullptr);
}

// Bytes without a single line end.
int OneLine(int64_t bytes) {
  const std::string block(size_t{1} << 20, 'x');
  for (int64_t left = bytes; left > 0; left -= static_cast<int64_t>(block.size())) {
    WriteAll(std::string_view(block).substr(
        0, static_cast<size_t>(std::min<int64_t>(left, static_cast<int64_t>(block.size())))));
  }
  return 0;
}

// Numbered lines of `size` bytes with their ends.
int Lines(int64_t count, size_t size) {
  std::string block;
  for (int64_t i = 1; i <= count; ++i) {
    std::string line = std::to_string(i) + " ";
    line.resize(size - 1, '.');
    block += line + "\n";
    if (block.size() < (size_t{1} << 16) && i < count) continue;
    WriteAll(block);
    block.clear();
  }
  return 0;
}

// Every byte there is, then NULs.
int Binary() {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  bytes += '\n';
  bytes += std::string(3, '\0');
  WriteAll(bytes);
  return 0;
}

// A daemon of the old school: two forks, a session of its own, and deaf to SIGTERM.
int Daemon(const char* path, bool keeps_output) {
  if (::fork() != 0) return 0;
  ::setsid();
  if (::fork() != 0) ::_exit(0);
  Ignore(SIGTERM);
  Ignore(SIGHUP);
  if (!keeps_output) {
    for (const int fd : {0, 1, 2}) ::close(fd);
  }
  AppendTo(path, std::to_string(::getpid()) + "\n");
  SleepForEver();
}

// Each process keeps two children, however often they are killed, down to a depth; each in a
// session of its own. `budget` bounds how many are ever forked.
[[noreturn]] void Hydra(std::atomic<int>* budget, int depth) {
  ::setsid();
  Ignore(SIGTERM);
  std::array<pid_t, 2> children{};
  for (;;) {
    for (pid_t& child : children) {
      if (depth == 0) break;
      if (child > 0 && ::waitpid(child, nullptr, WNOHANG) == 0) continue;
      if (budget->fetch_sub(1) <= 0) ::_exit(0);
      child = ::fork();
      if (child == 0) Hydra(budget, depth - 1);
    }
    ::usleep(50);
  }
}

// Each process forks the next one in a new session and ends at once.
[[noreturn]] void Comet(std::atomic<int>* budget) {
  for (;;) {
    if (budget->fetch_sub(1) <= 0) ::_exit(0);
    const pid_t child = ::fork();
    if (child > 0) ::_exit(0);
    if (child == 0) ::setsid();
  }
}

std::atomic<int>* SharedCounter(int value) {
  void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  auto* counter = static_cast<std::atomic<int>*>(memory);
  counter->store(value);
  return counter;
}

int Bomb(std::string_view kind, const char* path) {
  std::atomic<int>* budget = SharedCounter(kind == "hydra" ? 2'000 : 8'000);
  if (kind == "hydra" && ::fork() == 0) Hydra(budget, 6);
  for (int i = 0; kind == "comets" && i < 4; ++i) {
    if (::fork() == 0) Comet(budget);
  }
  AppendTo(path, "going\n");
  Ignore(SIGTERM);
  SleepForEver();
}

// Starts itself with an empty environment, so that no mark shows.
int Unmarked(const char* self, const char* path) {
  if (::fork() != 0) return 0;
  ::setsid();
  const std::array<const char*, 4> argv = {self, "note-and-sleep", path, nullptr};
  const std::array<char*, 1> env = {nullptr};
  ::execve(self, const_cast<char* const*>(argv.data()), env.data());
  ::_exit(97);
}

int Allocate(int64_t bytes) {
  std::vector<std::string> held;
  for (int64_t got = 0; got < bytes; got += 1 << 20) held.emplace_back(size_t{1} << 20, 'x');
  return held.empty() ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view command = argc > 1 ? argv[1] : "";
  const char* argument = argc > 2 ? argv[2] : "";
  const int64_t number = std::atoll(argument);
  if (command == "exit") return static_cast<int>(number);
  if (command == "raise") return ::raise(static_cast<int>(number));
  if (command == "one-line") return OneLine(number);
  if (command == "lines") return Lines(number, static_cast<size_t>(std::atoll(argv[3])));
  if (command == "binary") return Binary();
  if (command == "daemon") return Daemon(argument, false);
  if (command == "daemon-with-output") return Daemon(argument, true);
  if (command == "hydra" || command == "comets") return Bomb(command, argument);
  if (command == "unmarked") return Unmarked(argv[0], argument);
  if (command == "allocate") return Allocate(number);
  if (command == "note") AppendTo(argument, std::to_string(::getpid()) + "\n");
  if (command == "note-and-sleep" || command == "note-ignore-sleep") {
    if (command == "note-ignore-sleep") Ignore(SIGTERM);
    AppendTo(argument, std::to_string(::getpid()) + "\n");
    SleepForEver();
  }
  return 0;
}
