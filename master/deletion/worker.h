#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "absl/time/time.h"

#include "common/base/mutex.h"
#include "common/storage/store.h"
#include "master/deletion/deletions.h"

namespace det::deletion {

struct WorkerOptions {
  storage::StoreOptions storage;  // its `cancel` and `secrets` are the worker's own
  // A secret that a user's configuration may refer to; none: there are none.
  std::function<absl::StatusOr<Secret>(const std::string& name, const std::string& owner)> secrets;
  absl::Duration look_every = absl::Seconds(1);
  absl::Duration first_pause = absl::Seconds(2);  // after a try in vain; doubles
  int attempts_max = 10;                          // then it has failed: about half an hour
};

// Carries out the recorded deletions, on a thread of its own: files first, then the checkpoint's
// row. A deletion that can't succeed from here (a directory of a container, say) fails at once with
// its reason; anything else is tried again.
class Worker {
 public:
  Worker(Deletions& deletions, WorkerOptions options);
  // Ends what is under way: it begins again with the next master.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Something is due. Any thread.
  void Wake();

 private:
  void Loop();
  // True when there may be more at once.
  absl::StatusOr<bool> Step();
  Outcome Carry(const Job& job);
  Outcome Judge(const Job& job, const absl::Status& status) const;
  absl::StatusOr<std::shared_ptr<storage::CheckpointStore>> StoreOf(const Job& job);

  Deletions& deletions_;
  WorkerOptions options_;
  std::atomic<bool> cancel_{false};
  // By the configuration that describes them and its owner; of the thread alone.
  std::map<std::string, std::shared_ptr<storage::CheckpointStore>> stores_;
  Mutex mutex_;
  CondVar changed_;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace det::deletion
