#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/time/time.h"

namespace det::ingest {

// Numbers as stored. kMaster: a line of the master's own.
enum class LogSource : int { kStdout = 1, kStderr = 2, kAgent = 3, kMaster = 4 };
inline constexpr std::array<std::string_view, 5> kLogSourceNames = {
    "", "stdout", "stderr", "agent", "master"};

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
