#include <algorithm>
#include <memory>

#include "cli/app/context.h"
#include "cli/base/cause.h"
#include "cli/client/client.h"
#include "cli/client/pages.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/ids.h"
#include "cli/cmd/metric_plot.h"
#include "cli/view/proto_document.h"
#include "cli/view/trial_view.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

constexpr int64_t kLimitDefault = 1000;
constexpr int64_t kPointsPerPageMax = 50'000;

struct Options {
  std::string id;
  std::string group;
  std::vector<std::string> names;
  bool plot = false;
  std::optional<int64_t> limit;
};

bool IsWanted(const Options& options, const std::string& name) {
  return options.names.empty() ||
         std::find(options.names.begin(), options.names.end(), name) != options.names.end();
}

absl::StatusOr<ExitCode> Run(Context& context, const Options& options) {
  DET_ASSIGN_OR_RETURN(const int64_t id, ParseId(options.id, 't', "trial"));
  const int64_t limit = options.limit.value_or(options.plot ? kPointsPerPageMax : kLimitDefault);
  if (limit != 0) DET_RETURN_IF_ERROR(CheckPositive("--limit", limit));
  api::GetMetricsRequest request;
  request.set_trial(id);
  request.set_group(options.group);
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  const auto next = [&](int32_t most,
                        std::vector<api::MetricPoint>* points) -> absl::StatusOr<bool> {
    request.set_limit(most);
    DET_ASSIGN_OR_RETURN(const api::GetMetricsResponse page, client->GetMetrics(request));
    Append(page.points(), points);
    *request.mutable_after() = page.next_after();
    return page.has_next_after();
  };
  DET_ASSIGN_OR_RETURN(
      auto pages,
      FetchPages<api::MetricPoint>(limit == 0 ? INT64_MAX : limit, next, kPointsPerPageMax));
  std::erase_if(pages.items, [&](const auto& point) { return !IsWanted(options, point.name()); });
  if (options.plot) {
    DET_RETURN_IF_ERROR(ShowPlot(context, pages.items));
  } else {
    DET_RETURN_IF_ERROR(context.Show({ToDocumentList(pages.items), MetricTable(pages.items), {}}));
  }
  if (pages.more) {
    context.Note(
        StrCat("these are the first ", pages.items.size(), " points; --limit 0 shows all"));
  }
  return ExitCode::kOk;
}

}  // namespace

Command TrialMetricsCommand() {
  auto options = std::make_shared<Options>();
  return {
      .noun = "trial",
      .verb = "metrics",
      .summary = "Print what a trial has reported, by group, name and steps.",
      .params = {Required("ID", &options->id, "the trial: 17 or t17"),
                 Option("--group", "NAME", &options->group, "training, validation, ..."),
                 Option("--name", "NAME", &options->names, "only this metric; may come again"),
                 Flag("--plot", &options->plot, "draw it"),
                 Option("--limit", "N", &options->limit, "at most so many points (1000); 0: all")},
      .examples = {{"det t metrics 17 --group validation", "how it went"},
                   {"det t metrics 17 --name loss --plot --watch", "the loss, drawn as it comes"},
                   {"det t metrics 17 --limit 0 -o csv > t17.csv", "all, for a plot"}},
      .run = [options](Context& context) { return Run(context, *options); }};
}

}  // namespace det::cli
