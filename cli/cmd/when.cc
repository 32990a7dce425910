#include "cli/cmd/when.h"

#include <charconv>
#include <optional>

#include "cli/base/cause.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

// "3d", "1d12h", and what Abseil reads ("2h30m", "1.5h").
std::optional<absl::Duration> Ago(std::string_view text) {
  absl::Duration days;
  const size_t d = text.find('d');
  if (d != std::string_view::npos) {
    int64_t count = 0;
    const auto read = std::from_chars(text.data(), text.data() + d, count);
    if (read.ec != std::errc() || read.ptr != text.data() + d) return std::nullopt;
    days = absl::Hours(24) * count;
    text.remove_prefix(d + 1);
  }
  absl::Duration rest;
  if (!text.empty() && !absl::ParseDuration(ToAbsl(text), &rest)) return std::nullopt;
  const absl::Duration ago = days + rest;
  if (ago < absl::ZeroDuration() || ago == absl::InfiniteDuration()) return std::nullopt;
  return ago;
}

std::optional<absl::Time> Calendar(const std::string& text) {
  absl::Time time;
  std::string error;
  for (const char* format : {"%Y-%m-%dT%H:%M:%E*S%Ez", "%Y-%m-%d %H:%M:%E*S%Ez"}) {
    if (absl::ParseTime(format, text, &time, &error)) return time;
  }
  for (const char* format : {"%Y-%m-%dT%H:%M:%E*S",
                             "%Y-%m-%d %H:%M:%E*S",
                             "%Y-%m-%dT%H:%M",
                             "%Y-%m-%d %H:%M",
                             "%Y-%m-%d"}) {
    if (absl::ParseTime(format, text, absl::LocalTimeZone(), &time, &error)) return time;
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<absl::Time> ParseWhen(const std::string& option,
                                     const std::string& text,
                                     absl::Time now) {
  if (text.starts_with('@')) {
    int64_t seconds = 0;
    const char* end = text.data() + text.size();
    const auto read = std::from_chars(text.data() + 1, end, seconds);
    if (read.ec == std::errc() && read.ptr == end) return absl::FromUnixSeconds(seconds);
  } else if (!text.empty()) {
    if (const auto time = Calendar(text)) return *time;
    if (const auto ago = Ago(text)) return now - *ago;
  }
  return UsageError(StrCat(option, ": \"", text, "\" is no time"),
                    "10m, 2h30m or 3d ago, 2026-11-21, 2026-11-21T10:00:00Z, or @1700000000");
}

}  // namespace det::cli
