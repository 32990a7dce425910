#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include <sys/types.h>

#include "common/os/unique_fd.h"

// Processes of this host, told apart for good: a pid alone is given again to another process.
// Everything is read from /proc. Any thread.
namespace det {

struct ProcessId {
  pid_t pid = 0;
  int64_t start_time = 0;  // clock ticks after the boot
  std::string boot_id;
  bool operator==(const ProcessId&) const = default;
};

template <class A>
void Fields(A& a, ProcessId& x) {
  a(x.pid, x.start_time, x.boot_id);
}

struct ProcessStat {
  ProcessId id;
  char state = '?';  // as in ps: R, S, D, T, Z, ...
  pid_t parent = 0;
  pid_t group = 0;
  pid_t session = 0;
  int64_t threads = 0;
  // Every thread has ended; only the status waits to be collected.
  bool ended() const { return (state == 'Z' || state == 'X') && threads <= 1; }
};

// The same until the host boots again, "" never. FAILED_PRECONDITION when /proc is not there.
absl::StatusOr<std::string> BootId();

// NOT_FOUND when there is no such process.
absl::StatusOr<ProcessStat> ReadProcessStat(pid_t pid);
absl::StatusOr<ProcessId> ReadProcessId(pid_t pid);

// False only when it is certain: another boot, no such pid, another start time, or a zombie. An
// error (no descriptor free, say) tells nothing and must not be taken for a death.
absl::StatusOr<bool> IsAlive(const ProcessId& id);

// A descriptor that means this very process for good and becomes readable when it ends.
// NOT_FOUND (NO_SUCH_PROCESS) when it has ended, or the pid belongs to another by now.
absl::StatusOr<UniqueFd> OpenProcess(const ProcessId& id);

// Sends a signal to this very process and never to another. NOT_FOUND (NO_SUCH_PROCESS) when it
// has ended, PERMISSION_DENIED when it belongs to another user.
absl::Status Signal(const ProcessId& id, int signal);

// True when it ended within the time.
absl::StatusOr<bool> WaitForEnd(const UniqueFd& process, absl::Duration timeout);

// Every process that can be seen. Those that begin or end meanwhile may be missing.
absl::StatusOr<std::vector<ProcessStat>> AllProcesses();

// Children of `pid`, their children and so on, without `pid` itself and without zombies. One look:
// what is forked meanwhile may be missing.
absl::StatusOr<std::vector<ProcessId>> Descendants(pid_t pid);

// "SIGTERM"; "signal 200" for one without a name.
std::string SignalName(int signal);

// Time that goes on steadily whatever happens to the clock: for deadlines.
absl::Duration SteadyNow();

namespace internal {
// A line of /proc/PID/stat, whose second field may hold any byte. INTERNAL when it is none.
absl::StatusOr<ProcessStat> ParseProcessStat(std::string_view line);
}  // namespace internal

}  // namespace det
