#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace det::ingest {

enum class LogSource : int { kStdout = 1, kStderr = 2, kAgent = 3 };

// A line of a trial's output, or a piece of a long one.
struct LogRecord {
  int64_t seq = 0;  // within its stream
  absl::Time at;
  LogSource source = LogSource::kStdout;
  std::string text;      // any bytes
  bool partial = false;  // the line goes on in the next record
  int64_t dropped = 0;   // so many records before this one were given up
};

}  // namespace det::ingest
