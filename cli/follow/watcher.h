#pragma once

#include <memory>
#include <optional>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "cli/client/api_fwd.h"
#include "cli/follow/snapshot.h"
#include "common/base/mutex.h"

namespace det::cli {

class Client;
template <class Message>
class Stream;

namespace follow {

// Watches an experiment on a thread of its own. A master that goes away is awaited: it may be
// restarting. Only the newest snapshot is kept.
class Watcher {
 public:
  // What is known now. `closed`: there will be no more, for the reason in `status`.
  struct Update {
    bool fresh = false;  // `snapshot` has not been given before
    std::optional<Snapshot> snapshot;
    bool away = false;  // the master can't be reached; snapshot is from before
    bool interrupted = false;
    bool closed = false;
    absl::Status status;
  };

  // Gives up when the master stays away for longer than `patience`.
  Watcher(Client* client, int64_t experiment, absl::Duration patience = absl::Minutes(2));
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  // Waits for something new, at most so long.
  Update Wait(absl::Duration timeout);
  // Makes Wait return with `interrupted`. Any thread.
  void Interrupt();

 private:
  using Watch = Stream<api::WatchExperimentResponse>;

  void Loop();
  // Reads one stream to its end. True when it brought anything.
  bool ReadStream(absl::Status* status);
  void Publish(Snapshot snapshot);
  void Close(absl::Status status);
  bool KeepWaiting(absl::Duration pause);

  Client* const client_;
  const int64_t experiment_;
  const absl::Duration patience_;

  Mutex mutex_;
  CondVar changed_;
  Update update_ ABSL_GUARDED_BY(mutex_);
  bool notify_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<Watch> stream_ ABSL_GUARDED_BY(mutex_);  // only to cancel it
  std::thread thread_;                                     // last: it uses all of the above
};

}  // namespace follow
}  // namespace det::cli
