#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"

#include "agent/core/agent_core.h"
#include "agent/task/task_spec.h"

namespace det::agent {

// Runs tasks, each in a directory of its own that names it. Tasks do not end with the runtime: a
// new one, also in a new process, finds them by their directories. Any thread; calls may block for
// some milliseconds, and for some seconds where said.
class Runtime {
 public:
  using OnExit = std::function<void(const Exit&)>;

  virtual ~Runtime() = default;

  // Idempotent: for a directory at most one process is ever started, however often, from however
  // many processes and after however many crashes this is called. OK says that it was started, now
  // or before (Inspect tells how it goes; a program that can't be run is an exit of kind
  // kStartFailed). An error says for certain that nothing runs. Blocks until the supervisor
  // answers: 30 s at most.
  virtual absl::Status Start(const TaskSpec& spec) = 0;

  // kNothing only when the task was certainly never started. kExited only when no process of it is
  // left: what a killed supervisor left behind is killed first (2 s at most, kRunning until then),
  // and its end is kLost. An error tells nothing about the task.
  virtual absl::StatusOr<Found> Inspect(const std::string& directory) = 0;

  // Calls back once when the task has ended, at once if it has; as Inspect would tell. A second
  // call for a directory replaces the first. The callback runs on a thread of the runtime or on
  // the caller's, with no lock held; it must not block, nor call the runtime. None comes once the
  // runtime is destroyed. NOT_FOUND (NOT_STARTED) when the task was never started.
  virtual absl::Status Watch(const std::string& directory, OnExit on_exit) = 0;

  // SIGTERM to every process of the task, SIGKILL to those that are left after its grace. Returns
  // when it is ordered, not when it is done. Idempotent, also when nothing runs (any more).
  virtual absl::Status Terminate(const std::string& directory) = 0;
  // SIGKILL to every process of the task, in the same way.
  virtual absl::Status Kill(const std::string& directory) = 0;

  // Forgets the task and removes its directory, so that one of that name could be started anew.
  // FAILED_PRECONDITION (TASK_RUNNING) while something runs. That nothing is there is no error.
  virtual absl::Status Remove(const std::string& directory) = 0;
};

}  // namespace det::agent
