#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

#include "cli/app/exit_code.h"

namespace det::cli {

class Client;
class Context;

// What `create -f` does after creating: follows the experiment to its end, then prints the best
// trials and the best checkpoint. Ctrl-C only leaves (130), and says how to come back.
absl::StatusOr<ExitCode> FollowExperiment(Context& context, Client* client, int64_t experiment);

// 0 for COMPLETED, 7 for ERROR, else 1.
ExitCode CodeOfEndState(const std::string& state);

}  // namespace det::cli
