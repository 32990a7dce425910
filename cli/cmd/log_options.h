#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "cli/app/command.h"
#include "cli/client/api_fwd.h"
#include "cli/logs/log_writer.h"

namespace det::cli {

class Client;

// What the verbs that print logs have in common.
struct LogOptions {
  bool follow = false;
  bool timestamps = false;
  std::optional<int64_t> tail;
  std::optional<int64_t> head;
  std::string since;
  std::string until;
  std::string pattern;
  bool ignore_case = false;
  std::string level;
  std::vector<std::string> sources;
  std::vector<std::string> ranks;
  std::vector<std::string> runs;
};

std::vector<Param> LogParams(LogOptions* options);

// What the options ask the master for. Errors: INVALID_ARGUMENT (reason USAGE).
absl::StatusOr<api::TailLogsRequest> LogRequest(const LogOptions& options, absl::Time now);

// Prints lines as they come.
class LogPrinter {
 public:
  // Errors: INVALID_ARGUMENT (reason USAGE) for a format that logs do not have.
  static absl::StatusOr<LogPrinter> Create(Context& context,
                                           const LogOptions& options,
                                           bool name_trials);
  void Print(const api::LogLine& line);
  void Finish();

 private:
  LogPrinter(Context& context, LogWriter writer) : context_(&context), writer_(std::move(writer)) {}

  Context* context_;
  LogWriter writer_;
};

// Prints the log of the request's trial to its end.
absl::Status PrintTrialLog(Client* client,
                           const api::TailLogsRequest& request,
                           LogPrinter* printer);

}  // namespace det::cli
