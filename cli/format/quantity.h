#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"

// Quantities as text for people. Machines get exact forms: FormatDouble and Rfc3339 to the
// nanosecond.
namespace det::cli {

// "2026-03-01T12:00:00Z", with as many digits of the second as it needs.
std::string Rfc3339(absl::Time time);
// The same, to the second or to the millisecond: all of the same length.
std::string Rfc3339Seconds(absl::Time time);
std::string Rfc3339Millis(absl::Time time);

// "41s", "12m03s", "3h05m", "2d04h".
std::string DurationText(absl::Duration duration);

// "5m ago"; "now" for less than a second.
std::string RelativeTime(absl::Time time, absl::Time now);

// Six significant digits: 0.9731, 1.5e-05, 100.
std::string MetricText(double value);

// "512 B", "1.5 KiB", "3.0 GiB".
std::string BytesText(int64_t bytes);

// 0.483 is "48%": rounded down, so that 100% means all of it.
std::string PercentText(double fraction);

// "1 trial", "2 trials".
std::string Count(int64_t n, const std::string& noun);

}  // namespace det::cli
