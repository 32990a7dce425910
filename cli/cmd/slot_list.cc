#include <memory>

#include "cli/app/context.h"
#include "cli/app/sift.h"
#include "cli/client/live_pages.h"
#include "cli/cmd/commands.h"
#include "cli/view/cluster_view.h"
#include "common/base/status.h"

namespace det::cli {
namespace {

const ListKind& Kind() {
  static const auto* const kind =
      new ListKind{.example = "'state = FREE and kind = cuda'", .limit = 1000};
  return *kind;
}

absl::StatusOr<ExitCode> Run(Context& context, const ListWords& words) {
  DET_ASSIGN_OR_RETURN(const ListAsk ask, Understand(words, Kind()));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const AgentPages pages, ListAgents(client));
  return ShowSifted(context, SlotReport(pages.items), ask, false);
}

}  // namespace

Command SlotListCommand() {
  auto words = std::make_shared<ListWords>();
  return {.noun = "slot",
          .verb = "list",
          .aliases = {"ls"},
          .summary = "List the slots of all agents, and the trials that hold them.",
          .params = ListParams(words.get(), Kind()),
          .examples = {{"det s list --sort trial", "who holds what?"},
                       {"det s list --filter 'state = FREE'", "where is room?"}},
          .run = [words](Context& context) { return Run(context, *words); }};
}

}  // namespace det::cli
