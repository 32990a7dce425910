#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "common/log/log.h"

namespace det::agent {

// det-agent's configuration, complete. deploy/config/agent.yaml explains every key.
struct AgentConfig {
  std::string data_dir;
  std::string master = "127.0.0.1:8090";
  std::string join_token_file;
  std::string agent_id;  // the host's name where none is given
  std::string pool = "default";
  int slots = 0;             // CPU slots; 0: one a core
  int artificial_slots = 0;  // more than 0: these instead
  absl::Duration stop_grace = absl::Seconds(30);
  bool sample = true;  // what tasks and the host use
  absl::Duration sample_every = absl::Seconds(1);
  absl::Duration sample_point_every = absl::Seconds(10);  // averages, told to the master
  LogLevel log_level = LogLevel::kInfo;
  std::string log_file;  // "": standard error
};

// Reads the file. kInvalidArgument with every problem rendered.
absl::StatusOr<AgentConfig> LoadAgentConfig(const std::string& path);

}  // namespace det::agent
