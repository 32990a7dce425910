#include <memory>

#include "cli/app/context.h"
#include "cli/app/list_options.h"
#include "cli/client/live_pages.h"
#include "cli/cmd/commands.h"
#include "cli/view/cluster_view.h"
#include "cli/view/proto_document.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"

namespace det::cli {
namespace {

const ListKind& Kind() {
  static const auto* const kind =
      new ListKind{.since = "submitted", .example = "'pool = default and slots_waiting > 0'"};
  return *kind;
}

struct Options {
  ListWords list;
  std::string pool;
};

absl::StatusOr<ExitCode> Run(Context& context, const Options& options) {
  ListWords words = options.list;
  if (!options.pool.empty()) {
    const std::string in_pool = StrCat("pool = ", QuoteJson(options.pool));
    words.filter = words.filter.empty() ? in_pool : StrCat("(", words.filter, ") and ", in_pool);
  }
  DET_ASSIGN_OR_RETURN(const ListAsk ask, Understand(words, Kind()));
  api::ListJobsRequest request;
  ask.Fill(&request);
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(JobPages pages, ListJobs(client, std::move(request), ask.most()));
  ask.Cut(&pages.items);
  DET_RETURN_IF_ERROR(context.Show({ToDocumentList(pages.items), JobTable(pages.items), {}}));
  NoteMore(context, pages.items.size(), pages.more);
  return ExitCode::kOk;
}

}  // namespace

Command JobListCommand() {
  auto options = std::make_shared<Options>();
  Command command{.noun = "job",
                  .verb = "list",
                  .aliases = {"ls"},
                  .summary = "List what waits and runs, in the order of the queue.",
                  .params = ListParams(&options->list, Kind()),
                  .examples = {{"det j list", "when is it my turn?"},
                               {"det j list --filter 'owner = ann'", "what ann waits for"}},
                  .run = [options](Context& context) { return Run(context, *options); }};
  command.params.push_back(
      Hidden(Option("-p,--resource-pool", "POOL", &options->pool, "as --filter 'pool = POOL'")));
  return command;
}

}  // namespace det::cli
