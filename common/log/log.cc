#include "common/log/log.h"

#include <algorithm>
#include <memory>

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"

namespace det {
namespace {

constexpr char kPattern[] = "%Y-%m-%dT%H:%M:%S.%eZ %L %v";

spdlog::level::level_enum ToSpd(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

void SetUp(spdlog::logger& logger) {
  logger.set_pattern(kPattern, spdlog::pattern_time_type::utc);
  logger.flush_on(spdlog::level::info);
}

std::shared_ptr<spdlog::logger>& Logger() {
  static std::shared_ptr<spdlog::logger> logger = [] {
    auto made =
        std::make_shared<spdlog::logger>("det", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    SetUp(*made);
    return made;
  }();
  return logger;
}

bool IsPlain(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return c > ' ' && c != '"' && c != '=' && c != '\\' && c != 0x7f;
  });
}

}  // namespace

absl::Status InitLog(const LogOptions& options) {
  try {
    if (!options.file.empty()) {
      const mode_t old = umask(0077);
      auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file);
      umask(old);
      Logger() = std::make_shared<spdlog::logger>("det", std::move(sink));
      SetUp(*Logger());
    }
  } catch (const spdlog::spdlog_ex& error) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "LOG_FILE",
                 StrCat("the log can't be written: ", std::string_view(error.what())));
  }
  Logger()->set_level(ToSpd(options.level));
  return absl::OkStatus();
}

void Log(LogLevel level, std::string_view message, LogFields fields) {
  spdlog::logger& logger = *Logger();
  if (!logger.should_log(ToSpd(level))) return;
  std::string line(message);
  for (const auto& [key, value] : fields) {
    StrAppend(line, " ", key, "=", IsPlain(value) ? value : QuoteJson(value));
  }
  logger.log(ToSpd(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace det
