#pragma once

#include <memory>
#include <utility>

#include <grpcpp/grpcpp.h>

#include "common/base/mutex.h"
#include "common/net/grpc_status.h"
#include "master/rpc/deps.h"

namespace det::rpc {

// A server stream that looks for something new at intervals: `Next` runs on the pool and may block.
// No thread waits in between. It keeps itself until the call is over and no work of its own is
// left.
template <class Response>
class PollingWriter : public grpc::ServerWriteReactor<Response>,
                      public std::enable_shared_from_this<PollingWriter<Response>> {
 public:
  enum class Step {
    kWrite,  // the response is filled: send it and go on
    kAgain,  // nothing to send yet, and there is more to do: go on when others had their turn
    kWait,   // nothing new
    kLast,   // the response is filled, and it is the last
    kDone,   // nothing more will come
  };

  PollingWriter(const Deps& deps, absl::Duration interval) : deps_(deps), interval_(interval) {}

  void Begin() {
    self_ = this->shared_from_this();
    MutexLock lock(mutex_);
    PollLocked();
  }

  // There may be something new: looks at once. Any thread; does not block.
  void Wake() {
    MutexLock lock(mutex_);
    woken_ = true;
    if (waiting_) PollLocked();
  }

 protected:
  virtual absl::StatusOr<Step> Next(Response* response) = 0;

 private:
  void PollLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    waiting_ = false;
    const bool queued = deps_.pool.Post([self = this->shared_from_this()] { self->Look(); });
    if (!queued) WaitLocked();
  }

  // One timer at a time, however often it is woken meanwhile.
  void WaitLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    waiting_ = true;
    if (std::exchange(armed_, true)) return;
    deps_.timer.After(interval_, [self = this->shared_from_this()] {
      MutexLock lock(self->mutex_);
      self->armed_ = false;
      if (self->waiting_) self->PollLocked();
    });
  }

  void Look() {
    {
      MutexLock lock(mutex_);
      if (finished_) return;
      if (cancelled_) return FinishLocked(grpc::Status::CANCELLED);
      woken_ = false;
    }
    response_.Clear();
    const absl::StatusOr<Step> step = Next(&response_);
    MutexLock lock(mutex_);
    if (finished_) return;
    if (cancelled_) return FinishLocked(grpc::Status::CANCELLED);
    if (!step.ok()) return FinishLocked(net::ToGrpc(step.status()));
    switch (*step) {
      case Step::kDone:
        return FinishLocked(grpc::Status::OK);
      case Step::kAgain:
        return PollLocked();
      case Step::kWait:
        return woken_ ? PollLocked() : WaitLocked();
      case Step::kLast:
        last_ = true;
        [[fallthrough]];
      case Step::kWrite:
        this->StartWrite(&response_);
    }
  }

  void FinishLocked(const grpc::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    finished_ = true;
    this->Finish(status);
  }

  void OnWriteDone(bool ok) override {
    MutexLock lock(mutex_);
    if (finished_) return;
    if (!ok) return FinishLocked(grpc::Status::CANCELLED);
    if (last_) return FinishLocked(grpc::Status::OK);
    PollLocked();
  }

  void OnCancel() override {
    MutexLock lock(mutex_);
    cancelled_ = true;
    if (waiting_) PollLocked();
  }

  void OnDone() override { self_.reset(); }

  const Deps& deps_;
  const absl::Duration interval_;
  std::shared_ptr<PollingWriter> self_;
  Response response_;
  Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  bool waiting_ ABSL_GUARDED_BY(mutex_) = false;  // for news, or for the timer
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;    // since the last look began
  bool armed_ ABSL_GUARDED_BY(mutex_) = false;    // the timer
  bool last_ = false;
};

}  // namespace det::rpc
