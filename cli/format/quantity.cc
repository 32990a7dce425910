#include "cli/format/quantity.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "common/base/strings.h"
#include "common/base/value.h"

namespace det::cli {
namespace {

std::string Utc(absl::Time time, const char* format) {
  return absl::FormatTime(format, time, absl::UTCTimeZone());
}

template <class... Args>
std::string Printf(const char* format, Args... args) {
  char buffer[64];
  const int size = std::snprintf(buffer, sizeof(buffer), format, args...);
  return std::string(buffer, static_cast<size_t>(size));
}

}  // namespace

std::string Rfc3339(absl::Time time) {
  return Utc(time, "%Y-%m-%d%ET%H:%M:%E*SZ");
}

std::string Rfc3339Seconds(absl::Time time) {
  return Utc(time, "%Y-%m-%d%ET%H:%M:%SZ");
}

std::string Rfc3339Millis(absl::Time time) {
  return Utc(time, "%Y-%m-%d%ET%H:%M:%E3SZ");
}

std::string DurationText(absl::Duration duration) {
  const int64_t seconds = std::max<int64_t>(0, absl::ToInt64Seconds(duration));
  constexpr int64_t kMinute = 60;
  constexpr int64_t kHour = 60 * kMinute;
  constexpr int64_t kDay = 24 * kHour;
  const auto two = [](int64_t big, char unit, int64_t small, char small_unit) {
    return Printf("%lld%c%02lld%c",
                  static_cast<long long>(big),
                  unit,
                  static_cast<long long>(small),
                  small_unit);
  };
  if (seconds < kMinute) return StrCat(seconds, "s");
  if (seconds < kHour) return two(seconds / kMinute, 'm', seconds % kMinute, 's');
  if (seconds < kDay) return two(seconds / kHour, 'h', seconds % kHour / kMinute, 'm');
  return two(seconds / kDay, 'd', seconds % kDay / kHour, 'h');
}

std::string RelativeTime(absl::Time time, absl::Time now) {
  const absl::Duration age = now - time;
  // Another machine's clock may be ahead of ours; that's no reason to speak of the future.
  if (age < absl::Seconds(1)) return "now";
  if (age < absl::Minutes(1)) return StrCat(absl::ToInt64Seconds(age), "s ago");
  if (age < absl::Hours(1)) return StrCat(absl::ToInt64Minutes(age), "m ago");
  if (age < absl::Hours(48)) return StrCat(absl::ToInt64Hours(age), "h ago");
  return StrCat(absl::ToInt64Hours(age) / 24, "d ago");
}

std::string MetricText(double value) {
  if (!std::isfinite(value)) return FormatDouble(value);
  return Printf("%.6g", value);
}

std::string BytesText(int64_t bytes) {
  static constexpr const char* kUnits[] = {"KiB", "MiB", "GiB", "TiB", "PiB"};
  if (bytes < 1024) return StrCat(bytes, " B");
  double amount = static_cast<double>(bytes);
  size_t unit = 0;
  for (amount /= 1024; amount >= 1023.95 && unit + 1 < std::size(kUnits); ++unit) amount /= 1024;
  return Printf("%.1f %s", amount, kUnits[unit]);
}

std::string PercentText(double fraction) {
  if (!std::isfinite(fraction)) return "?";
  return Printf("%d%%", static_cast<int>(std::clamp(fraction, 0.0, 1.0) * 100 + 1e-9));
}

std::string Count(int64_t n, const std::string& noun) {
  return StrCat(n, " ", noun, n == 1 ? "" : "s");
}

}  // namespace det::cli
