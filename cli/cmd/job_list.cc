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
      new ListKind{.since = "submitted", .example = "'pool = default and slots_waiting > 0'"};
  return *kind;
}

absl::StatusOr<ExitCode> Run(Context& context, const ListWords& words) {
  DET_ASSIGN_OR_RETURN(const ListAsk ask, Understand(words, Kind()));
  api::ListJobsRequest request;
  ask.Fill(&request);
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const JobPages pages, ListJobs(client, std::move(request), ask.limit));
  DET_RETURN_IF_ERROR(context.Show({ToDocumentList(pages.items), JobTable(pages.items), {}}));
  NoteMore(context, pages.items.size(), pages.more);
  return ExitCode::kOk;
}

}  // namespace

Command JobListCommand() {
  auto words = std::make_shared<ListWords>();
  return {.noun = "job",
          .verb = "list",
          .aliases = {"ls"},
          .summary = "List what waits and runs, in the order of the queue.",
          .params = ListParams(words.get(), Kind()),
          .examples = {{"det j list", "when is it my turn?"},
                       {"det j list --filter 'owner = ann'", "what ann waits for"}},
          .run = [words](Context& context) { return Run(context, *words); }};
}

}  // namespace det::cli
