#pragma once

#include <string>
#include <string_view>

// What a server says may have been written by anybody. Nothing in it may move the cursor, set a
// title or answer a query on the user's terminal, nor turn the order of letters around.
namespace det::cli {

enum class Escape {
  kLine,   // all controls, so that the text stays on one line and in its column
  kLog,    // all but the tab
  kProse,  // all but the tab and the newline
};

// Controls (C0, DEL, C1), bytes that are no UTF-8, and marks that change the direction of writing
// become \n, \x1b or \u202e. Without `utf8` the terminal reads bytes, and some take 0x9b alone for
// the start of a command: then everything beyond ASCII is escaped.
std::string EscapeControls(std::string_view text, Escape kind, bool utf8 = true);

// The same text as valid UTF-8: every byte that is none becomes U+FFFD.
std::string ToValidUtf8(std::string_view text);

}  // namespace det::cli
