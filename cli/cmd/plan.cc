#include <cmath>
#include <memory>
#include <optional>

#include "cli/app/context.h"
#include "cli/base/cause.h"
#include "cli/client/client.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/config_file.h"
#include "cli/view/cluster_view.h"
#include "common/base/status.h"

namespace det::cli {
namespace {

struct PlanWords {
  ConfigWords config;
  std::optional<double> speed;
};

absl::StatusOr<ExitCode> Run(Context& context, const PlanWords& words) {
  if (words.speed.has_value() && !(std::isfinite(*words.speed) && *words.speed > 0)) {
    return UsageError("--speed must be a number above 0",
                      "--speed 250: batches a second, of one trial");
  }
  DET_ASSIGN_OR_RETURN(const ConfigText config, ReadConfig(words.config));
  api::PlanExperimentRequest request;
  request.set_config(config.text);
  request.set_config_name(config.name);
  for (const std::string& text : words.config.overrides) request.add_overrides(text);
  request.set_template_(words.config.template_name);
  request.set_units_per_second(words.speed.value_or(0));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const api::PlanExperimentResponse plan, client->PlanExperiment(request));
  for (const std::string& warning : plan.warnings()) context.Warn(warning);
  DET_RETURN_IF_ERROR(context.Show(PlanReport(plan)));
  return plan.impossible() ? ExitCode::kNeverRuns : ExitCode::kOk;
}

}  // namespace

Command PlanCommand() {
  auto words = std::make_shared<PlanWords>();
  std::vector<Param> params = ConfigParams(&words->config);
  params.push_back(Option("--speed",
                          "N",
                          &words->speed,
                          "batches, or whatever the search counts by, that one trial does a "
                          "second: gives slot-hours"));
  return {.verb = "plan",
          .summary = "Show where and when a configuration would run; nothing is recorded.",
          .params = std::move(params),
          .examples = {{"det plan asha.yaml", "what would start now, and why not the rest?"},
                       {"det plan asha.yaml --speed 250", "and how many slot-hours is it?"},
                       {"det plan big.yaml || echo no", "exit code 10: it could never run"}},
          .run = [words](Context& context) { return Run(context, *words); }};
}

}  // namespace det::cli
