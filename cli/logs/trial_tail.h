#pragma once

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "cli/client/client.h"
#include "common/base/mutex.h"

namespace det::cli {

// Reads the log of one trial to its end. Where it follows, a master that goes away is awaited, and
// reading goes on behind the last line read; that needs the log from its beginning, so with a tail
// the error is final.
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
  absl::Status ReadStream(const Sink& sink);
  bool MayResume(const absl::Status& status);
  bool Pause(absl::Duration pause);

  Client* const client_;
  const api::TailLogsRequest request_;
  int64_t lines_read_ = 0;
  absl::Time seen_ = absl::InfinitePast();

  Mutex mutex_;
  CondVar cancelled_changed_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<Stream<api::LogBatch>> stream_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace det::cli
