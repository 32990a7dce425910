#pragma once

#include <memory>

#include "absl/status/statusor.h"

#include "agent/config/agent_config.h"

namespace det::agent {

// The composition root of det-agent: the core on one thread, and around it the links to the master,
// a relay for each run, and the runtime.
class AgentServer {
 public:
  static absl::StatusOr<std::unique_ptr<AgentServer>> Start(const AgentConfig& config);
  // Tasks go on: the next agent of this data directory takes them up.
  ~AgentServer();

 private:
  class Body;
  explicit AgentServer(std::unique_ptr<Body> body);
  std::unique_ptr<Body> body_;
};

}  // namespace det::agent
