#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "cli/app/command.h"
#include "cli/client/api_fwd.h"

namespace det::api::v1 {
class ExperimentResponse;
}

namespace det::cli {

class Client;

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
