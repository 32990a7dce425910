#include "common/base/byte_size.h"

#include <charconv>
#include <cmath>

namespace det {
namespace {

// A digit, then digits and one point perhaps: nothing of what std::from_chars takes besides.
std::string_view NumberOf(std::string_view text) {
  size_t end = 0;
  bool point = false;
  for (; end < text.size(); ++end) {
    const bool digit = text[end] >= '0' && text[end] <= '9';
    if (digit) continue;
    if (text[end] != '.' || point || end == 0) break;
    point = true;
  }
  return text.substr(0, end);
}

// The power of 1024, or -1.
int PowerOf(std::string_view unit) {
  constexpr std::string_view kUnits = "kmgtp";
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  if (unit.empty() || (unit.size() == 1 && lower(unit[0]) == 'b')) return 0;
  const size_t power = kUnits.find(lower(unit[0]));
  if (power == std::string_view::npos) return -1;
  unit.remove_prefix(1);
  if (unit.size() == 2 && lower(unit[0]) == 'i') unit.remove_prefix(1);
  const bool known = unit.empty() || (unit.size() == 1 && lower(unit[0]) == 'b');
  return known ? static_cast<int>(power) + 1 : -1;
}

}  // namespace

std::optional<int64_t> ParseByteSize(std::string_view text) {
  const std::string_view number = NumberOf(text);
  if (number.empty() || number.ends_with('.')) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error != std::errc() || end != number.data() + number.size()) return std::nullopt;
  text.remove_prefix(number.size());
  if (text.starts_with(' ')) text.remove_prefix(1);
  const int power = PowerOf(text);
  if (power < 0) return std::nullopt;
  value = std::ldexp(value, 10 * power);
  if (!(value < 0x1.0p63)) return std::nullopt;
  return static_cast<int64_t>(value);
}

}  // namespace det
