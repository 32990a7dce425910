#include <memory>

#include "cli/app/context.h"
#include "cli/client/client.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/config_file.h"
#include "cli/view/cluster_view.h"
#include "common/base/status.h"

namespace det::cli {
namespace {

absl::StatusOr<ExitCode> Run(Context& context, const ConfigWords& words) {
  DET_ASSIGN_OR_RETURN(const ConfigText config, ReadConfig(words));
  api::PreviewSearchRequest request;
  request.set_config(config.text);
  request.set_config_name(config.name);
  for (const std::string& text : words.overrides) request.add_overrides(text);
  request.set_template_(words.template_name);
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const api::PreviewSearchResponse preview, client->PreviewSearch(request));
  for (const std::string& warning : preview.warnings()) context.Warn(warning);
  DET_RETURN_IF_ERROR(context.Show(PreviewReport(preview)));
  return ExitCode::kOk;
}

}  // namespace

Command PreviewSearchCommand() {
  auto words = std::make_shared<ConfigWords>();
  return {.verb = "preview-search",
          .summary = "Show what a configuration's search would do; nothing is recorded.",
          .params = ConfigParams(words.get()),
          .examples = {{"det preview-search asha.yaml", "how many trials, how long, with what?"},
                       {"det preview-search asha.yaml --config searcher.max_trials=64",
                        "and with more of them?"}},
          .run = [words](Context& context) { return Run(context, *words); }};
}

}  // namespace det::cli
