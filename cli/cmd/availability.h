#pragma once

#include "cli/app/command.h"

namespace det::cli {

// `disable` and `enable` of agents, and of one agent's slots. They go on after an error; the exit
// code is 8 when some worked, else that of the first error.
Command DisableCommand(const std::string& noun);
Command EnableCommand(const std::string& noun);

}  // namespace det::cli
