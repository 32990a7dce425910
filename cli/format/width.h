#pragma once

#include <string>
#include <string_view>

// How wide text is on a terminal. Text is UTF-8; what is no UTF-8 counts one column a byte.
namespace det::cli {

// One character at the front of `text`: its code point and how many bytes it takes. Where the bytes
// are no UTF-8 (overlong forms and surrogates neither), `valid` is false and `bytes` is 1.
struct Decoded {
  char32_t code = 0;
  size_t bytes = 0;
  bool valid = false;
};
Decoded DecodeUtf8(std::string_view text);

void AppendUtf8(std::string& out, char32_t code);

// 0 for combining marks, 2 for wide East Asian characters and emoji, else 1.
int CharWidth(char32_t code);
int DisplayWidth(std::string_view text);

// The text cut to `width` columns, with an ellipsis when something was cut off: one character where
// `utf8` allows it, else "..".
std::string Truncate(std::string_view text, int width, bool utf8);

// The text with spaces to `width` columns, on its right or (right-aligned) on its left.
std::string PadRight(std::string_view text, int width);
std::string PadLeft(std::string_view text, int width);

}  // namespace det::cli
