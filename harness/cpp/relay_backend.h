#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <thread>

#include "harness/cpp/backend.h"
#include "harness/cpp/relay.h"

namespace det::harness {

// Reports to the agent's relay and listens to it.
class RelayBackend : public Backend {
 public:
  // Asks the relay who this is. Throws Error.
  RelayBackend(const std::string& socket, const std::string& token);
  ~RelayBackend() override;

  const RunInfo& info() const override { return info_; }
  void Report(const ReportBody& body) override;
  bool ShouldPreempt() override;
  void AckPreemption() override;

 private:
  void Watch();

  RunInfo info_;
  std::mutex mutex_;  // held while a report is on its way: they go in the order of their numbers
  Relay reports_;
  int64_t next_seq_ = 1;

  Relay preemption_;
  std::once_flag watched_;
  std::thread watcher_;
  std::atomic<bool> preempt_{false};
  std::atomic<bool> refused_{false};
  std::string refusal_;  // written before refused_ is set
};

}  // namespace det::harness
