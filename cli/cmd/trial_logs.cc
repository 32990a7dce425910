#include <memory>

#include "cli/app/context.h"
#include "cli/client/client.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/ids.h"
#include "cli/cmd/log_options.h"
#include "common/base/status.h"

namespace det::cli {
namespace {

struct Options {
  std::string id;
  LogOptions log;
};

absl::StatusOr<ExitCode> Run(Context& context, const Options& options) {
  DET_ASSIGN_OR_RETURN(const int64_t id, ParseId(options.id, 't', "trial"));
  DET_ASSIGN_OR_RETURN(api::TailLogsRequest request, LogRequest(options.log, absl::Now()));
  request.set_trial(id);
  DET_ASSIGN_OR_RETURN(LogPrinter printer, LogPrinter::Create(context, options.log, false));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_RETURN_IF_ERROR(PrintTrialLog(client, request, &printer));
  return ExitCode::kOk;
}

}  // namespace

Command TrialLogsCommand() {
  auto options = std::make_shared<Options>();
  Command command{
      .noun = "trial",
      .verb = "logs",
      .summary = "Print what a trial printed.",
      .details = "Into a pipe the bytes go as they are. -o json prints an object a line.",
      .params = LogParams(&options->log),
      .examples = {{"det t logs 17", "all of it"},
                   {"det t logs -f --tail 20 17", "the last lines, then whatever comes"},
                   {"det t logs 17 --level WARNING --since 1h", "what went wrong of late"},
                   {"det t logs 17 --grep 'loss=\\d+' --head 5", "the first lines with a loss"}},
      .run = [options](Context& context) { return Run(context, *options); }};
  command.params.insert(command.params.begin(),
                        Required("ID", &options->id, "the trial: 17 or t17"));
  return command;
}

}  // namespace det::cli
