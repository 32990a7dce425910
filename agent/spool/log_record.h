#pragma once

#include <cstdint>
#include <string>

#include "common/base/archive.h"

namespace det::spool {

enum class LogSource : uint8_t { kStdout, kStderr, kAgent };

// One line that a task printed, or (kAgent) that was said about it. As an archive it is the payload
// of a record in the task's log.
struct LogRecord {
  int64_t at_ns = 0;  // since 1970
  LogSource source = LogSource::kStdout;
  bool partial = false;  // the line goes on in the next record of the same source
  std::string text;      // bytes as they came, without the line's end
};

template <class A>
void Fields(A& a, LogRecord& x) {
  a(x.at_ns, x.source, x.partial, x.text);
}

}  // namespace det::spool
