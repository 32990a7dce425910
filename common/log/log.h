#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"

// What daemons say of themselves: one line a fact, "message key=value ...". Any thread.
namespace det {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  std::string file;  // "" is standard error
};

// Before the first thread starts. Without it lines go to standard error. The file is opened for
// appending, and made readable by its owner alone.
absl::Status InitLog(const LogOptions& options);

using LogFields = std::initializer_list<std::pair<std::string_view, std::string>>;

// Values are quoted where they hold spaces, quotes or control characters.
void Log(LogLevel level, std::string_view message, LogFields fields = {});

inline void LogInfo(std::string_view message, LogFields fields = {}) {
  Log(LogLevel::kInfo, message, fields);
}
inline void LogWarning(std::string_view message, LogFields fields = {}) {
  Log(LogLevel::kWarning, message, fields);
}
inline void LogError(std::string_view message, LogFields fields = {}) {
  Log(LogLevel::kError, message, fields);
}

}  // namespace det
