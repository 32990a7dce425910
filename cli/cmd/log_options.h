#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"

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
};

std::vector<Param> LogParams(LogOptions* options);

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

// Prints the log of one trial to its end.
absl::Status PrintTrialLog(Client* client,
                           int64_t trial,
                           const LogOptions& options,
                           LogPrinter* printer);

}  // namespace det::cli
