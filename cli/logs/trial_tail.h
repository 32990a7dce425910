#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "cli/client/client.h"
#include "common/base/mutex.h"

namespace det::cli {

// Reads the log of one trial to its end. Where it follows, a master that goes away is awaited, and
// reading goes on behind the last line read.
class TrialTail {
 public:
  using Sink = std::function<void(const api::LogLine&)>;

  TrialTail(Client* client, api::TailLogsRequest request)
      : client_(client), request_(std::move(request)) {}

  // Gives each line to `sink`, on this thread.
  absl::Status Run(const Sink& sink);
  // Ends Run soon. Any thread.
  void Cancel();

 private:
  using Part = std::pair<int64_t, int32_t>;  // run and rank
  // The last line of a part that was read. Lines that the master adds have the number of the one
  // that they stand behind.
  struct Place {
    int64_t line = 0;
    int64_t count = 0;  // lines read of this number
  };

  absl::Status CheckTrial();
  absl::Status ReadStream(const Sink& sink);
  // The request that reads on: the lines read before are among those that it gives.
  api::TailLogsRequest Resumed() const;
  bool MayResume(const absl::Status& status);
  bool Pause(absl::Duration pause);

  Client* const client_;
  const api::TailLogsRequest request_;
  std::optional<api::LogLine> first_;  // that was read
  std::map<Part, Place> read_;
  int64_t lines_read_ = 0;
  absl::Time seen_ = absl::InfinitePast();  // the master, by an answer of its

  Mutex mutex_;
  CondVar cancelled_changed_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<Stream<api::LogBatch>> stream_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace det::cli
