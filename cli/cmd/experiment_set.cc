#include <memory>

#include "cli/app/context.h"
#include "cli/app/exit_code.h"
#include "cli/client/client.h"
#include "cli/cmd/bulk.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/selection.h"
#include "cli/cmd/setting.h"
#include "cli/view/experiment_view.h"
#include "cli/view/proto_document.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

struct Options {
  std::string first;  // the ids; with a filter, the value
  std::string value = kUnset;
  Selection selection;
  std::string name;
};

absl::Status ShowOne(Context& context, const Setting& setting, const api::Experiment& experiment) {
  const std::string text =
      StrCat("experiment ", experiment.id(), ": ", setting.name, " is ", setting.value, "\n");
  return context.Show({ToDocument(experiment), ExperimentTable({experiment}), {{"", text}}});
}

absl::StatusOr<ExitCode> Run(Context& context, Options options) {
  Setting setting{options.name, ""};
  DET_ASSIGN_OR_RETURN(setting.value,
                       TakeValue("VALUE", options.first, options.value, &options.selection));
  api::ConfigureExperimentRequest request;
  DET_RETURN_IF_ERROR(Fill(setting, &request));
  DET_ASSIGN_OR_RETURN(const std::vector<int64_t> ids,
                       Select(context, options.selection, {.verb = StrCat("set ", setting.name)}));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  const bool one = ids.size() == 1 && options.selection.filter.empty();
  std::vector<Outcome> outcomes;
  for (const int64_t id : ids) {
    request.set_id(id);
    const absl::StatusOr<api::ExperimentResponse> response = client->ConfigureExperiment(request);
    if (one) {
      DET_RETURN_IF_ERROR(response.status());
      DET_RETURN_IF_ERROR(ShowOne(context, setting, response->experiment()));
      return ExitCode::kOk;
    }
    if (!response.ok()) context.PrintError(response.status());
    outcomes.push_back(
        response.ok()
            ? Outcome{id, response->experiment(), StrCat(setting.name, " is ", setting.value)}
            : Outcome{id, response.status()});
    // A master that is not there is so for the others as well.
    if (CodeOf(response.status()) == ExitCode::kUnreachable) break;
  }
  return ShowOutcomes(context, outcomes, ids.size());
}

struct Verb {
  std::string name;
  std::string summary;
  std::string value;    // what may stand there
  std::string example;  // one such
};

Command SetCommand(const Verb& verb) {
  auto options = std::make_shared<Options>();
  options->name = verb.name;
  const std::string name = StrCat("set ", verb.name);
  Command command{
      .noun = "experiment",
      .verb = name,
      .summary = verb.summary,
      .params = {Required("ID", &options->first, "the experiment: 7 or e7; or several: 7,8"),
                 Optional("VALUE", &options->value, verb.value),
                 FilterParam(&options->selection),
                 YesParam(&options->selection)},
      .examples = {{StrCat("det e ", name, " 7 ", verb.example), ""}},
      .run = [options](Context& context) { return Run(context, *options); }};
  if (verb.name == "log-retention") {
    command.params.push_back(Hidden(Option("--days", "N", &options->value, "as VALUE")));
  }
  return command;
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
