#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace det {

// The status of a failed system call: "cannot <operation> <subject>: <what errno means>", with a
// canonical code, a reason (DISK_FULL, NO_SUCH_FILE, NO_PERMISSION, TOO_MANY_OPEN_FILES, ...) and,
// where one helps, a hint. Any thread.
absl::Status OsError(int error, std::string_view operation, std::string_view subject);

// No room: ENOSPC, or a quota.
bool IsDiskFull(int error);
bool IsDiskFull(const absl::Status& status);

}  // namespace det
