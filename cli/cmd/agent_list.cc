#include <algorithm>
#include <memory>

#include "cli/app/context.h"
#include "cli/app/list_options.h"
#include "cli/client/live_pages.h"
#include "cli/cmd/commands.h"
#include "cli/view/cluster_view.h"
#include "cli/view/proto_document.h"
#include "common/base/status.h"
#include "common/base/strings.h"

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
  DET_ASSIGN_OR_RETURN(AgentPages pages, ListAgents(client, std::move(request), ask.most()));
  ask.Cut(&pages.items);
  DET_RETURN_IF_ERROR(context.Show({ToDocumentList(pages.items), AgentTable(pages.items), {}}));
  NoteMore(context, pages.items.size(), pages.more);
  return ExitCode::kOk;
}

absl::StatusOr<ExitCode> Describe(Context& context, const std::string& id) {
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const AgentPages pages, ListAgents(client));
  const auto at = std::find_if(
      pages.items.begin(), pages.items.end(), [&](const auto& agent) { return agent.id() == id; });
  if (at == pages.items.end()) {
    return Error(absl::StatusCode::kNotFound,
                 "NO_SUCH_AGENT",
                 StrCat("there is no agent ", id),
                 "det agent list shows them");
  }
  Report report = SlotReport({*at});
  std::vector<Section> sections{{"",
                                 Fields{{"agent", TextCell(at->id())},
                                        {"state", StateName{at->state()}},
                                        {"since", TimeCell(at->since_unix_nanos())},
                                        {"pool", TextCell(at->pool())},
                                        {"version", TextCell(at->version())},
                                        {"address", TextCell(at->address())}}},
                                {"Slots", std::move(report.table)}};
  DET_RETURN_IF_ERROR(context.Show({ToDocument(*at), AgentTable({*at}), std::move(sections)}));
  return ExitCode::kOk;
}

}  // namespace

Command AgentDescribeCommand() {
  auto id = std::make_shared<std::string>();
  return {.noun = "agent",
          .verb = "describe",
          .aliases = {"show"},
          .summary = "Show one agent with its slots.",
          .params = {Required("AGENT", id.get(), "the agent")},
          .examples = {{"det a describe gpu-1", "what runs there?"}},
          .run = [id](Context& context) { return Describe(context, *id); }};
}

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
