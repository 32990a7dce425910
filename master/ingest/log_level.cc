#include "master/ingest/log_level.h"

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

namespace det::ingest {
namespace {

constexpr size_t kLookedAt = 80;
constexpr std::array<std::pair<std::string_view, LogLevel>, 10> kWords = {
    {{"TRACE", LogLevel::kTrace},
     {"DEBUG", LogLevel::kDebug},
     {"INFO", LogLevel::kInfo},
     {"NOTICE", LogLevel::kInfo},
     {"WARNING", LogLevel::kWarning},
     {"WARN", LogLevel::kWarning},
     {"ERROR", LogLevel::kError},
     {"CRITICAL", LogLevel::kCritical},
     {"FATAL", LogLevel::kCritical},
     {"PANIC", LogLevel::kCritical}}};

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}
bool IsLetter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
char Upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

// What stands before a level: times, brackets and bars between them.
bool IsFiller(char c) {
  static constexpr std::string_view kSigns = " \t[](){}<>|-:.,/+_#*=";
  return IsDigit(c) || kSigns.find(c) != std::string_view::npos;
}

std::string_view WordAt(std::string_view line) {
  size_t end = 0;
  while (end < line.size() && IsLetter(line[end])) ++end;
  return line.substr(0, end);
}

std::optional<LogLevel> Named(std::string_view word) {
  std::string upper;
  for (const char c : word) upper.push_back(Upper(c));
  for (const auto& [name, level] : kWords) {
    if (upper == name) return level;
  }
  return std::nullopt;
}

// "E1121 10:00:00": glog's, one letter and the day.
std::optional<LogLevel> GlogLevel(std::string_view line) {
  constexpr size_t kPrefix = 6;
  if (line.size() < kPrefix || line[kPrefix - 1] != ' ') return std::nullopt;
  for (size_t i = 1; i + 1 < kPrefix; ++i) {
    if (!IsDigit(line[i])) return std::nullopt;
  }
  switch (line[0]) {
    case 'I':
      return LogLevel::kInfo;
    case 'W':
      return LogLevel::kWarning;
    case 'E':
      return LogLevel::kError;
    case 'F':
      return LogLevel::kCritical;
    default:
      return std::nullopt;
  }
}

// Prose begins with such words too ("Error bars are shown"): a word that is not all capitals has
// to be set off from what follows.
bool StandsAlone(std::string_view word, std::string_view rest) {
  const bool capitals = word[1] >= 'A' && word[1] <= 'Z';
  if (rest.empty()) return capitals;
  if (IsDigit(rest[0]) || rest[0] == '_') return false;
  return capitals || rest[0] == ':' || rest[0] == ']' || rest[0] == '|' || rest[0] == '>';
}

// Goes past "T" and "Z" of a time, "UTC", and names of loggers between bars ("10:00 - a.loop -
// ERROR
// - x"). False when it is something else.
bool PassBetween(std::string_view word, std::string_view* rest) {
  if (word == "T" || word == "Z" || word == "UTC" || word == "rank") return true;
  const auto in_name = [](char c) { return IsLetter(c) || IsDigit(c) || c == '_' || c == '.'; };
  while (!rest->empty() && in_name(rest->front())) rest->remove_prefix(1);
  return rest->starts_with(" - ") || rest->starts_with(" | ");
}

}  // namespace

LogLevel LevelOf(std::string_view line) {
  line = line.substr(0, kLookedAt);
  if (const auto level = GlogLevel(line)) return *level;
  while (!line.empty()) {
    if (IsFiller(line[0])) {
      line.remove_prefix(1);
      continue;
    }
    const std::string_view word = WordAt(line);
    if (word.empty()) break;
    line.remove_prefix(word.size());
    const std::optional<LogLevel> level = Named(word);
    if (level.has_value()) return StandsAlone(word, line) ? *level : LogLevel::kInfo;
    if (!PassBetween(word, &line)) break;
  }
  return LogLevel::kInfo;
}

}  // namespace det::ingest
