#pragma once

#include <functional>
#include <map>
#include <string>
#include <thread>

#include "common/base/ids.h"
#include "common/base/mutex.h"
#include "common/os/unique_fd.h"

namespace det::agent {

// Tells when something is written into the spool directories of runs, by inotify. Many changes in a
// moment are told once. Any thread.
class SpoolWatch {
 public:
  using OnChange = std::function<void(AllocationId)>;

  // `on_change` is called on a thread of its own.
  explicit SpoolWatch(OnChange on_change);
  ~SpoolWatch();
  SpoolWatch(const SpoolWatch&) = delete;
  SpoolWatch& operator=(const SpoolWatch&) = delete;

  // False when it can't be watched now: it is not there yet, or the host has no watches left.
  bool Watch(AllocationId id, const std::string& directory);
  void Forget(AllocationId id);

 private:
  void Loop();
  bool AwaitEvents() const;
  void ReadEvents();

  const OnChange on_change_;
  UniqueFd inotify_;  // none: nothing can be watched
  UniqueFd stop_;
  Mutex mutex_;
  std::map<int, AllocationId> runs_ ABSL_GUARDED_BY(mutex_);  // by watch
  std::thread thread_;
};

}  // namespace det::agent
