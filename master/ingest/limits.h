#pragma once

#include <cstdint>

#include "absl/time/time.h"

// Bounds and times of the data plane.
namespace det::ingest {

inline constexpr int64_t kQueuedBytesMax = 64 << 20;  // beyond it senders are not read from
inline constexpr int64_t kRowsPerCommitMax = 20000;
inline constexpr int64_t kCommandsPerGroup = 1000;  // posted to the core in one go, about
inline constexpr absl::Duration kCorePause = absl::Milliseconds(2);  // before another try
inline constexpr int64_t kMetricNameBytesMax = 512;
inline constexpr int64_t kMetricsPerReportMax = 100000;  // names in one report
inline constexpr int64_t kLogTextBytesMax = 64 << 10;    // of one record
inline constexpr int64_t kNoteBytesMax = 1024;           // of what a note in a log explains
inline constexpr int64_t kTrialsMatchedMax = 10000;      // whose log policies are remembered
inline constexpr int64_t kPatternSetsMax = 256;          // compiled at a time
inline constexpr int64_t kPatternMemoryMax = 16 << 20;   // of memory to match one set
inline constexpr absl::Duration kRetryMin = absl::Milliseconds(20);
inline constexpr absl::Duration kRetryMax = absl::Seconds(2);
// A writer that was stopped in a transaction must not keep another master from taking over.
inline constexpr absl::Duration kStatementLife = absl::Seconds(15);

}  // namespace det::ingest
