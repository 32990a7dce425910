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
    kWait,   // nothing new
    kLast,   // the response is filled, and it is the last
    kDone,   // nothing more will come
  };

  PollingWriter(const Deps& deps, absl::Duration interval) : deps_(deps), interval_(interval) {}

  void Begin() {
    self_ = this->shared_from_this();
    Poll();
  }

 protected:
  virtual absl::StatusOr<Step> Next(Response* response) = 0;

 private:
  void Poll() {
    const bool queued = deps_.pool.Post([self = this->shared_from_this()] { self->Look(); });
    if (!queued) Wait();
  }

  void Wait() {
    deps_.timer.After(interval_, [self = this->shared_from_this()] { self->Poll(); });
  }

  void Look() {
    {
      MutexLock lock(mutex_);
      if (finished_) return;
      if (cancelled_) return FinishLocked(grpc::Status::CANCELLED);
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
      case Step::kWait:
        return Wait();
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
    Poll();
  }

  void OnCancel() override {
    MutexLock lock(mutex_);
    cancelled_ = true;
  }

  void OnDone() override { self_.reset(); }

  const Deps& deps_;
  const absl::Duration interval_;
  std::shared_ptr<PollingWriter> self_;
  Response response_;
  Mutex mutex_;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  bool last_ = false;
};

}  // namespace det::rpc
