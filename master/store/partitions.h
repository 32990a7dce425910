#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace det::store {

// Makes the coming weeks' partitions of metrics and logs, if they are missing.
absl::Status EnsurePartitions(const std::string& conninfo, int64_t epoch);

// Drops what logs are past their time: a partition goes when its youngest line is older than its
// class. Names the partitions that went. What is being read is tried again at the next call.
absl::StatusOr<std::vector<std::string>> DropExpiredLogs(const std::string& conninfo,
                                                         int64_t epoch,
                                                         absl::Time now);

}  // namespace det::store
