#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/time/time.h"

// What words of a filter stand for. Nothing where they are none of the kind.
namespace det::filter {

std::optional<bool> ParseBoolean(std::string_view text);
std::optional<int64_t> ParseInteger(std::string_view text);
std::optional<double> ParseNumber(std::string_view text);  // 1.5e-3, NaN, -inf too

// "90s", "1h30m", "2d", "3w": a sum of whole or broken units.
std::optional<absl::Duration> ParseDuration(std::string_view text);

// "512", "10MiB", "2 GB": binary and decimal units.
std::optional<int64_t> ParseBytes(std::string_view text);

// "2026-03-01", "2026-03-01T12:00", "2026-03-01T12:00:00.5Z", "now"; without a zone UTC. To the
// microsecond, which is what the store holds.
std::optional<absl::Time> ParseTime(std::string_view text, absl::Time now);

// Within what the store holds, to the microsecond.
absl::Time StorableTime(absl::Time time);

}  // namespace det::filter
