#include "agent/session/control_link.h"

#include "det/agent/v1/agent.grpc.pb.h"

#include "common/log/log.h"
#include "common/net/grpc_status.h"
#include "common/net/message_text.h"
#include "common/os/process.h"

namespace det::agent {
namespace {

constexpr absl::Duration kHeartbeat = absl::Seconds(5);
constexpr size_t kOutboxMax = 100000;

}  // namespace

struct ControlLink::Stream {
  grpc::ClientContext context;
  std::unique_ptr<v1::AgentControl::Stub> stub;
  std::unique_ptr<grpc::ClientReaderWriter<v1::AgentMessage, v1::MasterMessage>> call;
  // Under the link's mutex.
  bool closed = false;
  bool silent = false;  // no welcome came
};

ControlLink::ControlLink(MasterAddress address, Events events, absl::Duration welcome_timeout)
    : address_(std::move(address)), events_(std::move(events)), welcome_timeout_(welcome_timeout) {}

void ControlLink::Start() {
  thread_ = std::thread([this] { Loop(); });
}

ControlLink::~ControlLink() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    if (stream_ != nullptr) stream_->context.TryCancel();
  }
  wake_.NotifyAll();
  if (thread_.joinable()) thread_.join();
}

void ControlLink::Send(v1::Status status) {
  v1::AgentMessage message;
  *message.mutable_status() = std::move(status);
  // A status that the master can't read would end this connection, and each one after it.
  net::MakeStringsUtf8(&message);
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
  {
    MutexLock lock(mutex_);
    stream_ = &stream;
    if (stopping_) stream.context.TryCancel();
  }
  // Waits for the connection.
  stream.call = stream.stub->Connect(&stream.context);
  Converse(stream, backoff);
  bool stopping = false;
  {
    MutexLock lock(mutex_);
    stream_ = nullptr;
    stopping = stopping_;
  }
  const absl::Status status = net::FromGrpc(stream.call->Finish());
  const std::string error(stream.silent ? "it does not answer" : status.message());
  if (!status.ok() && error != last_error_ && !stopping) {
    LogWarning("no connection to the master", {{"master", address_.target}, {"cause", error}});
  }
  last_error_ = error;
}

void ControlLink::Converse(Stream& stream, Backoff* backoff) {
  v1::AgentMessage hello;
  *hello.mutable_hello() = events_.hello();
  net::MakeStringsUtf8(&hello);
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
  // The call is over, so no write blocks. Cancelling it would hide why.
  writer.join();
  if (was_welcomed) events_.on_disconnected();
}

void ControlLink::Dispatch(const v1::MasterMessage& message, Backoff* backoff) {
  switch (message.message_case()) {
    case v1::MasterMessage::kWelcome: {
      {
        MutexLock lock(mutex_);
        welcomed_ = true;
        wake_.NotifyAll();
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
  const absl::Duration welcome_by = SteadyNow() + welcome_timeout_;
  while (true) {
    v1::AgentMessage message;
    {
      MutexLock lock(mutex_);
      const absl::Duration patience = welcomed_ ? kHeartbeat : welcome_by - SteadyNow();
      if (outbox_.empty() && !stream.closed) wake_.WaitFor(mutex_, patience);
      if (stream.closed) return;
      if (!welcomed_ && SteadyNow() < welcome_by) continue;
      if (!welcomed_) {
        stream.silent = true;
        return stream.context.TryCancel();
      }
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
