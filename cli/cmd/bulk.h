#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "cli/app/command.h"
#include "cli/client/client.h"

namespace det::cli {

class Context;

// What became of one experiment of many.
struct Outcome {
  int64_t id = 0;
  absl::StatusOr<api::Experiment> result;
  std::string done = {};  // what was done, for people; "": its state
};

// Shows them, and gives the exit code: that of the first error, or 8 when some went well.
absl::StatusOr<ExitCode> ShowOutcomes(Context& context,
                                      const std::vector<Outcome>& outcomes,
                                      size_t asked);

// What an act on one experiment is called and which call does it.
struct Act {
  std::string verb;
  std::vector<std::string> aliases;
  std::string summary;
  std::vector<Example> examples;
  absl::StatusOr<api::ExperimentResponse> (Client::*call)(int64_t id);
  bool needs_yes = false;  // without --yes it only says what it would do
};

// A verb that does `act` to each of the experiments named. It goes on after an error; the exit code
// is 8 when some worked, else that of the first error.
Command BulkCommand(Act act);

}  // namespace det::cli
