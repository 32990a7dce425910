#include "cli/cmd/log_options.h"

#include <algorithm>
#include <charconv>

#include "cli/app/context.h"
#include "cli/base/cause.h"
#include "cli/client/client.h"
#include "cli/cmd/ids.h"
#include "cli/cmd/when.h"
#include "cli/format/quantity.h"
#include "cli/format/template.h"
#include "cli/logs/trial_tail.h"
#include "cli/view/proto_document.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

constexpr char kByRun[] = "--run N takes one run of a trial; det trial describe says where it ran";
constexpr int64_t kTailMax = 100'000;  // the master's

absl::StatusOr<int32_t> ParseNumber(const std::string& option,
                                    const std::string& text,
                                    int32_t least) {
  int32_t number = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  if (read.ec == std::errc() && read.ptr == end && number >= least) return number;
  return UsageError(StrCat(option, ": \"", text, "\" is no number of ", least, " or more"), "");
}

}  // namespace

std::vector<Param> LogParams(LogOptions* options) {
  return {
      Flag("-f,--follow", &options->follow, "go on until it has ended"),
      Option("--tail", "N", &options->tail, "only the last N lines"),
      Option("--head", "N", &options->head, "only the first N lines"),
      Option("--since", "TIME", &options->since, "from then on: 10m (ago), 2026-11-21T10:00:00"),
      Option("--until", "TIME", &options->until, "before then"),
      Option("--grep", "REGEX", &options->pattern, "only lines that hold it (RE2)"),
      Flag("-i,--ignore-case", &options->ignore_case, "in --grep, capitals are no different"),
      {.names = "--level",
       .placeholder = "LEVEL",
       .target = &options->level,
       .help = "only lines of this level and above",
       .choices = {"TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}},
      {.names = "--source",
       .placeholder = "SOURCE",
       .target = &options->sources,
       .help = "only lines from there; may be repeated",
       .choices = {"stdout", "stderr", "agent", "master"}},
      Option("--rank", "N", &options->ranks, "only this rank; may be repeated"),
      Option("--run", "N", &options->runs, "only the trial's N-th run; may be repeated"),
      Flag("--timestamps", &options->timestamps, "begin each line with its time"),
      Hidden(Option("--rank-id", "N", &options->ranks, "as --rank")),
      Hidden(Option("--timestamp-after", "TIME", &options->since, "as --since")),
      Hidden(Option("--timestamp-before", "TIME", &options->until, "as --until")),
      Hidden({.names = "--stdtype",
              .placeholder = "SOURCE",
              .target = &options->sources,
              .help = "as --source",
              .choices = {"stdout", "stderr"}}),
      NoOption("--agent-id", kByRun),
      NoOption("--container-id", kByRun)};
}

absl::StatusOr<api::TailLogsRequest> LogRequest(const LogOptions& options, absl::Time now) {
  if (options.tail.has_value()) DET_RETURN_IF_ERROR(CheckPositive("--tail", *options.tail));
  if (options.head.has_value()) DET_RETURN_IF_ERROR(CheckPositive("--head", *options.head));
  if (options.tail.has_value() && options.head.has_value())
    return UsageError("--head and --tail exclude each other", "--since and --until give a range");
  api::TailLogsRequest request;
  request.set_tail(static_cast<int32_t>(std::min<int64_t>(options.tail.value_or(0), kTailMax)));
  request.set_head(options.head.value_or(0));
  request.set_follow(options.follow);
  api::LogFilter* filter = request.mutable_filter();
  filter->set_pattern(options.pattern);
  filter->set_ignore_case(options.ignore_case);
  filter->set_min_level(options.level);
  for (const std::string& source : options.sources) filter->add_sources(source);
  for (const std::string& text : options.ranks) {
    DET_ASSIGN_OR_RETURN(const int32_t rank, ParseNumber("--rank", text, 0));
    filter->add_ranks(rank);
  }
  for (const std::string& text : options.runs) {
    DET_ASSIGN_OR_RETURN(const int32_t run, ParseNumber("--run", text, 1));
    filter->add_runs(run);
  }
  if (!options.since.empty()) {
    DET_ASSIGN_OR_RETURN(const absl::Time since, ParseWhen("--since", options.since, now));
    filter->set_since_unix_nanos(absl::ToUnixNanos(since));
  }
  if (!options.until.empty()) {
    DET_ASSIGN_OR_RETURN(const absl::Time until, ParseWhen("--until", options.until, now));
    filter->set_until_unix_nanos(absl::ToUnixNanos(until));
  }
  return request;
}

absl::StatusOr<LogPrinter> LogPrinter::Create(Context& context,
                                              const LogOptions& options,
                                              bool name_trials) {
  if (context.options().format == Format::kName) {
    return UsageError("lines of logs have no names", "-o json gives each line as an object");
  }
  DET_RETURN_IF_ERROR(FillTemplate(context.options().text, ToDocument(api::LogLine())).status());
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
                           const api::TailLogsRequest& request,
                           LogPrinter* printer) {
  TrialTail tail(client, request);
  const absl::Status status =
      tail.Run([printer](const api::LogLine& line) { printer->Print(line); });
  printer->Finish();
  return status;
}

}  // namespace det::cli
