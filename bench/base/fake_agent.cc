#include "bench/base/fake_agent.h"

#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::bench {
namespace {

namespace v1 = ::det::agent::v1;

void AddCredentials(const std::string& token, const std::string& name, grpc::ClientContext* out) {
  out->AddMetadata("authorization", StrCat("Bearer ", token));
  out->AddMetadata("det-agent-id", name);
}

v1::AgentMessage HelloOf(const std::string& name, int slots) {
  v1::AgentMessage message;
  v1::Hello* hello = message.mutable_hello();
  hello->set_agent_id(name);
  hello->set_instance(name);
  hello->set_boot_id("bench");
  hello->set_version("bench");
  hello->set_pool("default");
  hello->set_address("bench");
  for (int i = 0; i < slots; ++i) {
    v1::Slot* slot = hello->add_slots();
    slot->set_index(i);
    slot->set_kind("artificial");
  }
  return message;
}

absl::Status Broken(std::string_view what) {
  return Error(
      absl::StatusCode::kUnavailable, "STREAM_ENDED", StrCat("the ", what, " stream has ended"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<FakeAgent>> FakeAgent::Connect(const Cluster& cluster,
                                                              const std::string& name,
                                                              int slots) {
  DET_ASSIGN_OR_RETURN(const std::string token, cluster.Token("agent"));
  std::unique_ptr<FakeAgent> agent(new FakeAgent());
  agent->control_ = v1::AgentControl::NewStub(cluster.Channel());
  agent->data_ = v1::AgentData::NewStub(cluster.Channel());
  AddCredentials(token, name, &agent->control_context_);
  AddCredentials(token, name, &agent->data_context_);
  agent->link_ = agent->control_->Connect(&agent->control_context_);
  if (!agent->link_->Write(HelloOf(name, slots))) return Broken("control");
  agent->ship_ = agent->data_->Ship(&agent->data_context_);
  agent->listener_ = std::thread([raw = agent.get()] { raw->Listen(); });
  return agent;
}

FakeAgent::~FakeAgent() {
  control_context_.TryCancel();
  data_context_.TryCancel();
  if (listener_.joinable()) listener_.join();
}

void FakeAgent::Listen() {
  v1::MasterMessage message;
  while (link_->Read(&message)) {
    for (const v1::DesiredAllocation& allocation : message.desired().allocations()) {
      if (!allocation.has_order()) continue;
      v1::AgentMessage status;
      status.mutable_status()->set_allocation(allocation.id());
      status.mutable_status()->set_state(v1::ALLOCATION_STATE_RUNNING);
      link_->Write(status);
      MutexLock lock(mutex_);
      run_ = {allocation.id(), allocation.order().trial()};
    }
  }
}

std::optional<FakeAgent::Run> FakeAgent::run() const {
  MutexLock lock(mutex_);
  return run_;
}

absl::Status FakeAgent::Send(const v1::ShipRequest& request) {
  return ship_->Write(request) ? absl::OkStatus() : Broken("data");
}

absl::Status FakeAgent::AwaitAck(int64_t seq) {
  v1::ShipReply reply;
  while (ship_->Read(&reply)) {
    if (reply.seq() >= seq) return absl::OkStatus();
  }
  return Broken("data");
}

absl::Status FakeAgent::Ship(const v1::ShipRequest& request) {
  DET_RETURN_IF_ERROR(Send(request));
  const int64_t last = request.reports().empty() ? request.logs().rbegin()->seq()
                                                 : request.reports().rbegin()->seq();
  return AwaitAck(last);
}

absl::StatusOr<std::vector<std::unique_ptr<FakeAgent>>> StartRuns(const Cluster& cluster,
                                                                  int count) {
  DET_RETURN_IF_ERROR(
      cluster.CreateExperiment(StrCat("name: ingest\nentrypoint: [\"true\"]\nhyperparameters: {}\n"
                                      "searcher: {name: random, metric: loss, max_trials: ",
                                      count,
                                      ", max_concurrent_trials: ",
                                      count,
                                      "}\nresources: {slots_per_trial: 1}\n")));
  std::vector<std::unique_ptr<FakeAgent>> agents;
  for (int i = 0; i < count; ++i) {
    DET_ASSIGN_OR_RETURN(auto agent, FakeAgent::Connect(cluster, StrCat("fake-", i), 1));
    agents.push_back(std::move(agent));
  }
  for (const auto& agent : agents)
    DET_RETURN_IF_ERROR(Await("a run", [&] { return agent->run().has_value(); }));
  return agents;
}

}  // namespace det::bench
