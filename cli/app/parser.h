#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"

#include "cli/app/command.h"

namespace det::cli {

// Reads `words` into the targets of `params`; after "--" every word is an argument. Errors:
// INVALID_ARGUMENT (reason USAGE), with the nearest name where one was misspelled.
absl::Status ParseWords(const std::vector<std::string>& words, const std::vector<Param>& params);

// A command's own parameters with the global ones, less the names that the command uses itself.
std::vector<Param> MergeParams(std::vector<Param> own, std::vector<Param> global);

// "-f,--follow" as {"-f", "--follow"}.
std::vector<std::string> SplitNames(const std::string& names);

}  // namespace det::cli
