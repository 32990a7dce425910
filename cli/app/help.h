#pragma once

#include <string>

#include "cli/app/command.h"

namespace det::cli {

// What --help prints, as lines of at most 100 columns.
std::string TopHelp(const CommandSet& set, const std::vector<Param>& global);
std::string NounHelp(const CommandSet& set, const Noun& noun);
std::string CommandHelp(const Command& command, const std::vector<Param>& global);

}  // namespace det::cli
