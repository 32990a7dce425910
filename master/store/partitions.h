#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace det::store {

// Makes the coming weeks' partitions of metrics and logs, if they are missing.
absl::Status EnsurePartitions(const std::string& conninfo, int64_t epoch);

}  // namespace det::store
