#include "cli/cmd/log_options.h"

#include "cli/app/context.h"
#include "cli/base/cause.h"
#include "cli/client/client.h"
#include "cli/cmd/ids.h"
#include "cli/format/quantity.h"
#include "cli/format/template.h"
#include "cli/logs/trial_tail.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {

std::vector<Param> LogParams(LogOptions* options) {
  return {Flag("-f,--follow", &options->follow, "go on until it has ended"),
          Option("--tail", "N", &options->tail, "only the last N lines"),
          Flag("--timestamps", &options->timestamps, "begin each line with its time")};
}

absl::StatusOr<LogPrinter> LogPrinter::Create(Context& context,
                                              const LogOptions& options,
                                              bool name_trials) {
  if (context.options().format == Format::kName) {
    return UsageError("lines of logs have no names", "-o json gives each line as an object");
  }
  if (options.tail.has_value()) DET_RETURN_IF_ERROR(CheckPositive("--tail", *options.tail));
  DET_RETURN_IF_ERROR(FillTemplate(context.options().text, Document()).status());
  LogPrinter printer(context,
                     LogWriter({.format = context.options().format,
                                .text = context.options().text,
                                .header = context.options().table.header,
                                .name_trials = name_trials,
                                .timestamps = options.timestamps,
                                .terminal = context.OutTerminal()}));
  context.out().Write(printer.writer_.Header());
  return printer;
}

void LogPrinter::Print(const api::LogLine& line) {
  if (line.dropped() > 0) {
    context_->Warn(StrCat(Count(line.dropped(), "line"),
                          " of trial ",
                          line.trial(),
                          " are missing here: more was printed than could be kept"));
  }
  context_->out().Write(writer_.Write(line));
}

void LogPrinter::Finish() {
  context_->out().Write(writer_.Finish());
}

absl::Status PrintTrialLog(Client* client,
                           int64_t trial,
                           const LogOptions& options,
                           LogPrinter* printer) {
  api::TailLogsRequest request;
  request.set_trial(trial);
  request.set_tail(static_cast<int32_t>(std::min<int64_t>(options.tail.value_or(0), INT32_MAX)));
  request.set_follow(options.follow);
  TrialTail tail(client, request);
  const absl::Status status =
      tail.Run([printer](const api::LogLine& line) { printer->Print(line); });
  printer->Finish();
  return status;
}

}  // namespace det::cli
