#include <memory>

#include "cli/app/context.h"
#include "cli/app/list_options.h"
#include "cli/client/live_pages.h"
#include "cli/cmd/commands.h"
#include "cli/view/cluster_view.h"
#include "cli/view/proto_document.h"
#include "common/base/status.h"

namespace det::cli {
namespace {

const ListKind& Kind() {
  static const auto* const kind =
      new ListKind{.since = "since", .example = "'state != CONNECTED or slots_free > 2'"};
  return *kind;
}

absl::StatusOr<ExitCode> Run(Context& context, const ListWords& words) {
  DET_ASSIGN_OR_RETURN(const ListAsk ask, Understand(words, Kind()));
  api::ListAgentsRequest request;
  ask.Fill(&request);
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const AgentPages pages, ListAgents(client, std::move(request), ask.limit));
  DET_RETURN_IF_ERROR(context.Show({ToDocumentList(pages.items), AgentTable(pages.items), {}}));
  NoteMore(context, pages.items.size(), pages.more);
  return ExitCode::kOk;
}

}  // namespace

Command AgentListCommand() {
  auto words = std::make_shared<ListWords>();
  return {.noun = "agent",
          .verb = "list",
          .aliases = {"ls"},
          .summary = "List the agents with their slots.",
          .params = ListParams(words.get(), Kind()),
          .examples = {{"det a list", "which machines are there?"},
                       {"det a list --filter 'slots_free > 0'", "where is room?"}},
          .run = [words](Context& context) { return Run(context, *words); }};
}

}  // namespace det::cli
