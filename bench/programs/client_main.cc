// A bare gRPC client: so many control connections, each that of an agent which does nothing. Says
// "ready" once all are welcomed, and goes on until it is killed.
//   DET_TOKEN=JOIN det-bench-client --master HOST:PORT [--prefix NAME] [--count N] [--slots N]
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "det/agent/v1/agent.grpc.pb.h"
#include <grpcpp/grpcpp.h>

#include "common/base/flags.h"
#include "common/base/mutex.h"
#include "common/base/strings.h"
#include "common/os/pause.h"

namespace {

namespace v1 = ::det::agent::v1;

constexpr absl::Duration kHeartbeat = absl::Seconds(5);  // as agents send them
// Connections that come about at a time: the master's backlog is no more than that of any server.
constexpr int64_t kConnectingMax = 64;

class Connection : public grpc::ClientBidiReactor<v1::AgentMessage, v1::MasterMessage> {
 public:
  Connection(const std::string& target, const std::string& token, std::string name)
      : name_(std::move(name)) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    stub_ = v1::AgentControl::NewStub(
        grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments));
    context_.AddMetadata("authorization", det::StrCat("Bearer ", token));
    context_.AddMetadata("det-agent-id", name_);
  }

  void Begin(int slots) {
    v1::Hello* hello = outgoing_.mutable_hello();
    hello->set_agent_id(name_);
    hello->set_instance(name_);
    hello->set_boot_id("bench");
    hello->set_version("bench");
    hello->set_pool("default");
    hello->set_address("bench");
    for (int i = 0; i < slots; ++i) {
      v1::Slot* slot = hello->add_slots();
      slot->set_index(i);
      slot->set_kind("artificial");
    }
    stub_->async()->Connect(&context_, this);
    writing_ = true;
    StartRead(&incoming_);
    StartWrite(&outgoing_);
    StartCall();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return;
    if (incoming_.has_welcome()) ready_ = true;
    if (incoming_.has_desired()) generation_ = incoming_.desired().generation();
    StartRead(&incoming_);
  }
  void OnWriteDone(bool /*ok*/) override { writing_ = false; }
  void OnDone(const grpc::Status& status) override {
    std::fprintf(stderr, "%s: %s\n", name_.c_str(), status.error_message().c_str());
    ended_ = true;
  }

  void Beat() {
    if (ended_ || writing_.exchange(true)) return;
    outgoing_.mutable_heartbeat()->set_generation(generation_);
    StartWrite(&outgoing_);
  }
  bool ready() const { return ready_; }
  bool ended() const { return ended_; }

 private:
  const std::string name_;
  std::unique_ptr<v1::AgentControl::Stub> stub_;
  grpc::ClientContext context_;
  v1::AgentMessage outgoing_;
  v1::MasterMessage incoming_;
  std::atomic<bool> writing_{false};
  std::atomic<bool> ready_{false};
  std::atomic<bool> ended_{false};
  std::atomic<int64_t> generation_{0};
};

using Connections = std::vector<std::unique_ptr<Connection>>;

// False when one was refused.
bool AwaitReady(const Connections& all, size_t from) {
  for (size_t i = from; i < all.size(); ++i) {
    while (!all[i]->ready()) {
      if (all[i]->ended()) return false;
      det::PauseFor(absl::Milliseconds(1));
    }
  }
  return true;
}

int64_t Number(const det::Flags& flags, const std::string& name, int64_t otherwise) {
  return flags.Has(name) ? std::atoll(flags.Get(name).c_str()) : otherwise;
}

}  // namespace

int main(int argc, char** argv) {
  const auto flags = det::ParseFlags(argc, argv, {"master", "prefix", "count", "slots"}, {});
  const char* token = std::getenv("DET_TOKEN");
  if (!flags.ok() || token == nullptr) {
    std::fprintf(stderr, "usage: DET_TOKEN=T det-bench-client --master HOST:PORT [--count N]\n");
    return 2;
  }
  const int64_t count = Number(*flags, "count", 1);
  const auto slots = static_cast<int>(Number(*flags, "slots", 1));
  Connections all;
  size_t checked = 0;
  for (int64_t i = 0; i < count; ++i) {
    all.push_back(std::make_unique<Connection>(
        flags->Get("master"), token, det::StrCat(flags->Get("prefix"), "-", i)));
    all.back()->Begin(slots);
    if ((i + 1) % kConnectingMax != 0 && i + 1 < count) continue;
    if (!AwaitReady(all, checked)) return 1;
    checked = all.size();
  }
  std::puts("ready");
  std::fflush(stdout);
  // Spread over the time between two beats, as those of real agents are.
  const absl::Duration pause = kHeartbeat / static_cast<double>(count);
  for (size_t i = 0;; i = (i + 1) % all.size()) {
    all[i]->Beat();
    det::PauseFor(pause);
  }
}
