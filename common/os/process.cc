#include "common/os/process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <ctime>
#include <unordered_map>

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/fs.h"
#include "common/os/os_error.h"
#include "common/os/unique_dir.h"

namespace det {
namespace {

template <class T>
bool ParseNumber(std::string_view text, T* number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && end == text.data() + text.size();
}

std::string_view NextField(std::string_view* line) {
  const size_t space = std::min(line->find(' '), line->size());
  const std::string_view field = line->substr(0, space);
  line->remove_prefix(std::min(space + 1, line->size()));
  return field;
}

absl::Status Gone(pid_t pid) {
  return Error(absl::StatusCode::kNotFound, "NO_SUCH_PROCESS", StrCat("process ", pid, " is gone"));
}

// One read: /proc gives a line of its making, and a process may end between two.
absl::StatusOr<std::string> ReadStatLine(pid_t pid) {
  const std::string path = StrCat("/proc/", pid, "/stat");
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid() && (errno == ENOENT || errno == ESRCH)) return Gone(pid);
  if (!fd.valid()) return OsError(errno, "open", path);
  std::array<char, 2048> buffer{};
  for (;;) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got >= 0) return std::string(buffer.data(), static_cast<size_t>(got));
    if (errno == ESRCH) return Gone(pid);
    if (errno != EINTR) return OsError(errno, "read", path);
  }
}

}  // namespace

namespace internal {

absl::StatusOr<ProcessStat> ParseProcessStat(std::string_view line) {
  while (!line.empty() && line.back() == '\n') line.remove_suffix(1);
  const auto bad = [&] {
    return Error(absl::StatusCode::kInternal, "BAD_PROC_STAT", "cannot read a line of /proc stat");
  };
  // "pid (name) state parent group session ...": the name ends at the last ')'.
  const size_t open = line.find(" (");
  const size_t close = line.rfind(") ");
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) {
    return bad();
  }
  ProcessStat stat;
  if (!ParseNumber(line.substr(0, open), &stat.id.pid)) return bad();
  line.remove_prefix(close + 2);
  constexpr int kState = 3;
  constexpr int kParent = 4;
  constexpr int kGroup = 5;
  constexpr int kSession = 6;
  constexpr int kThreads = 20;
  constexpr int kStartTime = 22;
  for (int field = kState; field <= kStartTime; ++field) {
    const std::string_view text = NextField(&line);
    bool fine = true;
    if (field == kState) stat.state = text.empty() ? '?' : text.front();
    if (field == kParent) fine = ParseNumber(text, &stat.parent);
    if (field == kGroup) fine = ParseNumber(text, &stat.group);
    if (field == kSession) fine = ParseNumber(text, &stat.session);
    if (field == kThreads) fine = ParseNumber(text, &stat.threads);
    if (field == kStartTime) fine = ParseNumber(text, &stat.id.start_time);
    if (!fine || text.empty()) return bad();
  }
  return stat;
}

}  // namespace internal

absl::StatusOr<std::string> BootId() {
  static const absl::StatusOr<std::string> boot_id = []() -> absl::StatusOr<std::string> {
    absl::StatusOr<std::string> text = ReadFile("/proc/sys/kernel/random/boot_id", 128);
    while (text.ok() && !text->empty() && text->back() == '\n') text->pop_back();
    if (text.ok() && !text->empty()) return text;
    return Error(absl::StatusCode::kFailedPrecondition,
                 "NO_BOOT_ID",
                 "cannot read /proc/sys/kernel/random/boot_id",
                 "mount /proc");
  }();
  return boot_id;
}

absl::StatusOr<ProcessStat> ReadProcessStat(pid_t pid) {
  DET_ASSIGN_OR_RETURN(const std::string boot_id, BootId());
  DET_ASSIGN_OR_RETURN(const std::string line, ReadStatLine(pid));
  DET_ASSIGN_OR_RETURN(ProcessStat stat, internal::ParseProcessStat(line));
  stat.id.boot_id = boot_id;
  return stat;
}

absl::StatusOr<ProcessId> ReadProcessId(pid_t pid) {
  DET_ASSIGN_OR_RETURN(ProcessStat stat, ReadProcessStat(pid));
  return std::move(stat.id);
}

absl::StatusOr<bool> IsAlive(const ProcessId& id) {
  DET_ASSIGN_OR_RETURN(const std::string boot_id, BootId());
  if (id.boot_id != boot_id || id.pid <= 0) return false;
  const absl::StatusOr<ProcessStat> stat = ReadProcessStat(id.pid);
  if (absl::IsNotFound(stat.status())) return false;
  if (!stat.ok()) return stat.status();
  return stat->id == id && !stat->ended();
}

absl::StatusOr<UniqueFd> OpenProcess(const ProcessId& id) {
  if (id.pid <= 0) return Gone(id.pid);
  // First the descriptor, then the look: if the process that was meant is there at the look, it was
  // there before, so the descriptor means it too.
  UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, id.pid, 0)));
  const int error = errno;
  DET_ASSIGN_OR_RETURN(const bool alive, IsAlive(id));
  if (!alive) return Gone(id.pid);
  if (!fd.valid()) return OsError(error, "open process", StrCat(id.pid));
  return fd;
}

absl::Status Signal(const ProcessId& id, int signal) {
  DET_ASSIGN_OR_RETURN(const UniqueFd process, OpenProcess(id));
  if (::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0) == 0)
    return absl::OkStatus();
  if (errno == ESRCH) return Gone(id.pid);
  return OsError(errno, StrCat("send ", SignalName(signal), " to process"), StrCat(id.pid));
}

absl::StatusOr<bool> WaitForEnd(const UniqueFd& process, absl::Duration timeout) {
  const absl::Duration deadline = SteadyNow() + timeout;
  for (;;) {
    pollfd item{.fd = process.get(), .events = POLLIN, .revents = 0};
    const absl::Duration left = std::max(deadline - SteadyNow(), absl::ZeroDuration());
    const int millis = static_cast<int>(std::min<int64_t>(
        absl::ToInt64Milliseconds(absl::Ceil(left, absl::Milliseconds(1))), 60'000));
    const int ready = ::poll(&item, 1, millis);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return OsError(errno, "wait for", "a process");
    if (ready == 0 && SteadyNow() >= deadline) return false;
  }
}

absl::StatusOr<std::vector<ProcessStat>> AllProcesses() {
  const UniqueDir proc(::opendir("/proc"));
  if (proc == nullptr) return OsError(errno, "list", "/proc");
  std::vector<ProcessStat> all;
  while (const dirent* entry = ::readdir(proc.get())) {
    pid_t pid = 0;
    if (!ParseNumber(std::string_view(entry->d_name), &pid)) continue;
    absl::StatusOr<ProcessStat> stat = ReadProcessStat(pid);
    // One that ended meanwhile, or that another user hides, is left out; but when nothing can be
    // read (no descriptor free) the answer would be wrong.
    if (absl::IsResourceExhausted(stat.status())) return stat.status();
    if (stat.ok()) all.push_back(*std::move(stat));
  }
  return all;
}

absl::StatusOr<std::vector<ProcessId>> Descendants(pid_t pid) {
  DET_ASSIGN_OR_RETURN(std::vector<ProcessStat> all, AllProcesses());
  std::unordered_multimap<pid_t, size_t> children;
  for (size_t i = 0; i < all.size(); ++i) children.emplace(all[i].parent, i);
  std::vector<ProcessId> found;
  std::vector<pid_t> parents = {pid};
  while (!parents.empty()) {
    const auto [first, last] = children.equal_range(parents.back());
    parents.pop_back();
    for (auto it = first; it != last; ++it) {
      ProcessStat& child = all[it->second];
      // The look is not one instant: with a pid used twice it might even show a circle.
      if (child.state == '\0') continue;
      parents.push_back(child.id.pid);
      if (!child.ended()) found.push_back(std::move(child.id));
      child.state = '\0';
    }
  }
  return found;
}

std::string SignalName(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name == nullptr ? StrCat("signal ", signal) : StrCat("SIG", name);
}

absl::Duration SteadyNow() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::DurationFromTimespec(now);
}

}  // namespace det
