#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace det::cli {

// Asks at the terminal for a line that is not shown while it is typed. Errors: FAILED_PRECONDITION
// (reason NO_TERMINAL); CANCELLED for Ctrl-C or the end of the input.
absl::StatusOr<std::string> PromptSecret(const std::string& question);

// All of the standard input, at most 64 KiB.
absl::StatusOr<std::string> ReadStandardInput();

}  // namespace det::cli
