#include "agent/session/control_link.h"

#include "det/agent/v1/agent.grpc.pb.h"

#include "common/log/log.h"
#include "common/net/grpc_status.h"

namespace det::agent {
namespace {

constexpr absl::Duration kHeartbeat = absl::Seconds(5);
constexpr size_t kOutboxMax = 100000;

}  // namespace

struct ControlLink::Stream {
  grpc::ClientContext context;
  std::unique_ptr<v1::AgentControl::Stub> stub;
  std::unique_ptr<grpc::ClientReaderWriter<v1::AgentMessage, v1::MasterMessage>> call;
  bool closed = false;  // under the link's mutex
};

ControlLink::ControlLink(MasterAddress address, Events events)
    : address_(std::move(address)), events_(std::move(events)), thread_([this] { Loop(); }) {}

ControlLink::~ControlLink() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    if (stream_ != nullptr) stream_->context.TryCancel();
  }
  wake_.NotifyAll();
  thread_.join();
}

void ControlLink::Send(v1::Status status) {
  v1::AgentMessage message;
  *message.mutable_status() = std::move(status);
  MutexLock lock(mutex_);
  if (!welcomed_ || outbox_.size() >= kOutboxMax) return;
  outbox_.push_back(std::move(message));
  wake_.NotifyAll();
}

void ControlLink::Loop() {
  Backoff backoff;
  while (true) {
    {
      MutexLock lock(mutex_);
      if (stopping_) return;
    }
    RunOnce(&backoff);
    if (Sleep(backoff.Next())) return;
  }
}

// True when it is time to end.
bool ControlLink::Sleep(absl::Duration duration) {
  MutexLock lock(mutex_);
  if (!stopping_) wake_.WaitFor(mutex_, duration);
  return stopping_;
}

void ControlLink::RunOnce(Backoff* backoff) {
  Stream stream;
  AddCredentials(address_, &stream.context);
  stream.stub = v1::AgentControl::NewStub(MakeChannel(address_, "control"));
  stream.call = stream.stub->Connect(&stream.context);
  {
    MutexLock lock(mutex_);
    stream_ = &stream;
    if (stopping_) stream.context.TryCancel();
  }
  Converse(stream, backoff);
  {
    MutexLock lock(mutex_);
    stream_ = nullptr;
  }
  const absl::Status status = net::FromGrpc(stream.call->Finish());
  const std::string error(status.message());
  if (!status.ok() && error != last_error_) {
    LogWarning("no connection to the master", {{"master", address_.target}, {"cause", error}});
  }
  last_error_ = error;
}

void ControlLink::Converse(Stream& stream, Backoff* backoff) {
  v1::AgentMessage hello;
  *hello.mutable_hello() = events_.hello();
  if (!stream.call->Write(hello)) return;
  std::thread writer([&] { WriteLoop(stream); });
  v1::MasterMessage message;
  while (stream.call->Read(&message)) Dispatch(message, backoff);
  bool was_welcomed = false;
  {
    MutexLock lock(mutex_);
    stream.closed = true;
    was_welcomed = welcomed_;
    welcomed_ = false;
    outbox_.clear();
    wake_.NotifyAll();
  }
  stream.context.TryCancel();
  writer.join();
  if (was_welcomed) events_.on_disconnected();
}

void ControlLink::Dispatch(const v1::MasterMessage& message, Backoff* backoff) {
  switch (message.message_case()) {
    case v1::MasterMessage::kWelcome: {
      {
        MutexLock lock(mutex_);
        welcomed_ = true;
      }
      backoff->Reset();
      last_error_.clear();
      LogInfo("connected",
              {{"master", address_.target}, {"epoch", std::to_string(message.welcome().epoch())}});
      return events_.on_welcome(message.welcome());
    }
    case v1::MasterMessage::kDesired:
      return events_.on_desired(message.desired());
    case v1::MasterMessage::kStatusAck:
      return events_.on_status_ack(message.status_ack());
    case v1::MasterMessage::MESSAGE_NOT_SET:
      return;  // of a newer master
  }
}

// Sends what waits, and a heartbeat whenever nothing was sent for a while.
void ControlLink::WriteLoop(Stream& stream) {
  while (true) {
    v1::AgentMessage message;
    {
      MutexLock lock(mutex_);
      if (outbox_.empty() && !stream.closed) wake_.WaitFor(mutex_, kHeartbeat);
      if (stream.closed) return;
      if (!outbox_.empty()) {
        message = std::move(outbox_.front());
        outbox_.pop_front();
      }
    }
    if (message.message_case() == v1::AgentMessage::MESSAGE_NOT_SET) {
      message.mutable_heartbeat()->set_generation(events_.generation());
    }
    if (!stream.call->Write(message)) return;
  }
}

}  // namespace det::agent
