#include "cli/logs/trial_tail.h"

#include <algorithm>
#include <utility>

#include "common/base/status.h"

namespace det::cli {
namespace {

constexpr absl::Duration kPatience = absl::Minutes(2);
constexpr absl::Duration kPauseMin = absl::Milliseconds(100);
constexpr absl::Duration kPauseMax = absl::Seconds(1);
// Longer than any attempt to connect: what lasted so long was a connection.
constexpr absl::Duration kConnected = absl::Seconds(30);
// Clocks are set back by less than that.
constexpr absl::Duration kClockStep = absl::Minutes(1);

// Which lines of a log that is read again have been read before.
class Replay {
 public:
  using Part = std::pair<int64_t, int32_t>;

  // `first` is the first line read; what comes before it was never wanted.
  explicit Replay(const std::optional<api::LogLine>& first) : first_(first) {}

  // `read`: how far its part was read; null: not at all.
  template <class Place>
  bool WasRead(const api::LogLine& line, const Place* read) {
    const Part part{line.run(), line.rank()};
    const bool at_first = first_.has_value() && part == Part{first_->run(), first_->rank()};
    if (at_first && line.line() >= first_->line()) first_.reset();
    if (read == nullptr) return first_.has_value();
    if (line.line() != read->line) return line.line() < read->line;
    return same_[part]++ < read->count;
  }

 private:
  std::optional<api::LogLine> first_;
  std::map<Part, int64_t> same_;
};

}  // namespace

absl::Status TrialTail::Run(const Sink& sink) {
  if (request_.follow()) DET_RETURN_IF_ERROR(CheckTrial());
  absl::Duration pause = kPauseMin;
  while (true) {
    const int64_t before = lines_read_;
    const absl::Time begun = absl::Now();
    const absl::Status status = ReadStream(sink);
    if (lines_read_ > before || absl::Now() - begun > kConnected) {
      seen_ = absl::Now();
      pause = kPauseMin;
    }
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

// A log may stay empty for long: the answer tells a master that has gone from one that never was.
absl::Status TrialTail::CheckTrial() {
  DET_RETURN_IF_ERROR(client_->GetTrial(request_.trial()).status());
  seen_ = absl::Now();
  return absl::OkStatus();
}

api::TailLogsRequest TrialTail::Resumed() const {
  api::TailLogsRequest request = request_;
  if (!first_.has_value() || request.tail() == 0) return request;
  // The last lines are others by now.
  request.clear_tail();
  const int64_t since = first_->at_unix_nanos() - absl::ToInt64Nanoseconds(kClockStep);
  api::LogFilter* filter = request.mutable_filter();
  filter->set_since_unix_nanos(std::max(filter->since_unix_nanos(), since));
  return request;
}

absl::Status TrialTail::ReadStream(const Sink& sink) {
  Stream<api::LogBatch>* stream = nullptr;
  {
    const MutexLock lock(mutex_);
    stream_ = client_->TailLogs(Resumed());
    stream = stream_.get();
    if (cancelled_) stream->Cancel();
  }
  const std::map<Part, Place> before = read_;
  Replay replay(first_);
  api::LogBatch batch;
  while (stream->Read(&batch)) {
    for (const api::LogLine& line : batch.lines()) {
      const Part part{line.run(), line.rank()};
      const auto known = before.find(part);
      if (replay.WasRead(line, known == before.end() ? nullptr : &known->second)) continue;
      if (!first_.has_value()) first_ = line;
      Place& place = read_[part];
      place = {line.line(), place.line == line.line() ? place.count + 1 : 1};
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
  return away && request_.follow() && absl::Now() - seen_ < kPatience;
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
