#include <memory>

#include "cli/app/context.h"
#include "cli/client/client.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/ids.h"
#include "cli/format/document.h"
#include "cli/view/proto_document.h"
#include "common/base/status.h"

namespace det::cli {
namespace {

struct Options {
  std::string id;
  bool submitted = false;
};

absl::StatusOr<ExitCode> Run(Context& context, const Options& options) {
  DET_ASSIGN_OR_RETURN(const int64_t id, ParseId(options.id, 'e', "experiment"));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  api::GetExperimentRequest request;
  request.set_id(id);
  request.set_with_submitted(options.submitted);
  DET_ASSIGN_OR_RETURN(const api::GetExperimentResponse response,
                       client->GetExperimentConfig(request));
  Report report;
  if (options.submitted) {
    report.document = response.submitted_config();
    report.sections = {{"", response.submitted_config()}};
  } else {
    report.document = JsonTextDocument(response.effective_config());
    report.sections = {{"", ToYaml(report.document)}};
  }
  DET_RETURN_IF_ERROR(context.Show(std::move(report)));
  return ExitCode::kOk;
}

}  // namespace

Command ExperimentConfigCommand() {
  auto options = std::make_shared<Options>();
  return {.noun = "experiment",
          .verb = "config",
          .summary = "Show an experiment's configuration as it takes effect, with every default.",
          .details =
              "What it shows can be submitted again. Secrets are references in it, and "
              "asterisks in the text that was submitted.",
          .params = {Required("ID", &options->id, "the experiment: 7 or e7"),
                     Flag("--submitted", &options->submitted, "the text as it was submitted")},
          .examples = {{"det e config 7", "in YAML"},
                       {"det e config 7 -o json", "for scripts"},
                       {"det e config 7 --submitted", "with its comments"}},
          .run = [options](Context& context) { return Run(context, *options); }};
}

}  // namespace det::cli
