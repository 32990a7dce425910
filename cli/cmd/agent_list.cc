#include <memory>

#include "cli/app/context.h"
#include "cli/client/agent_pages.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/ids.h"
#include "cli/view/cluster_view.h"
#include "cli/view/proto_document.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

constexpr int64_t kLimitDefault = 100;

struct Options {
  std::optional<int64_t> limit;
};

absl::StatusOr<ExitCode> Run(Context& context, const Options& options) {
  const int64_t limit = options.limit.value_or(kLimitDefault);
  DET_RETURN_IF_ERROR(CheckPositive("--limit", limit));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const AgentPages pages, ListAgents(client, limit));
  DET_RETURN_IF_ERROR(context.Show({ToDocumentList(pages.items), AgentTable(pages.items), {}}));
  if (pages.more)
    context.Note(StrCat("these are the first ", pages.items.size(), "; --limit N shows more"));
  return ExitCode::kOk;
}

}  // namespace

Command AgentListCommand() {
  auto options = std::make_shared<Options>();
  return {.noun = "agent",
          .verb = "list",
          .aliases = {"ls"},
          .summary = "List the agents with their slots.",
          .params = {Option("--limit", "N", &options->limit, "at most so many (100)")},
          .examples = {{"det a list", "which machines are there?"}},
          .run = [options](Context& context) { return Run(context, *options); }};
}

}  // namespace det::cli
