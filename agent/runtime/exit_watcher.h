#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "agent/core/agent_core.h"
#include "common/base/mutex.h"
#include "common/os/unique_fd.h"

namespace det::agent {

// One thread that waits for the ends of many tasks. A task's supervisor is waited for by its
// descriptor; where there is none (it is only starting, or dead with something left) the task is
// looked at again and again.
class ExitWatcher {
 public:
  using OnExit = std::function<void(const Exit&)>;
  struct Eyes {
    // How it stands; called on the watcher's thread.
    std::function<absl::StatusOr<Found>(const std::string& directory)> look;
    // A descriptor that becomes readable when it may have ended.
    std::function<absl::StatusOr<UniqueFd>(const std::string& directory)> open;
  };

  explicit ExitWatcher(Eyes eyes);
  ~ExitWatcher();  // no callback runs after it
  ExitWatcher(const ExitWatcher&) = delete;
  ExitWatcher& operator=(const ExitWatcher&) = delete;

  // Any thread. The callback comes once, from the watcher's thread.
  void Watch(const std::string& directory, OnExit on_exit);
  // No callback begins after it.
  void Forget(const std::string& directory);

 private:
  struct Item {
    OnExit on_exit;
    std::shared_ptr<const UniqueFd> process;  // none: look at `look_at`
    absl::Duration look_at;
    std::string said;  // the last error of looking
  };
  struct Waiting;

  void Run();
  std::vector<std::string> WaitForSome();
  Waiting Collect();
  void LookAt(const std::string& directory);
  void SayOnce(const std::string& directory, const absl::Status& status);
  void LookLater(const std::string& directory, absl::Duration pause);
  void Wake();

  const Eyes eyes_;
  UniqueFd wake_;
  Mutex mutex_;
  std::map<std::string, Item> items_ ABSL_GUARDED_BY(mutex_);
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace det::agent
