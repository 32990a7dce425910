#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

#include "cli/app/exit_code.h"
#include "cli/client/client.h"

namespace det::cli {

class Context;

// What `create -f` does after creating: follows the experiment to its end, then prints the best
// trials and the best checkpoint. Ctrl-C only leaves (130), and says how to come back.
absl::StatusOr<ExitCode> FollowExperiment(Context& context, Client* client, int64_t experiment);

// A trial that ended in an error, and the last that it printed.
struct FailedTrial {
  api::Trial trial;
  std::string last_lines;  // of its standard error, if it has any
};

// The first of an experiment; nothing where none failed.
absl::StatusOr<std::optional<FailedTrial>> FindFailedTrial(Client* client, int64_t experiment);

// Says where the log of the trial is.
void HintAtFailure(Context& context, const FailedTrial& failed);

// 0 for COMPLETED, 7 for ERROR, else 1.
ExitCode CodeOfEndState(const std::string& state);

}  // namespace det::cli
