#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "det/agent/v1/agent.grpc.pb.h"
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "agent/session/channel.h"
#include "agent/testing/ledger.h"
#include "common/base/mutex.h"
#include "common/base/strings.h"

namespace det::agent {

// A master in this process, on a port of its own, that does as it is told: well or badly. Any
// thread.
class FakeMaster final : public v1::AgentControl::Service, public v1::AgentData::Service {
 public:
  static constexpr char kToken[] = "join-secret";

  // Port 0: any.
  explicit FakeMaster(int port = 0) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(StrCat("127.0.0.1:", port), grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(static_cast<v1::AgentControl::Service*>(this));
    builder.RegisterService(static_cast<v1::AgentData::Service*>(this));
    builder.SetMaxReceiveMessageSize(16 << 20);
    server_ = builder.BuildAndStart();
    EXPECT_NE(server_, nullptr);
  }
  ~FakeMaster() override { Stop(); }

  void Stop() {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
    server_.reset();
  }
  int port() const { return port_; }
  MasterAddress address(const std::string& token = kToken) const {
    return {
        .target = StrCat("127.0.0.1:", port_), .join_token = Secret(token), .agent_id = "agent"};
  }

  // How it behaves.
  std::atomic<bool> silent{false};       // takes a hello and says nothing
  std::atomic<bool> hang_up{false};      // ends each control connection after the welcome
  std::atomic<bool> refuse_data{false};  // with INVALID_ARGUMENT
  std::atomic<bool> hold_acks{false};    // takes data without a word
  std::atomic<int> acks{1};              // how often it says each
  std::atomic<int64_t> epoch{1};

  // What the agent should run, now and after each welcome.
  void Desire(v1::DesiredSet desired) {
    MutexLock lock(mutex_);
    desired.set_epoch(epoch);
    desired.set_generation(++generation_);
    desired_ = desired;
    v1::MasterMessage message;
    *message.mutable_desired() = desired_;
    if (control_ != nullptr) control_->Write(message);
  }
  void AddContext(const std::string& sha256, std::string bytes) {
    MutexLock lock(mutex_);
    contexts_[sha256] = std::move(bytes);
  }

  // What it heard.
  std::vector<v1::Hello> hellos() const {
    MutexLock lock(mutex_);
    return hellos_;
  }
  std::vector<v1::Status> statuses() const {
    MutexLock lock(mutex_);
    return statuses_;
  }
  // The last state it heard of, with its exit.
  v1::Status last(int64_t allocation) const {
    v1::Status found;
    for (const v1::Status& status : statuses())
      if (status.allocation() == allocation) found = status;
    return found;
  }
  int64_t heartbeats() const { return heartbeats_; }
  int64_t refused() const { return refused_; }
  int64_t shipments() const { return shipments_; }
  int64_t fetches() const { return fetches_; }
  template <class F>
  auto WithLedger(F look) const {
    MutexLock lock(mutex_);
    return look(ledger_);
  }

 private:
  using Control = grpc::ServerReaderWriter<v1::MasterMessage, v1::AgentMessage>;
  using Data = grpc::ServerReaderWriter<v1::ShipReply, v1::ShipRequest>;

  bool Knows(const grpc::ServerContext& context) {
    const auto it = context.client_metadata().find("authorization");
    const bool known =
        it != context.client_metadata().end() && it->second == StrCat("Bearer ", kToken);
    if (!known) ++refused_;
    return known;
  }
  static grpc::Status Unknown() {
    return {grpc::StatusCode::UNAUTHENTICATED, "the join token is wrong"};
  }

  grpc::Status Connect(grpc::ServerContext* context, Control* stream) override {
    if (!Knows(*context)) return Unknown();
    v1::AgentMessage message;
    if (!stream->Read(&message) || !message.has_hello()) return grpc::Status::CANCELLED;
    {
      MutexLock lock(mutex_);
      hellos_.push_back(message.hello());
    }
    if (silent) {
      while (stream->Read(&message)) continue;
      return grpc::Status::OK;
    }
    Welcome(stream);
    while (!hang_up && stream->Read(&message)) Hear(message, stream);
    MutexLock lock(mutex_);
    if (control_ == stream) control_ = nullptr;
    return grpc::Status::OK;
  }

  void Welcome(Control* stream) {
    MutexLock lock(mutex_);
    v1::MasterMessage welcome;
    welcome.mutable_welcome()->set_epoch(epoch);
    welcome.mutable_welcome()->set_cluster_id("cluster");
    stream->Write(welcome);
    v1::MasterMessage message;
    *message.mutable_desired() = desired_;
    message.mutable_desired()->set_epoch(epoch);
    if (generation_ > 0) stream->Write(message);
    control_ = stream;
  }

  void Hear(const v1::AgentMessage& message, Control* stream) {
    MutexLock lock(mutex_);
    if (message.has_heartbeat()) ++heartbeats_;
    if (!message.has_status()) return;
    statuses_.push_back(message.status());
    v1::MasterMessage ack;
    ack.mutable_status_ack()->set_allocation(message.status().allocation());
    ack.mutable_status_ack()->set_state(message.status().state());
    for (int i = 0; i < acks; ++i) stream->Write(ack);
  }

  grpc::Status Ship(grpc::ServerContext* context, Data* stream) override {
    if (!Knows(*context)) return Unknown();
    v1::ShipRequest request;
    while (stream->Read(&request)) {
      ++shipments_;
      if (refuse_data) return {grpc::StatusCode::INVALID_ARGUMENT, "bad data"};
      if (hold_acks) continue;
      v1::ShipReply reply;
      {
        MutexLock lock(mutex_);
        reply = ledger_.Take(request);
      }
      for (int i = 0; i < acks; ++i) stream->Write(reply);
    }
    return grpc::Status::OK;
  }

  grpc::Status FetchContext(grpc::ServerContext* context,
                            const v1::FetchContextRequest* request,
                            grpc::ServerWriter<v1::ContextChunk>* writer) override {
    if (!Knows(*context)) return Unknown();
    ++fetches_;
    MutexLock lock(mutex_);
    const auto it = contexts_.find(request->sha256());
    if (it == contexts_.end()) return {grpc::StatusCode::NOT_FOUND, "no such context"};
    for (size_t at = 0; at < it->second.size(); at += kChunk) {
      v1::ContextChunk chunk;
      chunk.set_data(it->second.substr(at, kChunk));
      writer->Write(chunk);
    }
    return grpc::Status::OK;
  }

  static constexpr size_t kChunk = 1 << 16;

  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  mutable Mutex mutex_;
  std::vector<v1::Hello> hellos_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::Status> statuses_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string> contexts_ ABSL_GUARDED_BY(mutex_);
  Ledger ledger_ ABSL_GUARDED_BY(mutex_);
  v1::DesiredSet desired_ ABSL_GUARDED_BY(mutex_);
  int64_t generation_ ABSL_GUARDED_BY(mutex_) = 0;
  Control* control_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::atomic<int64_t> heartbeats_{0};
  std::atomic<int64_t> refused_{0};
  std::atomic<int64_t> shipments_{0};
  std::atomic<int64_t> fetches_{0};
};

}  // namespace det::agent
