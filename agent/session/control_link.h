#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "det/agent/v1/agent.pb.h"

#include "agent/session/channel.h"
#include "common/base/mutex.h"

namespace det::agent {

// The control connection: kept up for ever, whatever the master does. Any thread.
class ControlLink {
 public:
  // Called on the link's thread, one at a time.
  struct Events {
    std::function<v1::Hello()> hello;  // asked at each connect
    std::function<void(const v1::Welcome&)> on_welcome;
    std::function<void(const v1::DesiredSet&)> on_desired;
    std::function<void(const v1::StatusAck&)> on_status_ack;
    std::function<void()> on_disconnected;
    std::function<int64_t()> generation;  // for heartbeats
  };

  // A master that takes a hello and then says nothing for so long is given up.
  static constexpr absl::Duration kWelcomeTimeout = absl::Seconds(10);

  ControlLink(MasterAddress address,
              Events events,
              absl::Duration welcome_timeout = kWelcomeTimeout);
  ~ControlLink();

  // Once. No event comes before.
  void Start();

  // Sent now, or not at all while there is no connection: statuses are sent again after a welcome.
  void Send(v1::Status status);

 private:
  struct Stream;

  void Loop();
  void RunOnce(Backoff* backoff);
  void Converse(Stream& stream, Backoff* backoff);
  void Dispatch(const v1::MasterMessage& message, Backoff* backoff);
  void WriteLoop(Stream& stream);
  bool Sleep(absl::Duration duration);

  const MasterAddress address_;
  const Events events_;
  const absl::Duration welcome_timeout_;
  Mutex mutex_;
  CondVar wake_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool welcomed_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<v1::AgentMessage> outbox_ ABSL_GUARDED_BY(mutex_);
  Stream* stream_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::string last_error_;
  std::thread thread_;
};

}  // namespace det::agent
