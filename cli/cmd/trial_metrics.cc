#include <memory>

#include "cli/app/context.h"
#include "cli/base/cause.h"
#include "cli/client/client.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/ids.h"
#include "cli/view/proto_document.h"
#include "cli/view/trial_view.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

constexpr int64_t kLimitDefault = 1000;
constexpr int64_t kLimitMax = 100'000;

struct Options {
  std::string id;
  std::string group;
  std::optional<int64_t> limit;
};

absl::StatusOr<ExitCode> Run(Context& context, const Options& options) {
  DET_ASSIGN_OR_RETURN(const int64_t id, ParseId(options.id, 't', "trial"));
  const int64_t limit = options.limit.value_or(kLimitDefault);
  DET_RETURN_IF_ERROR(CheckPositive("--limit", limit));
  if (limit > kLimitMax) return UsageError(StrCat("--limit: at most ", kLimitMax, " points"));
  api::GetMetricsRequest request;
  request.set_trial(id);
  request.set_group(options.group);
  request.set_limit(static_cast<int32_t>(limit));
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const api::GetMetricsResponse response, client->GetMetrics(request));
  const std::vector<api::MetricPoint> points(response.points().begin(), response.points().end());
  DET_RETURN_IF_ERROR(context.Show({ToDocumentList(points), MetricTable(points), {}}));
  if (static_cast<int64_t>(points.size()) == limit) {
    context.Note(StrCat("there may be more than these ", limit, " points: see --limit"));
  }
  return ExitCode::kOk;
}

}  // namespace

Command TrialMetricsCommand() {
  auto options = std::make_shared<Options>();
  return {.noun = "trial",
          .verb = "metrics",
          .summary = "Print what a trial has reported, in the order of its reports.",
          .params = {Required("ID", &options->id, "the trial: 17 or t17"),
                     Option("--group", "NAME", &options->group, "training, validation, ..."),
                     Option("--limit", "N", &options->limit, "at most so many points (1000)")},
          .examples = {{"det t metrics 17 --group validation", "how it went"},
                       {"det t metrics 17 --limit 100000 -o csv > t17.csv", "all, for a plot"}},
          .run = [options](Context& context) { return Run(context, *options); }};
}

}  // namespace det::cli
