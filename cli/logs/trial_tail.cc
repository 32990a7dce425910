#include "cli/logs/trial_tail.h"

#include <algorithm>
#include <utility>

namespace det::cli {
namespace {

constexpr absl::Duration kPatience = absl::Minutes(2);
constexpr absl::Duration kPauseMin = absl::Milliseconds(100);
constexpr absl::Duration kPauseMax = absl::Seconds(3);

}  // namespace

absl::Status TrialTail::Run(const Sink& sink) {
  absl::Duration pause = kPauseMin;
  while (true) {
    const int64_t before = lines_read_;
    const absl::Status status = ReadStream(sink);
    if (lines_read_ > before) pause = kPauseMin;
    if (!MayResume(status) || !Pause(pause)) return status;
    pause = std::min(pause * 2, kPauseMax);
  }
}

void TrialTail::Cancel() {
  const MutexLock lock(mutex_);
  cancelled_ = true;
  if (stream_ != nullptr) stream_->Cancel();
  cancelled_changed_.NotifyAll();
}

absl::Status TrialTail::ReadStream(const Sink& sink) {
  Stream<api::LogBatch>* stream = nullptr;
  {
    const MutexLock lock(mutex_);
    stream_ = client_->TailLogs(request_);
    stream = stream_.get();
    if (cancelled_) stream->Cancel();
  }
  int64_t skip = lines_read_;
  api::LogBatch batch;
  while (stream->Read(&batch)) {
    seen_ = absl::Now();
    for (const api::LogLine& line : batch.lines()) {
      if (skip-- > 0) continue;
      ++lines_read_;
      sink(line);
    }
  }
  const absl::Status status = stream->Finish();
  const MutexLock lock(mutex_);
  stream_.reset();
  return status;
}

bool TrialTail::MayResume(const absl::Status& status) {
  const bool away = status.code() == absl::StatusCode::kUnavailable ||
                    status.code() == absl::StatusCode::kCancelled;
  return away && request_.follow() && request_.tail() == 0 && absl::Now() - seen_ < kPatience;
}

// False when it was cancelled meanwhile.
bool TrialTail::Pause(absl::Duration pause) {
  const absl::Time until = absl::Now() + pause;
  const MutexLock lock(mutex_);
  while (!cancelled_ && absl::Now() < until) {
    cancelled_changed_.WaitFor(mutex_, until - absl::Now());
  }
  return !cancelled_;
}

}  // namespace det::cli
