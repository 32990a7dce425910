#pragma once

#include <string>

#include "cli/app/command.h"

namespace det::cli {

// What --help prints, broken into lines of `width` columns.
std::string TopHelp(const CommandSet& set, const std::vector<Param>& global, int width);
std::string NounHelp(const CommandSet& set, const Noun& noun, int width);
std::string CommandHelp(const Command& command, const std::vector<Param>& global, int width);

}  // namespace det::cli
