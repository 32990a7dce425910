#pragma once

#include <memory>
#include <string>

#include "agent/runtime/exit_watcher.h"
#include "agent/runtime/runtime.h"
#include "agent/task/task_files.h"
#include "common/os/lock_file.h"

namespace det::agent {

// Tasks as processes of this host, each below a det-shim of its own (agent/shim) that goes on when
// this process is killed. All state lies in the tasks' directories.
//
// The lock of a directory is taken before its shim is started and handed to it, so it is held
// without a gap until the shim ends. Free lock and no shim record: never started, and nothing is on
// its way. Free lock and a shim record but no exit record: the shim was killed. While the lock is
// held the task runs, whatever its records look like; records that can't be read make it lost then.
class ProcessRuntime final : public Runtime {
 public:
  struct Options {
    std::string shim_path;  // of det-shim
    absl::Duration start_timeout = absl::Seconds(30);
  };

  explicit ProcessRuntime(Options options);

  absl::Status Start(const TaskSpec& spec) override;
  absl::StatusOr<Found> Inspect(const std::string& directory) override;
  absl::Status Watch(const std::string& directory, OnExit on_exit) override;
  absl::Status Terminate(const std::string& directory) override;
  absl::Status Kill(const std::string& directory) override;
  absl::Status Remove(const std::string& directory) override;

  // Whether records of the task can't be read: somebody may want to look at them.
  static bool IsDamaged(const std::string& directory);

 private:
  absl::Status StartLocked(const TaskSpec& spec, const TaskFiles& files, LockFile lock) const;
  absl::Status AwaitShim(const TaskFiles& files, pid_t pid, const UniqueFd& reader) const;
  static void AwaitShimsEnd(const TaskFiles& files);
  absl::Status SignalShim(const std::string& directory, int signal);

  Options options_;
  ExitWatcher watcher_;
};

}  // namespace det::agent
