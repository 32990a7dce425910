#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"

#include "common/base/ids.h"
#include "common/base/mutex.h"

namespace det::pg {
class Connection;
}

namespace det::ended {

// Removes what an experiment's trials saved. Called again after a failure or a restart, when part
// of it is gone. For threads that may block.
class CheckpointRemover {
 public:
  virtual ~CheckpointRemover() = default;
  virtual absl::Status RemoveAll(ExperimentId id) = 0;
};

// Deletes the experiments that are DELETING, one after the other: checkpoints first, then rows in
// bounded batches, each fenced; at the end the experiment's row stays, as DELETED, and says who and
// when. What fails leaves it DELETE_FAILED with the cause. A restart finds the rest by the state.
class Deleter {
 public:
  struct Deps {
    std::string conninfo;
    int64_t epoch = 0;
    CheckpointRemover& checkpoints;
  };
  explicit Deleter(Deps deps);
  // Leaves off between two batches.
  ~Deleter();

  // There is more to delete. Any thread.
  void Wake();

 private:
  void Loop();
  bool Stopping();
  absl::Status DeleteNext(bool* found);
  absl::Status DeleteRows(ExperimentId id);
  absl::Status Drain(const std::function<std::string()>& sql, int64_t id);
  absl::Status DrainPartitioned(std::string_view table, ExperimentId id);
  absl::Status Finish(ExperimentId id, const absl::Status& outcome);

  const Deps deps_;
  std::unique_ptr<pg::Connection> connection_;  // the thread's own
  Mutex mutex_;
  CondVar wake_;
  bool woken_ ABSL_GUARDED_BY(mutex_) = true;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace det::ended
