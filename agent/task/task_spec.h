#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "common/base/archive.h"
#include "common/base/ids.h"

namespace det::agent {

// What to run. Written into the task's directory once, before anything starts.
struct TaskSpec {
  AllocationId id;
  // The task's own, absolute: its log, its records and its lock lie there. Made if missing (0700).
  std::string directory;
  // argv[0] is looked up in the PATH of `env` when it holds no '/'.
  std::vector<std::string> argv;
  // The whole environment, "NAME=value". DET_ALLOCATION_MARK is added, or replaced.
  std::vector<std::string> env;
  // Where the program begins; "" is `directory`.
  std::string workdir;
  // Between SIGTERM and SIGKILL.
  absl::Duration grace = absl::Seconds(30);
  // Of printed lines on disk; older ones give way.
  int64_t log_bytes_max = int64_t{256} << 20;
  // Processes and threads at a time, where a pids control group can be made; 0 is no bound.
  int64_t processes_max = 4096;
  // A control group of its own where one can be made.
  bool use_cgroup = true;
};

template <class A>
void Fields(A& a, TaskSpec& x) {
  a(x.id,
    x.directory,
    x.argv,
    x.env,
    x.workdir,
    x.grace,
    x.log_bytes_max,
    x.processes_max,
    x.use_cgroup);
}

// What no runtime can start: INVALID_ARGUMENT with DIRECTORY_NOT_ABSOLUTE, PATH_TOO_LONG,
// NO_PROGRAM, NEGATIVE_GRACE, LOG_TOO_SMALL or EMBEDDED_NUL.
absl::Status CheckTaskSpec(const TaskSpec& spec);

}  // namespace det::agent
