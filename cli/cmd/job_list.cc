#include <algorithm>
#include <memory>

#include "cli/app/context.h"
#include "cli/client/client.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/ids.h"
#include "cli/view/cluster_view.h"
#include "cli/view/proto_document.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

constexpr int64_t kPageMax = 1000;
constexpr int64_t kLimitDefault = 100;

struct Options {
  std::optional<int64_t> limit;
};

absl::StatusOr<ExitCode> Run(Context& context, const Options& options) {
  int64_t left = options.limit.value_or(kLimitDefault);
  DET_RETURN_IF_ERROR(CheckPositive("--limit", left));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  api::ListJobsRequest request;
  std::vector<api::Job> jobs;
  bool more = false;
  do {
    request.set_limit(static_cast<int32_t>(std::min(left, kPageMax)));
    DET_ASSIGN_OR_RETURN(const api::ListJobsResponse page, client->ListJobs(request));
    jobs.insert(jobs.end(), page.jobs().begin(), page.jobs().end());
    left -= page.jobs_size();
    more = page.has_next_after();
    *request.mutable_after() = page.next_after();
  } while (left > 0 && more);
  DET_RETURN_IF_ERROR(context.Show({ToDocumentList(jobs), JobTable(jobs), {}}));
  if (more) context.Note(StrCat("these are the first ", jobs.size(), "; --limit N shows more"));
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
