#pragma once

#include <string>
#include <string_view>

namespace det {

// A place in a text: line and column from 1, columns in characters (code points). Line 0: no place.
struct TextMark {
  int line = 0;
  int column = 0;
  bool operator==(const TextMark&) const = default;
};

// One thing to say about a text.
struct TextProblem {
  bool warning = false;
  TextMark mark;  // line 0: about the text as a whole
  std::string message;
  std::string hint;  // what to do about it; may be empty
};

// Renders a problem for a terminal, without colour and without a newline at the end:
//
//   adaptive.yaml:12:5: error: unknown key "max_restart"
//      12 |     max_restart: 3
//         |     ^
//   hint: did you mean "max_restarts"?
//
// `text` is the whole text that the mark points into; a mark outside of it gives no excerpt. The
// result is safe to print whatever the input is: control characters, invalid UTF-8 and marks that
// turn the writing direction appear as \xNN. Long lines are cut around the caret and long messages
// at their end, so that the result has at most some 6 KiB. Pure.
std::string RenderProblem(std::string_view name, std::string_view text, const TextProblem& problem);

// The text as it may be printed on one line (see above), cut after `characters_max` with "...".
std::string Printable(std::string_view text, size_t characters_max);

}  // namespace det
