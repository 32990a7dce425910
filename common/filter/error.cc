#include "common/filter/error.h"

#include <algorithm>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/utf8.h"

namespace det::filter {
namespace {

// What is shown of a long filter, on each side of the place.
constexpr size_t kAroundMax = 60;

bool StartsCharacter(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
}

size_t Characters(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), StartsCharacter));
}

// One line of valid text, each byte of a control character a blank: columns stay what they are.
std::string OneLine(std::string_view text) {
  std::string line = ToUtf8(text);
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return line;
}

size_t CharacterAt(std::string_view text, size_t at) {
  while (at > 0 && at < text.size() && !StartsCharacter(text[at])) --at;
  return at;
}

}  // namespace

absl::Status ErrorAt(std::string_view text,
                     Span span,
                     std::string_view what,
                     std::string_view hint) {
  const size_t begin = std::min(span.begin, text.size());
  const size_t end = std::clamp(span.end, begin, text.size());
  const size_t from = CharacterAt(text, begin > kAroundMax ? begin - kAroundMax : 0);
  const size_t shown_end = CharacterAt(text, std::min(text.size(), begin + kAroundMax));
  const std::string before = OneLine(text.substr(from, begin - from));
  const std::string after = OneLine(text.substr(begin, shown_end - begin));
  const size_t marked = Characters(OneLine(text.substr(begin, std::min(end, shown_end) - begin)));
  const std::string_view lead = from > 0 ? "..." : "";
  const std::string mark = "^" + std::string(marked > 1 ? marked - 1 : 0, '~');
  return Error(absl::StatusCode::kInvalidArgument,
               "BAD_FILTER",
               StrCat(what,
                      "\n  ",
                      lead,
                      before,
                      after,
                      shown_end < text.size() ? "..." : "",
                      "\n  ",
                      std::string(lead.size() + Characters(before), ' '),
                      mark),
               hint);
}

}  // namespace det::filter
