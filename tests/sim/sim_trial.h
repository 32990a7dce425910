#pragma once

#include <memory>

#include "agent/core/agent_core.h"
#include "master/core/desired.h"
#include "master/ingest/report.h"
#include "tests/sim/checker.h"
#include "tests/sim/world.h"

namespace det::sim {

// What a trial's process meets on its host.
struct TrialHost {
  virtual ~TrialHost() = default;
  virtual bool RelayUp() const = 0;
  // Taken for good when it returns; a number that was taken before changes nothing.
  virtual void TakeReport(AllocationId id, ingest::Report report) = 0;
  virtual bool ShouldPreempt(AllocationId id) = 0;
  virtual void AckPreempt(AllocationId id) = 0;
  virtual void OnProcessExit(AllocationId id) = 0;
};

// The process of one run: trains step by step, reports, saves, leaves when asked, and fails in its
// ways. It outlives its agent.
class SimTrial : public std::enable_shared_from_this<SimTrial> {
 public:
  SimTrial(Kernel& kernel,
           Checker& checker,
           TrialHost& host,
           AllocationId id,
           const core::RunOrder& order);

  void Run();
  void Terminate();  // SIGTERM, then SIGKILL after a grace
  void Kill(const agent::Exit& exit);

  bool alive() const { return alive_; }
  const agent::Exit& exit() const { return exit_; }

 private:
  void Step();
  bool Leave();
  void Train();
  void Report(decltype(ingest::Report::body) body);
  void Checkpoint();
  void End(agent::Exit exit);
  void Again();

  Kernel& kernel_;
  Checker& checker_;
  TrialHost& host_;
  const AllocationId id_;
  const core::RunOrder order_;
  bool alive_ = true;
  bool cooperates_ = true;  // asks whether to leave
  bool ignores_stop_ = false;
  bool refuses_ = false;
  int64_t step_ = 0;
  int64_t target_ = 0;
  int64_t seq_ = 0;
  agent::Exit exit_;
};

}  // namespace det::sim
