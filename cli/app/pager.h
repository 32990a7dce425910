#pragma once

#include <string>
#include <string_view>

#include "cli/client/connection.h"
#include "cli/format/style.h"

namespace det::cli {

// The program that shows long results at a terminal: $DET_PAGER, $PAGER, else less, told to keep
// colours and to leave what fits on one screen. Empty: none, as for PAGER=cat.
std::string PagerCommand(const GetEnv& getenv);

// Whether the text has more lines than the terminal.
bool IsLong(std::string_view text, const Terminal& terminal);

// Shows the text with a pager on the standard output, and waits for its end. False where the pager
// could not be started: then nothing was shown.
bool Page(const std::string& command, std::string_view text);

}  // namespace det::cli
