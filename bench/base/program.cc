#include "bench/base/program.h"

#include <array>
#include <csignal>
#include <cstdlib>
#include <sstream>

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/fs.h"
#include "common/os/os_error.h"
#include "common/os/pause.h"
#include "common/os/pipe.h"
#include "common/os/process.h"
#include "common/os/spawn.h"

extern char** environ;

namespace det::bench {
namespace {

constexpr absl::Duration kEndPatience = absl::Seconds(20);
constexpr absl::Duration kEndPoll = absl::Milliseconds(2);
constexpr size_t kProcBytesMax = 1 << 20;

double StatusMiB(pid_t pid, std::string_view field) {
  const absl::StatusOr<std::string> text =
      ReadFile(StrCat("/proc/", pid, "/status"), kProcBytesMax);
  if (!text.ok()) return 0;
  const size_t at = text->find(field);
  if (at == std::string::npos) return 0;
  return std::strtod(text->c_str() + at + field.size(), nullptr) / 1024;
}

}  // namespace

absl::StatusOr<Program> Program::Start(Options options) {
  SpawnOptions spawn{.argv = std::move(options.argv), .stderr_fd = STDERR_FILENO};
  for (char** entry = environ; *entry != nullptr; ++entry) spawn.env.emplace_back(*entry);
  spawn.env.insert(spawn.env.end(), options.env.begin(), options.env.end());
  Pipe pipe;
  if (options.output) {
    DET_ASSIGN_OR_RETURN(pipe, MakePipe());
    spawn.stdout_fd = pipe.writer.get();
  }
  DET_ASSIGN_OR_RETURN(const pid_t pid, Spawn(spawn));
  return Program(pid, std::move(pipe.reader));
}

Program::~Program() {
  if (pid_ == 0) return;
  kill(pid_, SIGTERM);
  for (const absl::Duration until = SteadyNow() + kEndPatience; SteadyNow() < until;) {
    if (waitpid(pid_, nullptr, WNOHANG) != 0) return;
    PauseFor(kEndPoll);
  }
  Kill();
}

int Program::Wait() {
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) continue;
  pid_ = 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void Program::Kill() {
  kill(pid_, SIGKILL);
  Wait();
}

absl::StatusOr<std::string> Program::ReadLine(absl::Duration patience) {
  const absl::Duration until = SteadyNow() + patience;
  std::string line;
  for (char c = 0; SteadyNow() < until;) {
    pollfd item{.fd = output_.get(), .events = POLLIN, .revents = 0};
    if (poll(&item, 1, 100) <= 0) continue;
    if (read(output_.get(), &c, 1) != 1) break;
    if (c == '\n') return line;
    line.push_back(c);
  }
  return Error(absl::StatusCode::kUnavailable,
               "PROGRAM_SILENT",
               StrCat("process ", pid_, " has not said what was waited for"));
}

double RssMiB(pid_t pid) {
  return StatusMiB(pid, "VmRSS:");
}
double PeakRssMiB(pid_t pid) {
  return StatusMiB(pid, "VmHWM:");
}

absl::Duration CpuTime(pid_t pid) {
  const absl::StatusOr<std::string> text = ReadFile(StrCat("/proc/", pid, "/stat"), kProcBytesMax);
  if (!text.ok()) return absl::ZeroDuration();
  // After the name, which may hold anything: state is field 3, utime 14, stime 15.
  std::istringstream in(text->substr(text->rfind(')') + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) in >> skipped;
  int64_t user = 0;
  int64_t system = 0;
  in >> user >> system;
  return absl::Seconds(static_cast<double>(user + system) /
                       static_cast<double>(sysconf(_SC_CLK_TCK)));
}

}  // namespace det::bench
