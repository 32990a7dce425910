#pragma once

#include <string>
#include <string_view>

namespace det::cli {

enum class Style { kPlain, kBold, kDim, kRed, kGreen, kYellow, kBlue, kCyan };

// The text in the style's colour, or as it is where colour is off.
std::string Paint(std::string_view text, Style style, bool color);

// The colour in which a state of an experiment, trial, agent or job is shown. States that a newer
// master may send are plain.
Style StateStyle(std::string_view state);

// What the terminal behind a stream can do; nothing at all where there is none.
struct Terminal {
  bool tty = false;
  bool color = false;
  bool utf8 = false;    // the locale's character set
  bool redraw = false;  // the cursor can be moved
  int width = 80;
  int height = 24;
};

}  // namespace det::cli
