#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/agent_core.h"
#include "tests/sim/checker.h"
#include "tests/sim/messages.h"
#include "tests/sim/network.h"
#include "tests/sim/sim_trial.h"

namespace det::sim {

// A host: its disk, the processes of trials on it, and an agent that comes and goes. The agent's
// decisions are the product's; its runtime, spool and link are simulated.
class SimHost : public AgentPort, public TrialHost {
 public:
  struct Deps {
    Kernel& kernel;
    Network& network;
    Checker& checker;
    std::function<MasterPort*()> master;  // the one that answers now, or nullptr
  };
  SimHost(Deps deps, AgentId id, int slots)
      : deps_(std::move(deps)), id_(std::move(id)), slots_(slots) {}

  void StartAgent();
  bool agent_alive() const { return core_.has_value(); }
  int64_t live_processes() const;
  void OnBroken(const std::shared_ptr<Connection>& c);

  void OnWelcome(std::shared_ptr<Connection> c, int64_t epoch) override;
  void OnDesired(std::shared_ptr<Connection> c,
                 int64_t epoch,
                 const core::DesiredSet& set) override;
  void OnStatusAck(std::shared_ptr<Connection> c,
                   AllocationId id,
                   core::AllocationState state) override;
  void OnReportAck(std::shared_ptr<Connection> c, AllocationId id, int64_t seq) override;

  // The relay, as a trial sees it.
  bool RelayUp() const override { return agent_alive(); }
  void TakeReport(AllocationId id, ingest::Report report) override;
  bool ShouldPreempt(AllocationId id) override;
  void AckPreempt(AllocationId id) override;
  void OnProcessExit(AllocationId id) override;

 private:
  struct Spool {
    std::vector<ingest::Report> unacked;
    int64_t last_seq = 0;
    int64_t sent = 0;                            // on this connection, up to here
    absl::Time answered = absl::InfinitePast();  // or first sent
  };

  void Crash(const std::string& why);
  void Connect();
  void Tick();
  void Ship(AllocationId id, Spool& spool);
  void ShipSoon(AllocationId id);
  void CheckDrained(AllocationId id);
  void Do(const agent::Actions& actions);
  bool DoOne(const agent::Action& action);
  void LaterPrepared(AllocationId id);
  void LaterStarted(AllocationId id);
  // Runs `action` later if this life of the agent goes on till then.
  void Later(absl::Duration delay, std::function<void()> action);

  Deps deps_;
  const AgentId id_;
  const int slots_;

  // The disk.
  std::map<AllocationId, agent::Held> saved_;
  std::map<AllocationId, Spool> spools_;

  // Processes; those that are over stay until their allocation is forgotten.
  std::map<AllocationId, std::shared_ptr<SimTrial>> processes_;
  std::map<AllocationId, core::RunOrder> orders_;  // what an order's text stands for

  // The agent.
  std::optional<agent::AgentCore> core_;
  int64_t life_ = 0;
  std::shared_ptr<Connection> connection_;
  bool welcomed_ = false;
  absl::Time hello_sent_ = absl::InfinitePast();
  std::map<AllocationId, bool> preempted_;
};

}  // namespace det::sim
