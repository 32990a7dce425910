#include <memory>

#include "cli/app/context.h"
#include "cli/app/exit_code.h"
#include "cli/client/client.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/ids.h"
#include "cli/cmd/setting.h"
#include "cli/view/experiment_view.h"
#include "cli/view/proto_document.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

struct Options {
  std::string id;
  Setting setting;
};

absl::StatusOr<ExitCode> Run(Context& context, const Options& options) {
  api::ConfigureExperimentRequest request;
  DET_ASSIGN_OR_RETURN(const int64_t id, ParseId(options.id, 'e', "experiment"));
  request.set_id(id);
  DET_RETURN_IF_ERROR(Fill(options.setting, &request));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const api::ExperimentResponse response,
                       client->ConfigureExperiment(request));
  DET_RETURN_IF_ERROR(context.Show({ToDocument(response.experiment()),
                                    ExperimentTable({response.experiment()}),
                                    {{"",
                                      StrCat("experiment ",
                                             id,
                                             ": ",
                                             options.setting.name,
                                             " is ",
                                             options.setting.value,
                                             "\n")}}}));
  return ExitCode::kOk;
}

}  // namespace

namespace {

struct Verb {
  std::string name;
  std::string summary;
  std::string value;    // what may stand there
  std::string example;  // one such
};

Command SetCommand(const Verb& verb) {
  auto options = std::make_shared<Options>();
  options->setting.name = verb.name;
  const std::string name = StrCat("set ", verb.name);
  return {.noun = "experiment",
          .verb = name,
          .summary = verb.summary,
          .params = {Required("ID", &options->id, "the experiment: 7 or e7"),
                     Required("VALUE", &options->setting.value, verb.value)},
          .examples = {{StrCat("det e ", name, " 7 ", verb.example), ""}},
          .run = [options](Context& context) { return Run(context, *options); }};
}

}  // namespace

std::vector<Command> ExperimentSetCommands() {
  return {
      SetCommand({"priority", "Let it go before or after others.", "1..99, less goes first", "10"}),
      SetCommand({"weight", "Change its share of a fair-share pool.", "above 0", "2.5"}),
      SetCommand({"max-slots", "Bound what its trials hold.", "slots, or \"none\"", "8"}),
      SetCommand({"pool",
                  "Move it: its trials save, leave their slots and are asked for again there.",
                  "a resource pool",
                  "gpus"}),
      SetCommand({"log-retention",
                  "Change how long its logs are kept.",
                  "days, \"forever\" or \"default\"",
                  "90"})};
}

}  // namespace det::cli
