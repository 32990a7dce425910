#pragma once

#include <functional>
#include <string_view>

#include "absl/status/status.h"

#include "common/os/signals.h"

namespace det {

// The last words of a program: "det-master: error: ...", then the hint, if there is one; the status
// it exits with: 2 for a wrong command line or configuration, else 1.
int ExitWith(std::string_view program, const absl::Status& status);

}  // namespace det
