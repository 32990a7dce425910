#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "cli/client/client.h"
#include "cli/logs/trial_tail.h"
#include "common/base/mutex.h"

namespace det::cli {

// Reads the logs of several trials at once, a thread each, and gives their lines one after another.
// When nobody takes them the threads wait, so memory stays bounded.
class TailPool {
 public:
  // A line, or (without one) the end of a trial's log.
  struct Item {
    int64_t trial = 0;
    std::optional<api::LogLine> line;
    absl::Status status;
  };

  explicit TailPool(Client* client) : client_(client) {}
  ~TailPool();
  TailPool(const TailPool&) = delete;
  TailPool& operator=(const TailPool&) = delete;

  void Start(const api::TailLogsRequest& request);
  // The next item; nothing when none comes for so long.
  std::optional<Item> Next(absl::Duration timeout);
  // Trials whose end Next has not given yet.
  int open() const { return open_; }

 private:
  struct Reader {
    std::unique_ptr<TrialTail> tail;
    std::thread thread;
  };
  void Put(Item item);

  Client* const client_;
  int open_ = 0;
  std::vector<Reader> readers_;

  Mutex mutex_;
  CondVar changed_;
  std::deque<Item> items_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace det::cli
