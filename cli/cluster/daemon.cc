#include "cli/cluster/daemon.h"

#include <charconv>
#include <csignal>
#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/base/cause.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/fs.h"
#include "common/os/lock_file.h"
#include "common/os/os_error.h"
#include "common/os/pause.h"
#include "common/os/spawn.h"
#include "common/os/unique_fd.h"

namespace det::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLockBytesMax = 4096;
constexpr int64_t kLogBytesMax = 64 << 20;
constexpr size_t kTailBytesMax = 32 << 10;
constexpr size_t kTailLinesMax = 12;
constexpr mode_t kLogMode = 0600;
constexpr absl::Duration kLookPatience = absl::Seconds(2);
constexpr absl::Duration kKillPatience = absl::Seconds(10);
constexpr absl::Duration kBetweenLooks = absl::Milliseconds(5);

// "det-master (pid 17)\n": 17, or 0 while nobody has written it.
pid_t PidInLock(const std::string& path) {
  const absl::StatusOr<std::string> text = det::ReadFile(path, kLockBytesMax);
  if (!text.ok()) return 0;
  const size_t at = text->rfind("(pid ");
  if (at == std::string::npos) return 0;
  pid_t pid = 0;
  std::from_chars(text->data() + at + 5, text->data() + text->size(), pid);
  return pid;
}

// Both by its name and by having the lock open; a pid alone may be anybody's by now. The name is
// the one that it was started by: the file itself may have been replaced since.
bool IsDaemon(const Daemon& daemon, pid_t pid) {
  const std::string process = StrCat("/proc/", pid);
  const absl::StatusOr<std::string> name = det::ReadFile(process + "/comm", kLockBytesMax);
  if (!name.ok() || *name != StrCat(daemon.program, "\n")) return false;
  std::error_code error;
  fs::directory_iterator entries(process + "/fd", error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    std::error_code closed_meanwhile;
    if (fs::equivalent(entries->path(), daemon.lock, closed_meanwhile)) return true;
  }
  return false;
}

absl::Status HeldByOther(const Daemon& daemon, pid_t pid) {
  return Error(
      absl::StatusCode::kFailedPrecondition,
      "LOCK_HELD",
      StrCat(
          daemon.lock, " is held by process ", pid, ", which is no ", daemon.program, " of yours"),
      StrCat("see ps -fp ", pid, "; another user's cluster is for that user to handle"));
}

std::vector<std::string> Environment() {
  std::vector<std::string> out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    // What is for the person at this terminal.
    if (!text.starts_with("DET_TOKEN=") && !text.starts_with("DET_MASTER=")) out.emplace_back(text);
  }
  return out;
}

absl::StatusOr<UniqueFd> OpenLog(const std::string& path, int64_t* begin) {
  struct stat info {};
  if (stat(path.c_str(), &info) == 0 && info.st_size > kLogBytesMax) {
    if (rename(path.c_str(), StrCat(path, ".1").c_str()) != 0) {
      return OsError(errno, "rename", path);
    }
  }
  DET_ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(path, O_WRONLY | O_CREAT | O_APPEND, kLogMode));
  if (fstat(fd.get(), &info) != 0) return OsError(errno, "look at", path);
  *begin = info.st_size;
  return fd;
}

std::string Tail(const std::string& path, int64_t begin) {
  const absl::StatusOr<std::string> text = det::ReadFile(path, size_t{2} * kLogBytesMax);
  if (!text.ok() || text->size() <= static_cast<size_t>(begin)) return {};
  std::string tail = text->substr(static_cast<size_t>(begin));
  if (tail.size() > kTailBytesMax) tail.erase(0, tail.size() - kTailBytesMax);
  while (tail.ends_with('\n')) tail.pop_back();
  return tail;
}

std::string LastLines(const std::string& text) {
  size_t at = text.size();
  for (size_t lines = 0; lines < kTailLinesMax && at != std::string::npos && at > 0; ++lines) {
    at = text.rfind('\n', at - 1);
  }
  return at == std::string::npos || at == 0 ? text : text.substr(at + 1);
}

}  // namespace

Daemon MasterDaemon(const Layout& layout) {
  return {"det-master", layout.master_lock(), layout.master_log()};
}

Daemon AgentDaemon(const Layout& layout, const std::string& agent_data) {
  return {"det-agent", agent_data + "/agent.lock", layout.agent_log()};
}

absl::StatusOr<std::optional<ProcessId>> FindDaemon(const Daemon& daemon) {
  const absl::Duration deadline = SteadyNow() + kLookPatience;
  for (;;) {
    DET_ASSIGN_OR_RETURN(const bool held, LockFile::IsHeld(daemon.lock));
    if (!held) return std::optional<ProcessId>();
    const pid_t pid = PidInLock(daemon.lock);
    const absl::StatusOr<ProcessId> before = ReadProcessId(pid);
    if (before.ok() && IsDaemon(daemon, pid)) {
      const absl::StatusOr<ProcessId> after = ReadProcessId(pid);
      if (after.ok() && *after == *before) return std::optional(*after);
    }
    // Whoever has the lock may just have taken it and not said so yet, or just be ending.
    if (SteadyNow() >= deadline) return HeldByOther(daemon, pid);
    PauseFor(kBetweenLooks);
  }
}

absl::StatusOr<std::string> FindProgram(const std::string& name, const GetEnv& getenv) {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  const std::string beside = (self.parent_path() / name).string();
  if (!error && access(beside.c_str(), X_OK) == 0) return beside;
  const std::string path = getenv("PATH").value_or("");
  for (size_t begin = 0; begin < path.size();) {
    const size_t end = std::min(path.find(':', begin), path.size());
    const std::string there = StrCat(path.substr(begin, end - begin), "/", name);
    if (there.starts_with('/') && access(there.c_str(), X_OK) == 0) return there;
    begin = end + 1;
  }
  return Error(absl::StatusCode::kUnknown,
               "PROGRAM_NOT_FOUND",
               StrCat("cannot find ", name, " beside ", self.string(), " or in PATH"),
               "install it there, or build it: ./dev build release");
}

absl::StatusOr<StartedDaemon> StartDaemon(const Daemon& daemon,
                                          const std::vector<std::string>& argv) {
  StartedDaemon started;
  DET_ASSIGN_OR_RETURN(const UniqueFd log, OpenLog(daemon.log, &started.log_begin));
  DET_ASSIGN_OR_RETURN(const pid_t pid,
                       Spawn({.argv = argv,
                              .env = Environment(),
                              .cwd = "/",
                              .stdout_fd = log.get(),
                              .stderr_fd = log.get(),
                              .new_session = true,
                              .detach = true}));
  const absl::StatusOr<ProcessId> id = ReadProcessId(pid);
  if (!id.ok()) return DeathOf(daemon, started);
  started.id = *id;
  return started;
}

absl::StatusOr<bool> StopDaemon(const Daemon& daemon,
                                const ProcessId& id,
                                absl::Duration patience) {
  const absl::StatusOr<UniqueFd> process = OpenProcess(id);
  if (absl::IsNotFound(process.status())) return false;
  if (!process.ok()) return process.status();
  for (const auto& [signal, wait] :
       {std::pair(SIGTERM, patience), std::pair(SIGKILL, kKillPatience)}) {
    const absl::Status sent = Signal(id, signal);
    if (absl::IsNotFound(sent)) return signal == SIGKILL;
    DET_RETURN_IF_ERROR(sent);
    DET_ASSIGN_OR_RETURN(const bool ended, WaitForEnd(*process, wait));
    if (ended) return signal == SIGKILL;
  }
  return Error(absl::StatusCode::kDeadlineExceeded,
               "DOES_NOT_END",
               StrCat(daemon.program, " (pid ", id.pid, ") does not end, not even by SIGKILL"),
               "it waits for a disk, perhaps: see dmesg");
}

absl::Status DeathOf(const Daemon& daemon, const StartedDaemon& started) {
  const std::string tail = Tail(daemon.log, started.log_begin);
  const std::string mark = StrCat(daemon.program, ": error: ");
  std::string cause = LastLines(tail);
  std::string hint;
  if (const size_t at = tail.rfind(mark); at != std::string::npos) {
    cause = tail.substr(at + mark.size());
    if (const size_t hint_at = cause.rfind("\nhint: "); hint_at != std::string::npos) {
      hint = cause.substr(hint_at + 7);
      cause.resize(hint_at);
    }
  }
  if (hint.empty()) hint = StrCat("all of its log is in ", daemon.log);
  return WithCause(Error(absl::StatusCode::kUnknown,
                         "DAEMON_DIED",
                         StrCat(daemon.program, " did not start"),
                         hint),
                   cause.empty() ? "it ended without a word" : cause);
}

}  // namespace det::cli
