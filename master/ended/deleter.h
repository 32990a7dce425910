#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>

#include "absl/status/status.h"

#include "common/base/ids.h"
#include "common/base/mutex.h"
#include "master/deletion/deletions.h"

namespace det::pg {
class Connection;
}

namespace det::ended {

// Deletes the experiments that are DELETING: checkpoints first, by the worker of deletions, then
// rows in bounded batches, each fenced; at the end the experiment's row stays, as DELETED, and says
// who and when. What fails leaves it DELETE_FAILED with the cause. A restart finds the rest by the
// state.
class Deleter {
 public:
  struct Deps {
    std::string conninfo;
    int64_t epoch = 0;
    deletion::Deletions& checkpoints;
  };
  explicit Deleter(Deps deps);
  // Leaves off between two batches.
  ~Deleter();

  // There is more to delete. Any thread.
  void Wake();

 private:
  void Loop();
  bool Stopping();
  absl::Status Look();
  absl::Status Delete(ExperimentId id, const std::string& actor);
  absl::Status DeleteRows(ExperimentId id);
  absl::Status Drain(const std::string& sql, const std::string& parameter);
  absl::Status DrainPartitioned(std::string_view table, ExperimentId id);
  struct Outcome {
    std::string_view what;
    absl::Status status;
  };
  absl::Status Finish(ExperimentId id, const Outcome& outcome);

  const Deps deps_;
  // The thread's own.
  std::unique_ptr<pg::Connection> connection_;
  std::set<ExperimentId> asked_;       // whose checkpoints were asked to go
  std::map<ExperimentId, int> tries_;  // in vain
  Mutex mutex_;
  CondVar wake_;
  bool woken_ ABSL_GUARDED_BY(mutex_) = true;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace det::ended
