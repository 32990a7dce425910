#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace det {

// What stands at the beginning of a text: a code point and its length in bytes. Something that is
// not UTF-8 (RFC 3629: no overlong forms, no surrogates, at most U+10FFFF) is one byte, not valid.
struct CodePoint {
  uint32_t code = 0;
  size_t bytes = 1;
  bool valid = false;
};

// The text must not be empty. Pure.
CodePoint DecodeUtf8(std::string_view text);

// Whether control characters (newlines too) are in the text, or what is not UTF-8. Pure.
bool HasControls(std::string_view text);

// The text, with U+FFFD for each byte that is not UTF-8. Pure.
std::string ToUtf8(std::string_view text);

}  // namespace det
