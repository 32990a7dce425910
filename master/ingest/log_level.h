#pragma once

#include <array>
#include <string_view>

namespace det::ingest {

// How serious a line says that it is; numbers as stored.
enum class LogLevel : int { kTrace = 1, kDebug, kInfo, kWarning, kError, kCritical };
inline constexpr std::array<std::string_view, 7> kLogLevelNames = {
    "", "TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"};

// Reads it from a line's beginning, as loggers write it: "WARNING:root:x", "[error] x",
// "2026-11-21 10:00:00,123 - ERROR - x", "E1121 10:00:00.123456 7 a.cc:1] x". What says nothing is
// kInfo. Pure; looks at the first 80 bytes only.
LogLevel LevelOf(std::string_view line);

}  // namespace det::ingest
