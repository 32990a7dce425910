#include "cli/app/context.h"
#include "cli/client/live_pages.h"
#include "cli/cmd/commands.h"
#include "cli/view/cluster_view.h"
#include "common/base/status.h"

namespace det::cli {
namespace {

absl::StatusOr<ExitCode> Run(Context& context) {
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const AgentPages pages, ListAgents(client));
  DET_RETURN_IF_ERROR(context.Show(SlotReport(pages.items)));
  return ExitCode::kOk;
}

}  // namespace

Command SlotListCommand() {
  return {.noun = "slot",
          .verb = "list",
          .aliases = {"ls"},
          .summary = "List the slots of all agents, and the trials that hold them.",
          .examples = {{"det s list --sort trial", "who holds what?"}},
          .run = Run};
}

}  // namespace det::cli
