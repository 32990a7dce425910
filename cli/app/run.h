#pragma once

#include <string>
#include <vector>

#include "cli/app/command.h"
#include "cli/app/environment.h"

namespace det::cli {

// One run of the program: finds the command that `words` (without the program's name) ask for, runs
// it, prints its error. Throws nothing, exits nowhere.
ExitCode Run(const CommandSet& set,
             const std::vector<std::string>& words,
             const Environment& environment);

}  // namespace det::cli
