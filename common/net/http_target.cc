#include "common/net/http_target.h"

#include <algorithm>

namespace det {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> Unescape(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = HexDigit(text[i + 1]);
      const int low = HexDigit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    } else if (c == '+' && plus_is_space) {
      c = ' ';
    }
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) return std::nullopt;
    out.push_back(c);
  }
  return out;
}

bool ParseQuery(std::string_view text, HttpTarget* target) {
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(pair.size() + 1, text.size()));
    if (pair.empty()) continue;
    const size_t equals = std::min(pair.find('='), pair.size());
    std::optional<std::string> name = Unescape(pair.substr(0, equals), true);
    std::optional<std::string> value =
        Unescape(pair.substr(std::min(equals + 1, pair.size())), true);
    if (!name.has_value() || !value.has_value()) return false;
    target->query[*std::move(name)] = *std::move(value);
  }
  return true;
}

}  // namespace

std::optional<HttpTarget> ParseHttpTarget(std::string_view target) {
  constexpr std::string_view kScheme = "http://";
  if (target.starts_with(kScheme)) {
    const size_t slash = target.find_first_of("/?", kScheme.size());
    target.remove_prefix(std::min(slash, target.size()));
    if (target.empty()) target = "/";
  }
  if (!target.starts_with('/')) return std::nullopt;
  target = target.substr(0, target.find('#'));
  const size_t question = std::min(target.find('?'), target.size());
  HttpTarget result;
  std::optional<std::string> path = Unescape(target.substr(0, question), false);
  if (!path.has_value()) return std::nullopt;
  result.path = *std::move(path);
  if (!ParseQuery(target.substr(std::min(question + 1, target.size())), &result)) {
    return std::nullopt;
  }
  return result;
}

}  // namespace det
