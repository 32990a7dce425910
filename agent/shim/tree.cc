#include "agent/shim/tree.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/fs.h"
#include "common/os/process.h"

namespace det::agent {
namespace {

constexpr size_t kChildrenBytesMax = size_t{8} << 20;
// How long a killing round goes after children that are forked while it does.
constexpr absl::Duration kChase = absl::Milliseconds(3);

std::vector<pid_t> ParsePids(std::string_view text) {
  std::vector<pid_t> pids;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    pid_t pid = 0;
    std::from_chars(text.data(), text.data() + end, pid);
    if (pid > 0) pids.push_back(pid);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return pids;
}

// For kernels without /proc/PID/task/TID/children.
std::vector<pid_t> ChildrenByParent() {
  std::vector<pid_t> pids;
  const absl::StatusOr<std::vector<ProcessStat>> all = AllProcesses();
  if (!all.ok()) return pids;
  for (const ProcessStat& process : *all) {
    if (process.parent == ::getpid()) pids.push_back(process.id.pid);
  }
  return pids;
}

// The pid of a child that ended, with how it did; 0 when none has, -1 when there are no children.
pid_t WaitFor(idtype_t type, id_t id, int flags, siginfo_t* info) {
  *info = {};
  for (;;) {
    if (::waitid(type, id, info, WEXITED | WNOHANG | __WALL | flags) == 0) return info->si_pid;
    if (errno != EINTR) return -1;
  }
}

}  // namespace

std::vector<pid_t> Children() {
  const auto tid = static_cast<int64_t>(::syscall(SYS_gettid));
  const absl::StatusOr<std::string> text =
      ReadFile(StrCat("/proc/self/task/", tid, "/children"), kChildrenBytesMax);
  return text.ok() ? ParsePids(*text) : ChildrenByParent();
}

void Tree::Collect() {
  siginfo_t info;
  for (;;) {
    const bool main_there = main_ > 0 && !main_collected_;
    const pid_t pid = WaitFor(P_ALL, 0, main_there ? WNOWAIT : 0, &info);
    if (pid <= 0) return;
    if (!main_there) continue;
    if (pid == main_) break;
    WaitFor(P_PID, static_cast<id_t>(pid), 0, &info);
  }
  PeekMain();
  // The main child stands before the others now; they have to be asked for one by one.
  for (const pid_t pid : Children()) {
    if (pid != main_) WaitFor(P_PID, static_cast<id_t>(pid), 0, &info);
  }
}

bool Tree::PeekMain() {
  siginfo_t info;
  if (main_end_.has_value()) return true;
  if (WaitFor(P_PID, static_cast<id_t>(main_), WNOWAIT, &info) != main_) return false;
  main_end_ = End{.by_signal = info.si_code != CLD_EXITED, .code = info.si_status};
  return true;
}

void Tree::CollectMain() {
  if (main_collected_ || !PeekMain()) return;
  siginfo_t info;
  main_collected_ = WaitFor(P_PID, static_cast<id_t>(main_), 0, &info) == main_;
}

bool Tree::Empty() {
  if (main_ > 0 && !main_collected_) {
    if (!main_end_.has_value()) return false;
    const std::vector<pid_t> children = Children();
    const auto others =
        std::any_of(children.begin(), children.end(), [this](pid_t pid) { return pid != main_; });
    if (others) return false;
    CollectMain();
  }
  // The list may have missed one; this does not.
  siginfo_t info;
  return WaitFor(P_ALL, 0, WNOWAIT, &info) < 0 && errno == ECHILD;
}

void Tree::Terminate() {
  (void)SignalAll([] { return Descendants(::getpid()); }, {SIGTERM, SIGCONT});
}

KillCount Tree::Kill() {
  cgroup_->Kill();
  // All of the group at one instant: nothing in it can fork its way out.
  if (main_ > 0 && !main_collected_) ::kill(-main_, SIGKILL);
  const absl::StatusOr<KillCount> count = StopAndKill([] { return Descendants(::getpid()); });
  KillChildren();
  return count.ok() ? *count : KillCount{.alive = 1};
}

// Programs that fork and end at once are too quick for a look at all of /proc, but each becomes a
// child of ours when its parent ends. A child that was not collected yet keeps its pid, and only we
// collect, so no identity has to be checked.
void Tree::KillChildren() {
  const absl::Duration until = SteadyNow() + kChase;
  while (SteadyNow() < until) {
    Collect();
    CollectMain();
    const std::vector<pid_t> children = Children();
    if (children.empty()) return;
    for (const pid_t pid : children) ::kill(pid, SIGKILL);
  }
}

}  // namespace det::agent
