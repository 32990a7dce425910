#include "agent/runtime/process_runtime.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>

#include "absl/time/clock.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/runtime/leftovers.h"
#include "agent/task/mark.h"
#include "common/base/archive.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/fs.h"
#include "common/os/os_error.h"
#include "common/os/pause.h"
#include "common/os/pipe.h"
#include "common/os/process.h"
#include "common/os/spawn.h"

namespace det::agent {
namespace {

constexpr mode_t kDirectoryMode = 0700;
constexpr mode_t kErrorFileMode = 0600;
constexpr absl::Duration kPause = absl::Milliseconds(5);
constexpr absl::Duration kSignalPatience = absl::Seconds(10);
constexpr absl::Duration kKillPatience = absl::Seconds(2);
constexpr absl::Duration kShimDeathPatience = absl::Seconds(5);
constexpr size_t kAnswerMax = size_t{64} << 10;

absl::StatusOr<bool> Exists(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return OsError(errno, "look at", path);
}

// The point of no return: from here on the program may have been started.
absl::StatusOr<bool> WasStarted(const TaskFiles& files) {
  DET_ASSIGN_OR_RETURN(const bool has_exit, Exists(files.exit()));
  if (has_exit) return true;
  return Exists(files.shim());
}

// Nobody will ever read it: it is not what was written, or another version of det wrote it.
bool IsUnreadable(const absl::Status& status) {
  const std::string reason = ErrorReason(status);
  return reason == "RECORD_DAMAGED" || reason == "RECORD_VERSION";
}

// The exit record, or what stands for one that can't be read; nothing when there is none.
absl::StatusOr<std::optional<Exit>> RecordedExit(const TaskFiles& files) {
  absl::StatusOr<ExitRecord> record = files.ReadExit();
  if (record.ok()) return std::move(record->exit);
  if (absl::IsNotFound(record.status())) return std::nullopt;
  if (!IsUnreadable(record.status())) return record.status();
  return Exit{.kind = ExitKind::kLost, .text = std::string(FromAbsl(record.status().message()))};
}

Found Exited(Exit exit) {
  return {.state = Found::State::kExited, .exit = std::move(exit)};
}
Found Running() {
  return {.state = Found::State::kRunning};
}

// Who the shim was; from the order when its own record is damaged.
absl::StatusOr<ShimRecord> Remembered(const TaskFiles& files) {
  absl::StatusOr<ShimRecord> record = files.ReadShim();
  if (record.ok() || !IsUnreadable(record.status())) return record;
  DET_ASSIGN_OR_RETURN(const TaskOrder order, files.ReadOrder());
  DET_ASSIGN_OR_RETURN(const std::string boot_id, BootId());
  return ShimRecord{.shim = {.boot_id = boot_id}, .token = order.token};
}

// With the lock held and no exit record: the shim is dead and said nothing.
absl::StatusOr<Found> ConcludeLost(const TaskFiles& files) {
  const absl::StatusOr<ShimRecord> read = Remembered(files);
  if (!read.ok() && !IsUnreadable(read.status())) return read.status();
  const ShimRecord record = read.value_or(ShimRecord());
  DET_ASSIGN_OR_RETURN(const std::string boot_id, BootId());
  Exit exit{.kind = ExitKind::kLost};
  if (!read.ok()) {
    exit.text = StrCat(FromAbsl(read.status().message()),
                       "; its supervisor has ended, and what it left behind can't be found");
  } else if (record.shim.boot_id != boot_id) {
    exit.text = "the host went down while it ran";
  } else {
    DET_ASSIGN_OR_RETURN(const Leftovers leftovers, KillLeftovers(record, kKillPatience));
    if (!leftovers.gone) return Running();
    exit.text = StrCat("its supervisor (pid ", record.shim.pid, ") was killed");
    if (leftovers.killed > 0) {
      StrAppend(exit.text,
                "; what it left behind was killed too (",
                leftovers.killed,
                leftovers.killed == 1 ? " process)" : " processes)");
    }
  }
  // Only saves the next look the search, so it may fail.
  (void)files.WriteExit({exit, absl::Now()}).ok();
  return Exited(std::move(exit));
}

// Whatever instant this is cut short at, the directory does not look like one whose task was never
// started until nothing else is left; and nobody can start it before the lock is gone too.
absl::Status RemoveFiles(const TaskFiles& files) {
  std::error_code error;
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(files.directory(), error)) {
    paths.push_back(entry.path().string());
  }
  if (error) return OsError(error.value(), "list", files.directory());
  const std::vector<std::string> last = {files.shim(), files.exit(), files.lock()};
  for (const std::string& path : paths) {
    if (std::find(last.begin(), last.end(), path) == last.end()) {
      DET_RETURN_IF_ERROR(RemoveTree(path));
    }
  }
  for (const std::string& path : last) DET_RETURN_IF_ERROR(RemoveTree(path));
  return RemoveTree(files.directory());
}

// All that comes until the other end is closed. DEADLINE_EXCEEDED when it isn't in time.
absl::StatusOr<std::string> ReadAnswer(const UniqueFd& reader, absl::Duration timeout) {
  const absl::Duration deadline = SteadyNow() + timeout;
  std::string answer;
  while (answer.size() < kAnswerMax) {
    const absl::Duration left = deadline - SteadyNow();
    if (left <= absl::ZeroDuration()) return absl::DeadlineExceededError("");
    pollfd item{.fd = reader.get(), .events = POLLIN, .revents = 0};
    if (::poll(&item, 1, static_cast<int>(absl::ToInt64Milliseconds(left)) + 1) <= 0) continue;
    std::array<char, 4096> buffer{};
    const ssize_t got = ::read(reader.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    answer.append(buffer.data(), static_cast<size_t>(got));
  }
  return answer;
}

}  // namespace

ProcessRuntime::ProcessRuntime(Options options)
    : options_(std::move(options)),
      watcher_(
          {.look =
               [this](const std::string& directory) { return ProcessRuntime::Inspect(directory); },
           .open = [](const std::string& directory) -> absl::StatusOr<UniqueFd> {
             DET_ASSIGN_OR_RETURN(const ShimRecord record, TaskFiles(directory).ReadShim());
             return OpenProcess(record.shim);
           }}) {}

absl::Status ProcessRuntime::Start(const TaskSpec& spec) {
  DET_RETURN_IF_ERROR(CheckTaskSpec(spec));
  const TaskFiles files(spec.directory);
  const absl::Duration deadline = SteadyNow() + options_.start_timeout;
  for (;;) {
    DET_RETURN_IF_ERROR(MakeDirs(spec.directory, kDirectoryMode));
    DET_ASSIGN_OR_RETURN(const bool before, WasStarted(files));
    if (before) return absl::OkStatus();
    absl::StatusOr<LockFile> lock = LockFile::Acquire(files.lock(), "det-agent");
    if (lock.ok()) return StartLocked(spec, files, *std::move(lock));
    const bool held = ErrorReason(lock.status()) == "LOCK_HELD";
    // Missing: just removed by somebody else.
    if (!held && !absl::IsNotFound(lock.status())) return lock.status();
    // Somebody else is starting it, and it can't be told whether that will come to something. What
    // it comes to, Watch will see.
    if (SteadyNow() >= deadline) return held ? absl::OkStatus() : lock.status();
    PauseFor(kPause);
  }
}

absl::Status ProcessRuntime::StartLocked(const TaskSpec& spec,
                                         const TaskFiles& files,
                                         LockFile lock) const {
  DET_ASSIGN_OR_RETURN(const bool before, WasStarted(files));
  if (before) return absl::OkStatus();
  DET_ASSIGN_OR_RETURN(std::string token, NewToken());
  DET_RETURN_IF_ERROR(files.WriteOrder({spec, std::move(token)}));
  DET_ASSIGN_OR_RETURN(Pipe pipe, MakePipe());
  // Without it the shim's complaints are lost, nothing else.
  absl::StatusOr<UniqueFd> errors =
      OpenFile(files.errors(), O_WRONLY | O_CREAT | O_APPEND, kErrorFileMode);
  DET_ASSIGN_OR_RETURN(const pid_t pid,
                       Spawn({.argv = {options_.shim_path, "--adopt", spec.directory},
                              .cwd = "/",
                              .stderr_fd = errors.ok() ? errors->get() : -1,
                              .pass_fds = {lock.fd(), pipe.writer.get()},
                              .new_session = true,
                              .detach = true}));
  pipe.writer.Reset();
  lock.Release();
  return AwaitShim(files, pid, pipe.reader);
}

// What came of starting a shim. OK when it has taken over.
absl::Status ProcessRuntime::AwaitShim(const TaskFiles& files,
                                       pid_t pid,
                                       const UniqueFd& reader) const {
  const absl::StatusOr<ProcessId> shim = ReadProcessId(pid);
  const absl::StatusOr<std::string> text = ReadAnswer(reader, options_.start_timeout);
  ShimAnswer answer;
  const bool answered = text.ok() && DecodeArchive(*text, &answer);
  if (answered && (answer.started || answer.reason == "STARTED_BEFORE")) return absl::OkStatus();
  if (shim.ok()) {
    // Once it is gone, nothing starts any more, and its lock is free. While the pipe is open it
    // lives, so the pid is its own.
    const absl::StatusOr<UniqueFd> process = OpenProcess(*shim);
    if (absl::IsDeadlineExceeded(text.status())) (void)Signal(*shim, SIGKILL);
    if (process.ok()) (void)WaitForEnd(*process, kShimDeathPatience).ok();
  }
  if (answered) {
    return Error(static_cast<absl::StatusCode>(answer.code), answer.reason, answer.message);
  }
  DET_ASSIGN_OR_RETURN(const bool started, WasStarted(files));
  if (started) return absl::OkStatus();
  const std::string_view why = text.ok() ? " ended before it began" : " did not answer in time";
  return Error(
      absl::StatusCode::kUnavailable,
      text.ok() ? "SHIM_DIED" : "SHIM_TIMEOUT",
      StrCat("cannot start the task of ", files.directory(), ": ", options_.shim_path, why),
      StrCat("see ", files.errors()));
}

absl::StatusOr<Found> ProcessRuntime::Inspect(const std::string& directory) {
  const TaskFiles files(directory);
  DET_ASSIGN_OR_RETURN(const bool there, Exists(directory));
  if (!there) return Found{};
  absl::StatusOr<ExitRecord> record = files.ReadExit();
  if (record.ok()) return Exited(std::move(record->exit));
  if (!absl::IsNotFound(record.status()) && !IsUnreadable(record.status())) return record.status();
  DET_ASSIGN_OR_RETURN(const bool held, LockFile::IsHeld(files.lock()));
  if (held) return Running();
  DET_ASSIGN_OR_RETURN(const bool started, WasStarted(files));
  if (!started) return Found{};
  // Either it has just ended and written so, or it can't any more.
  absl::StatusOr<LockFile> lock = LockFile::Acquire(files.lock(), "det-agent");
  if (ErrorReason(lock.status()) == "LOCK_HELD") return Running();
  if (!lock.ok()) return lock.status();
  DET_ASSIGN_OR_RETURN(std::optional<Exit> exit, RecordedExit(files));
  if (exit.has_value()) return Exited(*std::move(exit));
  return ConcludeLost(files);
}

absl::Status ProcessRuntime::Watch(const std::string& directory, OnExit on_exit) {
  // What can't be told now is looked at again.
  const absl::StatusOr<Found> found = Inspect(directory);
  if (found.ok() && found->state == Found::State::kNothing) {
    return Error(absl::StatusCode::kNotFound,
                 "NOT_STARTED",
                 StrCat("cannot watch ", directory, ": its task was never started"));
  }
  watcher_.Watch(directory, std::move(on_exit));
  return absl::OkStatus();
}

absl::Status ProcessRuntime::Terminate(const std::string& directory) {
  return SignalShim(directory, SIGTERM);
}

absl::Status ProcessRuntime::Kill(const std::string& directory) {
  return SignalShim(directory, SIGUSR1);
}

absl::Status ProcessRuntime::SignalShim(const std::string& directory, int signal) {
  const TaskFiles files(directory);
  const absl::Duration deadline = SteadyNow() + kSignalPatience;
  for (;;) {
    // Also ends what a dead shim left.
    DET_ASSIGN_OR_RETURN(const Found found, Inspect(directory));
    if (found.state != Found::State::kRunning) return absl::OkStatus();
    const absl::StatusOr<ShimRecord> record = files.ReadShim();
    if (record.ok()) {
      const absl::Status sent = Signal(record->shim, signal);
      // Somebody may have stopped it.
      if (sent.ok()) (void)Signal(record->shim, SIGCONT);
      if (!absl::IsNotFound(sent)) return sent;
    } else if (!absl::IsNotFound(record.status())) {
      return record.status();
    }
    // It is only starting, or has just ended.
    if (SteadyNow() >= deadline) break;
    PauseFor(kPause);
  }
  return Error(absl::StatusCode::kUnavailable,
               "SHIM_UNREACHABLE",
               StrCat("cannot send ",
                      SignalName(signal),
                      " to the supervisor of ",
                      directory,
                      ": it neither starts nor ends"),
               "try again");
}

void ProcessRuntime::AwaitShimsEnd(const TaskFiles& files) {
  const absl::StatusOr<ShimRecord> shim = files.ReadShim();
  if (!shim.ok()) return;
  const absl::StatusOr<UniqueFd> process = OpenProcess(shim->shim);
  if (process.ok()) (void)WaitForEnd(*process, kShimDeathPatience).ok();
}

absl::Status ProcessRuntime::Remove(const std::string& directory) {
  const TaskFiles files(directory);
  const absl::Status running = Error(absl::StatusCode::kFailedPrecondition,
                                     "TASK_RUNNING",
                                     StrCat("cannot remove ", directory, ": its task is running"),
                                     "kill it first");
  DET_ASSIGN_OR_RETURN(const bool there, Exists(directory));
  if (there) {
    DET_ASSIGN_OR_RETURN(const Found found, Inspect(directory));
    if (found.state == Found::State::kRunning) return running;
    // It says how the task ended, and then goes.
    AwaitShimsEnd(files);
    absl::StatusOr<LockFile> lock = LockFile::Acquire(files.lock(), "det-agent");
    if (ErrorReason(lock.status()) == "LOCK_HELD") return running;
    if (!lock.ok() && !absl::IsNotFound(lock.status())) return lock.status();
    DET_RETURN_IF_ERROR(RemoveFiles(files));
  }
  watcher_.Forget(directory);
  return absl::OkStatus();
}

bool ProcessRuntime::IsDamaged(const std::string& directory) {
  const TaskFiles files(directory);
  return IsUnreadable(files.ReadExit().status()) || IsUnreadable(files.ReadShim().status());
}

}  // namespace det::agent
