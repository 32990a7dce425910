#pragma once

#include "absl/status/status.h"

namespace det::cli {

// What the program's exit status means: see the table in cli/README.md.
enum class ExitCode {
  kOk = 0,
  kFailure = 1,
  kUsage = 2,
  kNotFound = 3,
  kForbidden = 4,
  kConflict = 5,
  kUnreachable = 6,
  kWatchedFailed = 7,
  kPartial = 8,
  kNeverRuns = 10,  // what was planned could not run on the cluster as it is
  kInterrupted = 130,
  kBrokenPipe = 141,
};

ExitCode CodeOf(const absl::Status& status);

}  // namespace det::cli
