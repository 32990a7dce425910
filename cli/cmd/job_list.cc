#include <memory>

#include "cli/app/context.h"
#include "cli/client/client.h"
#include "cli/client/pages.h"
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
  api::ListJobsRequest request;
  const auto next = [&](int32_t most, std::vector<api::Job>* jobs) -> absl::StatusOr<bool> {
    request.set_limit(most);
    DET_ASSIGN_OR_RETURN(const api::ListJobsResponse page, client->ListJobs(request));
    Append(page.jobs(), jobs);
    *request.mutable_after() = page.next_after();
    return page.has_next_after();
  };
  DET_ASSIGN_OR_RETURN(const auto pages, FetchPages<api::Job>(limit, next));
  DET_RETURN_IF_ERROR(context.Show({ToDocumentList(pages.items), JobTable(pages.items), {}}));
  if (pages.more)
    context.Note(StrCat("these are the first ", pages.items.size(), "; --limit N shows more"));
  return ExitCode::kOk;
}

}  // namespace

Command JobListCommand() {
  auto options = std::make_shared<Options>();
  return {.noun = "job",
          .verb = "list",
          .aliases = {"ls"},
          .summary = "List what waits and runs, in the order of the queue.",
          .params = {Option("--limit", "N", &options->limit, "at most so many (100)")},
          .examples = {{"det j list", "when is it my turn?"}},
          .run = [options](Context& context) { return Run(context, *options); }};
}

}  // namespace det::cli
