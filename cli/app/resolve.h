#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "cli/app/command.h"

namespace det::cli {

// What the first words of the command line name.
struct Resolved {
  const Noun* noun = nullptr;        // null for a verb without one, or when nothing was named
  const Command* command = nullptr;  // null when only a noun, or nothing, was named
  std::vector<std::string> before;   // options before the command
  std::vector<std::string> after;    // all that follows it
};

// Finds the noun and the verb: by name, alias, or a prefix that fits one only. Errors:
// INVALID_ARGUMENT (reason USAGE), with the nearest name, or with all that a prefix fits.
absl::StatusOr<Resolved> Resolve(const CommandSet& set,
                                 const std::vector<Param>& global,
                                 const std::vector<std::string>& words);

}  // namespace det::cli
