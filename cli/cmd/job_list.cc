#include "cli/app/context.h"
#include "cli/client/client.h"
#include "cli/cmd/commands.h"
#include "cli/view/cluster_view.h"
#include "cli/view/proto_document.h"
#include "common/base/status.h"

namespace det::cli {
namespace {

absl::StatusOr<ExitCode> Run(Context& context) {
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const api::ListJobsResponse response, client->ListJobs());
  const std::vector<api::Job> jobs(response.jobs().begin(), response.jobs().end());
  DET_RETURN_IF_ERROR(context.Show({ToDocumentList(jobs), JobTable(jobs), {}}));
  return ExitCode::kOk;
}

}  // namespace

Command JobListCommand() {
  return {.noun = "job",
          .verb = "list",
          .aliases = {"ls"},
          .summary = "List what waits and runs, in the order of the queue.",
          .examples = {{"det j list", "when is it my turn?"}},
          .run = Run};
}

}  // namespace det::cli
