#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace det::cli {

class Context;

struct DownResult {
  std::string data_dir;
  bool master = false;  // it ran, and is stopped
  bool agent = false;
  int tasks = 0;
};

// Stops everything of the cluster in `data_dir` (see FindLayout), its running tasks too. That
// nothing runs is no error.
absl::StatusOr<DownResult> Down(Context& context, const std::string& data_dir);

}  // namespace det::cli
