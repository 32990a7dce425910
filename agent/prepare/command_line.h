#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "det/agent/v1/agent.pb.h"

#include "agent/devices/devices.h"
#include "common/base/value.h"

namespace det::agent {

// What a run's program is started with: docs/trial-contract.md.
struct CommandLine {
  std::vector<std::string> argv;
  std::vector<std::string> env;
};

struct RunContext {
  const v1::RunOrder& order;
  int64_t allocation = 0;
  int64_t run = 1;
  std::vector<Device> devices;  // of the run's slots
  std::string agent_id;
  std::string cluster_id;
  std::string relay_socket;
  std::string token;
  std::string hparams_file;
  std::string config_file;
};

// kInvalidArgument names a ${hp.NAME} that the trial does not have.
absl::StatusOr<CommandLine> MakeCommandLine(const RunContext& run);

// "${hp.optimizer.lr}" with values put in; quoted for a shell when `shell`.
absl::StatusOr<std::string> FillTemplate(const std::string& text, const Value& hparams, bool shell);

}  // namespace det::agent
