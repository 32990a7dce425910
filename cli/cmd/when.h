#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace det::cli {

// A point in time as people give it: "10m", "2h30m", "3d" (before now), "2026-11-21", with a time
// of day ("2026-11-21T10:00:00", local, or with "Z" or "+01:00"), or seconds since 1970
// ("@1700000000"). Errors: INVALID_ARGUMENT (reason USAGE) that names the option.
absl::StatusOr<absl::Time> ParseWhen(const std::string& option,
                                     const std::string& text,
                                     absl::Time now);

}  // namespace det::cli
