#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "absl/status/statusor.h"

#include "master/engine/agent_reconciler.h"
#include "master/engine/commit_queue.h"
#include "master/engine/core_inbox.h"
#include "master/engine/output_gate.h"
#include "master/engine/recovery.h"
#include "master/engine/stepper.h"
#include "tests/sim/checker.h"
#include "tests/sim/messages.h"
#include "tests/sim/metric_store.h"
#include "tests/sim/network.h"

namespace det::sim {

// One life of a master: recovery, turns of the core, commits, the gate, sessions, ingest. The parts
// are the product's own; what is simulated is the threads between them and the store below.
class SimMaster : public MasterPort,
                  public engine::CoreInbox,
                  public std::enable_shared_from_this<SimMaster> {
 public:
  struct Deps {
    Kernel& kernel;
    Network& network;
    std::shared_ptr<journal::MemoryStore> store;
    scheduler::Rules rules;
    MetricStore& metrics;
    Checker& checker;
    std::function<AgentPort*(const AgentId&)> agent;
    std::function<void()> on_death;         // it crashed or lost its lease
    std::function<void()> on_lease_stolen;  // another one starts beside it
  };

  explicit SimMaster(Deps deps) : deps_(std::move(deps)), gate_(0) {}

  // Takes the lease and recovers; dies on the way when a fault says so.
  void Start();
  void Post(core::Command command, Reply reply) override;
  absl::Status Follow(engine::OutputGate::Output then) override;
  bool alive() const { return alive_; }
  bool serving() const { return alive_ && stepper_.has_value(); }
  const core::State& state() const { return stepper_->state(); }
  bool all_durable() const { return gate_.durable_seq() == state().seq; }

  void OnHello(std::shared_ptr<Connection> c, const core::ConnectAgent& hello) override;
  void OnStatus(std::shared_ptr<Connection> c, const core::ReportStatus& status) override;
  void OnHeartbeat(std::shared_ptr<Connection> c, int64_t generation) override;
  void OnReports(std::shared_ptr<Connection> c,
                 int64_t number,
                 std::vector<ingest::Report> reports) override;
  void OnBroken(std::shared_ptr<Connection> c) override;

 private:
  struct Request {
    core::Command command;
    Reply reply;
    std::shared_ptr<Connection> connection;  // of a hello
    engine::OutputGate::Output follow;       // instead of a command
  };

  std::unique_ptr<journal::Journal> MakeJournal();
  void Retry(absl::Duration delay, void (SimMaster::*step)());
  void Recover();
  bool CheckRecovery(const core::State& state);
  void Die(const std::string& why);
  void ScheduleTurn();
  void Turn();
  void RunRequest(Request request);
  void Deliver(std::vector<engine::AgentReconciler::Delivery> deliveries);
  void Hold(engine::OutputGate::Output output);
  void Commit();
  void Append();
  void Resolve();
  void Durable();
  void Watch();
  void Ingest();

  Deps deps_;
  bool alive_ = true;
  int64_t epoch_ = 0;
  std::unique_ptr<journal::Journal> journal_;
  std::optional<engine::Stepper> stepper_;
  engine::OutputGate gate_;
  engine::CommitQueue queue_;
  engine::AgentReconciler reconciler_;
  std::deque<Request> inbox_;
  std::deque<std::pair<std::shared_ptr<Connection>, std::vector<ingest::Report>>> ingesting_;
  std::optional<journal::Batch> committing_;
  bool turn_scheduled_ = false;
  std::vector<std::shared_ptr<Connection>> connections_;
};

}  // namespace det::sim
