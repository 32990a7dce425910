#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"

#include "common/base/problem.h"
#include "common/base/value.h"

namespace det {

// Reads a daemon's own YAML file and gives it to `read`, which notes what is wrong. No path is an
// empty file. INVALID_ARGUMENT with every problem rendered; warnings go to the log.
absl::Status ReadSettings(const std::string& path,
                          const std::function<void(const Value&, Problems*)>& read);

}  // namespace det
