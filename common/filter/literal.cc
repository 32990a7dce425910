#include "common/filter/literal.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/numbers.h"

#include "common/base/strings.h"
#include "common/filter/lexer.h"

namespace det::filter {
namespace {

constexpr bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

// Digits with at most one dot, taken off the front.
std::optional<double> TakeAmount(std::string_view* text) {
  size_t size = 0;
  while (size < text->size() && (IsDigit((*text)[size]) || (*text)[size] == '.')) ++size;
  double amount = 0;
  const char* end = text->data() + size;
  const auto result = std::from_chars(text->data(), end, amount, std::chars_format::fixed);
  if (size == 0 || result.ec != std::errc() || result.ptr != end) return std::nullopt;
  text->remove_prefix(size);
  return amount;
}

std::optional<absl::Duration> TakeUnit(std::string_view* text) {
  static const std::array<std::pair<std::string_view, absl::Duration>, 7> kUnits = {
      {{"ms", absl::Milliseconds(1)},
       {"us", absl::Microseconds(1)},
       {"s", absl::Seconds(1)},
       {"m", absl::Minutes(1)},
       {"h", absl::Hours(1)},
       {"d", absl::Hours(24)},
       {"w", absl::Hours(24 * 7)}}};
  for (const auto& [name, unit] : kUnits) {
    if (!text->starts_with(name)) continue;
    text->remove_prefix(name.size());
    return unit;
  }
  return std::nullopt;
}

}  // namespace

std::optional<bool> ParseBoolean(std::string_view text) {
  if (IsKeyword(text, "true") || IsKeyword(text, "yes")) return true;
  if (IsKeyword(text, "false") || IsKeyword(text, "no")) return false;
  return std::nullopt;
}

std::optional<int64_t> ParseInteger(std::string_view text) {
  int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  if (text.empty() || result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return value;
}

std::optional<double> ParseNumber(std::string_view text) {
  double value = 0;
  const bool odd = text.empty() || text.front() == '+' || text.find_first_of("xX") != text.npos;
  if (odd || !absl::SimpleAtod(ToAbsl(text), &value)) return std::nullopt;
  return value;
}

std::optional<absl::Duration> ParseDuration(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  if (text.empty()) return std::nullopt;
  absl::Duration sum;
  while (!text.empty()) {
    const std::optional<double> amount = TakeAmount(&text);
    const std::optional<absl::Duration> unit = amount ? TakeUnit(&text) : std::nullopt;
    if (!unit.has_value()) return std::nullopt;
    sum += *amount * *unit;
  }
  return negative ? -sum : sum;
}

std::optional<int64_t> ParseBytes(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, double>, 14> kUnits = {
      {{"b", 1},
       {"kb", 1e3},
       {"mb", 1e6},
       {"gb", 1e9},
       {"tb", 1e12},
       {"kib", 1024.0},
       {"mib", 1048576.0},
       {"gib", 1073741824.0},
       {"tib", 1099511627776.0},
       {"k", 1024.0},
       {"m", 1048576.0},
       {"g", 1073741824.0},
       {"t", 1099511627776.0},
       {"", 1}}};
  if (const auto exact = ParseInteger(text)) return exact;
  const std::optional<double> amount = TakeAmount(&text);
  if (!amount.has_value()) return std::nullopt;
  while (text.starts_with(' ')) text.remove_prefix(1);
  for (const auto& [name, unit] : kUnits) {
    if (!IsKeyword(text, name)) continue;
    const double bytes = std::round(*amount * unit);
    if (!(bytes < 9.2e18)) return std::nullopt;
    return static_cast<int64_t>(bytes);
  }
  return std::nullopt;
}

absl::Time StorableTime(absl::Time time) {
  static const absl::Time kFirst = absl::FromCivil(absl::CivilSecond(1, 1, 1), absl::UTCTimeZone());
  static const absl::Time kLast =
      absl::FromCivil(absl::CivilSecond(9999, 12, 31), absl::UTCTimeZone());
  return absl::FromUnixMicros(absl::ToUnixMicros(std::clamp(time, kFirst, kLast)));
}

std::optional<absl::Time> ParseTime(std::string_view text, absl::Time now) {
  static constexpr std::array<const char*, 7> kFormats = {"%Y-%m-%d%ET%H:%M:%E*S%Ez",
                                                          "%Y-%m-%d%ET%H:%M%Ez",
                                                          "%Y-%m-%d%ET%H:%M:%E*S",
                                                          "%Y-%m-%d%ET%H:%M",
                                                          "%Y-%m-%d %H:%M:%E*S",
                                                          "%Y-%m-%d %H:%M",
                                                          "%Y-%m-%d"};
  if (IsKeyword(text, "now")) return StorableTime(now);
  // absl reads "infinite-future" with any format.
  if (text.empty() || !IsDigit(text.front())) return std::nullopt;
  for (const char* format : kFormats) {
    absl::Time time;
    if (absl::ParseTime(format, std::string(text), &time, nullptr)) return StorableTime(time);
  }
  return std::nullopt;
}

}  // namespace det::filter
