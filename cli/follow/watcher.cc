#include "cli/follow/watcher.h"

#include <algorithm>
#include <utility>

#include "cli/client/client.h"
#include "cli/follow/from_proto.h"
#include "common/base/status.h"

namespace det::cli::follow {
namespace {

constexpr absl::Duration kPauseMin = absl::Milliseconds(100);
constexpr absl::Duration kPauseMax = absl::Seconds(1);

// A master that stops or restarts breaks its streams in one of these ways.
bool MayComeBack(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnavailable ||
         status.code() == absl::StatusCode::kCancelled;
}

absl::Status EndedEarly() {
  return Error(absl::StatusCode::kUnavailable,
               "STREAM_ENDED",
               "the master has ended the connection before the experiment came to its end");
}

}  // namespace

Watcher::Watcher(Client* client, int64_t experiment, absl::Duration patience)
    : client_(client), experiment_(experiment), patience_(patience) {
  thread_ = std::thread([this] { Loop(); });
}

Watcher::~Watcher() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    if (stream_ != nullptr) stream_->Cancel();
    changed_.NotifyAll();
  }
  thread_.join();
}

Watcher::Update Watcher::Wait(absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  const MutexLock lock(mutex_);
  while (!notify_) {
    if (!changed_.WaitFor(mutex_, deadline - absl::Now()) && absl::Now() >= deadline) break;
  }
  notify_ = update_.closed;
  const Update update = update_;
  update_.fresh = false;
  update_.interrupted = false;
  return update;
}

void Watcher::Interrupt() {
  const MutexLock lock(mutex_);
  update_.interrupted = true;
  notify_ = true;
  changed_.NotifyAll();
}

void Watcher::Publish(Snapshot snapshot) {
  const MutexLock lock(mutex_);
  update_.snapshot = std::move(snapshot);
  update_.fresh = true;
  update_.away = false;
  notify_ = true;
  changed_.NotifyAll();
}

void Watcher::Close(absl::Status status) {
  const MutexLock lock(mutex_);
  update_.closed = true;
  update_.status = std::move(status);
  notify_ = true;
  changed_.NotifyAll();
}

bool Watcher::ReadStream(absl::Status* status) {
  Watch* stream = nullptr;
  {
    const MutexLock lock(mutex_);
    stream_ = client_->WatchExperiment(experiment_);
    stream = stream_.get();
    if (stopping_) stream->Cancel();
  }
  bool any = false;
  api::WatchExperimentResponse response;
  while (stream->Read(&response)) {
    any = true;
    Publish(FromProto(response));
  }
  *status = stream->Finish();
  const MutexLock lock(mutex_);
  stream_.reset();
  return any;
}

// Says that the master is away and waits a little. False when nobody watches any more.
bool Watcher::KeepWaiting(absl::Duration pause) {
  const absl::Time until = absl::Now() + pause;
  const MutexLock lock(mutex_);
  if (!update_.away) {
    update_.away = true;
    notify_ = true;
    changed_.NotifyAll();
  }
  while (!stopping_ && absl::Now() < until) changed_.WaitFor(mutex_, until - absl::Now());
  return !stopping_;
}

void Watcher::Loop() {
  absl::Time seen = absl::InfinitePast();
  absl::Duration pause = kPauseMin;
  while (true) {
    absl::Status status;
    if (ReadStream(&status)) {
      seen = absl::Now();
      pause = kPauseMin;
    }
    bool ended = false;
    {
      const MutexLock lock(mutex_);
      if (stopping_) return;
      ended = update_.snapshot.has_value() && HasEnded(*update_.snapshot);
    }
    // A stream may break after its last message: the end is known all the same.
    if (ended) status = absl::OkStatus();
    if (status.ok() && !ended) status = EndedEarly();
    if (ended || !MayComeBack(status) || absl::Now() - seen > patience_) {
      Close(status);
      return;
    }
    if (!KeepWaiting(pause)) return;
    pause = std::min(pause * 2, kPauseMax);
  }
}

}  // namespace det::cli::follow
