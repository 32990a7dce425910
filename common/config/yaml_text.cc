#include "common/config/yaml_text.h"

#include <charconv>
#include <cstring>

#include "common/base/strings.h"
#include "common/base/utf8.h"

namespace det {
namespace {

bool MayBeStructure(char c) {
  return c == '\n' || (c != '\0' && std::strchr("[]{},:-?&*!|>", c) != nullptr);
}

YamlMistake InvalidUtf8(size_t at) {
  return {.at = static_cast<int32_t>(at),
          .message = "invalid UTF-8",
          .hint = "save the file as UTF-8 text"};
}

// Carriage returns are fine before a line feed only: the parser does not take them for line ends.
std::optional<std::string> ControlProblem(std::string_view text, size_t at) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  const char c = text[at];
  if (static_cast<uint8_t>(c) >= 0x20 || c == '\n' || c == '\t') return std::nullopt;
  if (c == '\r') {
    if (at + 1 == text.size() || text[at + 1] == '\n') return std::nullopt;
    return "a carriage return without a line feed";
  }
  const char digits[] = {'\\', 'x', kHex[(c >> 4) & 15], kHex[c & 15]};
  return StrCat("the control character ", std::string_view(digits, 4), " is not allowed");
}

// The four hexadecimal digits of an escape "\uXXXX" that stands at the beginning of the text.
std::optional<uint32_t> UnicodeEscape(std::string_view text) {
  uint32_t code = 0;
  if (text.size() < 6 || text[0] != '\\' || text[1] != 'u') return std::nullopt;
  const auto [end, error] = std::from_chars(text.data() + 2, text.data() + 6, code, 16);
  if (error != std::errc() || end != text.data() + 6) return std::nullopt;
  return code;
}

// The code point of a pair of escapes at the beginning of the text.
std::optional<uint32_t> SurrogatePair(std::string_view text) {
  const std::optional<uint32_t> high = UnicodeEscape(text);
  if (!high.has_value() || *high < 0xD800 || *high > 0xDBFF) return std::nullopt;
  const std::optional<uint32_t> low = UnicodeEscape(text.substr(6));
  if (!low.has_value() || *low < 0xDC00 || *low > 0xDFFF) return std::nullopt;
  return 0x10000 + ((*high - 0xD800) << 10) + (*low - 0xDC00);
}

std::string LongEscape(uint32_t code) {
  std::string out = "\\U00000000";
  for (size_t i = out.size() - 1; code != 0; --i, code >>= 4)
    out[i] = "0123456789abcdef"[code & 15];
  return out;
}

}  // namespace

std::optional<YamlMistake> CheckYamlText(std::string_view text, const YamlLimits& limits) {
  if (text.size() > limits.bytes_max) {
    return YamlMistake{
        .message = StrCat(
            "the text has ", text.size(), " bytes, at most ", limits.bytes_max, " are allowed")};
  }
  int64_t structure = 0;
  for (size_t at = 0; at < text.size();) {
    const CodePoint point = DecodeUtf8(text.substr(at));
    if (!point.valid) return InvalidUtf8(at);
    if (point.bytes == 1) {
      if (auto problem = ControlProblem(text, at)) {
        return YamlMistake{.at = static_cast<int32_t>(at), .message = *std::move(problem)};
      }
      if (MayBeStructure(text[at]) && ++structure > limits.structure_max) {
        return YamlMistake{.at = static_cast<int32_t>(at),
                           .message = StrCat("the text has more than ",
                                             limits.structure_max,
                                             " brackets, commas, colons, dashes and line ends")};
      }
    }
    at += point.bytes;
  }
  return std::nullopt;
}

std::string JoinSurrogates(std::string_view text, std::vector<int32_t>* cuts) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos || (text[begin] != '{' && text[begin] != '[')) {
    return std::string(text);
  }
  std::string out;
  bool quoted = false;
  for (size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at);
    if (const auto pair = quoted ? SurrogatePair(rest) : std::nullopt) {
      out.append(LongEscape(*pair));
      cuts->push_back(static_cast<int32_t>(out.size()));
      at += 12;
      continue;
    }
    if (rest[0] == '"') quoted = !quoted;
    const size_t bytes = quoted && rest[0] == '\\' && rest.size() > 1 ? 2 : 1;
    out.append(rest.substr(0, bytes));
    at += bytes;
  }
  return out;
}

}  // namespace det
