#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace det::cli {

// An error may carry what lies beneath it: "Permission denied". It is printed on a line of its own.
absl::Status WithCause(absl::Status status, std::string_view cause);
std::string ErrorCause(const absl::Status& status);

// A mistake in the command line (exit 2), with what to do about it.
absl::Status UsageError(std::string_view message, std::string_view hint = {});
bool IsUsageError(const absl::Status& status);

}  // namespace det::cli
