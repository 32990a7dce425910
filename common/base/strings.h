#pragma once

#include <string>
#include <string_view>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

// Debian builds Abseil with a string view of its own; ours is std::string_view everywhere, and the
// two meet in this header alone.
namespace det {

inline absl::string_view ToAbsl(std::string_view text) {
  return {text.data(), text.size()};
}
inline std::string_view FromAbsl(absl::string_view text) {
  return {text.data(), text.size()};
}

namespace internal {
template <class T>
decltype(auto) Piece(const T& value) {
  if constexpr (std::is_same_v<T, std::string_view>) {
    return ToAbsl(value);
  } else {
    return (value);
  }
}
}  // namespace internal

// As absl::StrCat. Doubles print with six digits: FormatDouble (value.h) prints them exactly.
template <class... Ts>
std::string StrCat(const Ts&... parts) {
  return absl::StrCat(internal::Piece(parts)...);
}

template <class... Ts>
void StrAppend(std::string& out, const Ts&... parts) {
  absl::StrAppend(&out, internal::Piece(parts)...);
}

// "a, b, c"; `format` turns an item into something that StrCat takes.
template <class Range, class Format>
std::string StrJoin(const Range& range, std::string_view separator, Format format) {
  std::string out;
  bool first = true;
  for (const auto& item : range) {
    if (!first) out.append(separator);
    first = false;
    StrAppend(out, format(item));
  }
  return out;
}

template <class Range>
std::string StrJoin(const Range& range, std::string_view separator) {
  return StrJoin(
      range, separator, [](const auto& item) -> const auto& { return item; });
}

// The longest beginning of `text` of at most `bytes_max` bytes that ends with a whole UTF-8
// character: half of one could be neither stored nor sent.
inline std::string_view CutUtf8(std::string_view text, size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  while (bytes_max > 0 && (static_cast<unsigned char>(text[bytes_max]) & 0xC0) == 0x80) --bytes_max;
  return text.substr(0, bytes_max);
}

}  // namespace det
