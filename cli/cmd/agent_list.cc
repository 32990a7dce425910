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
  DET_ASSIGN_OR_RETURN(const api::ListAgentsResponse response, client->ListAgents());
  const std::vector<api::Agent> agents(response.agents().begin(), response.agents().end());
  DET_RETURN_IF_ERROR(context.Show({ToDocumentList(agents), AgentTable(agents), {}}));
  return ExitCode::kOk;
}

}  // namespace

Command AgentListCommand() {
  return {.noun = "agent",
          .verb = "list",
          .aliases = {"ls"},
          .summary = "List the agents with their slots.",
          .examples = {{"det a list", "which machines are there?"}},
          .run = Run};
}

}  // namespace det::cli
