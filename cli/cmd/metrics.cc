#include <algorithm>
#include <memory>

#include "cli/app/context.h"
#include "cli/base/cause.h"
#include "cli/client/client.h"
#include "cli/client/pages.h"
#include "cli/cmd/commands.h"
#include "cli/cmd/ids.h"
#include "cli/cmd/metric_plot.h"
#include "cli/cmd/trial_pages.h"
#include "cli/view/metric_view.h"
#include "cli/view/proto_document.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

constexpr int64_t kLimitDefault = 1000;
constexpr int32_t kPageMax = 50'000;
constexpr size_t kTrialsPerCall = 1000;

struct Options {
  std::string id;
  std::string group;
  std::string name;
  bool summary = false;
  bool shadowed = false;
  bool plot = false;
  std::optional<int64_t> limit;
};

// One trial, or all of an experiment.
absl::StatusOr<std::vector<int64_t>> TrialsOf(Client* client, const std::string& id) {
  if (!id.starts_with('e')) {
    DET_ASSIGN_OR_RETURN(const int64_t trial, ParseId(id, 't', "trial"));
    DET_RETURN_IF_ERROR(client->GetTrial(trial).status());
    return std::vector{trial};
  }
  DET_ASSIGN_OR_RETURN(const int64_t experiment, ParseId(id, 'e', "experiment"));
  DET_ASSIGN_OR_RETURN(const TrialPages pages, ListTrials(client, {experiment}));
  std::vector<int64_t> trials;
  for (const api::Trial& trial : pages.trials) trials.push_back(trial.id());
  return trials;
}

absl::Status ShowSummaries(Context& context,
                           Client* client,
                           const std::vector<int64_t>& trials,
                           const Options& options) {
  std::vector<api::MetricSummary> all;
  for (size_t at = 0; at < trials.size(); at += kTrialsPerCall) {
    api::GetMetricSummariesRequest request;
    for (size_t i = at; i < std::min(trials.size(), at + kTrialsPerCall); ++i)
      request.add_trials(trials[i]);
    request.set_group(options.group);
    request.set_limit(kPageMax);
    for (bool more = true; more;) {
      DET_ASSIGN_OR_RETURN(const auto page, client->GetMetricSummaries(request));
      Append(page.summaries(), &all);
      more = page.more() && page.summaries_size() > 0;
      if (more) *request.mutable_after() = *page.summaries().rbegin();
    }
  }
  std::erase_if(all, [&](const api::MetricSummary& summary) {
    return !options.name.empty() && summary.name() != options.name;
  });
  return context.Show({ToDocumentList(all), SummaryTable(all), {}});
}

absl::Status ShowPoints(Context& context,
                        Client* client,
                        const std::vector<int64_t>& trials,
                        const Options& options) {
  const int64_t limit = options.limit.value_or(options.plot ? kPageMax : kLimitDefault);
  int64_t left = limit == 0 ? INT64_MAX : limit;
  std::vector<api::MetricPoint> points;
  bool more = false;
  for (const int64_t trial : trials) {
    api::GetMetricsRequest request;
    request.set_trial(trial);
    request.set_group(options.group);
    request.set_name(options.name);
    request.set_include_shadowed(options.shadowed);
    const auto next = [&](int32_t most,
                          std::vector<api::MetricPoint>* out) -> absl::StatusOr<bool> {
      request.set_limit(most);
      DET_ASSIGN_OR_RETURN(const api::GetMetricsResponse page, client->GetMetrics(request));
      Append(page.points(), out);
      *request.mutable_after() = page.next_after();
      return page.has_next_after();
    };
    if (left == 0) {
      more = true;
      break;
    }
    DET_ASSIGN_OR_RETURN(auto pages, FetchPages<api::MetricPoint>(left, next, kPageMax));
    left -= static_cast<int64_t>(pages.items.size());
    more = more || pages.more;
    std::move(pages.items.begin(), pages.items.end(), std::back_inserter(points));
  }
  DET_RETURN_IF_ERROR(options.plot
                          ? ShowPlot(context, points)
                          : context.Show({ToDocumentList(points), PointTable(points), {}}));
  if (more) {
    context.Note(StrCat("these are the first ", points.size(), " points; --limit 0 shows all"));
  }
  return absl::OkStatus();
}

absl::StatusOr<ExitCode> Run(Context& context, const Options& options) {
  if (options.limit.value_or(0) != 0) DET_RETURN_IF_ERROR(CheckPositive("--limit", *options.limit));
  if (options.summary && options.plot) return UsageError("--summary and --plot do not go together");
  if (options.summary && options.limit.has_value())
    return UsageError("--summary shows one line a metric; --limit is for points");
  DET_ASSIGN_OR_RETURN(Client * client, context.Connect());
  DET_ASSIGN_OR_RETURN(const std::vector<int64_t> trials, TrialsOf(client, options.id));
  DET_RETURN_IF_ERROR(options.summary ? ShowSummaries(context, client, trials, options)
                                      : ShowPoints(context, client, trials, options));
  return ExitCode::kOk;
}

}  // namespace

Command MetricsCommand() {
  auto options = std::make_shared<Options>();
  return {
      .noun = "",
      .verb = "metrics",
      .summary = "Print what a trial, or the trials of an experiment, have measured.",
      .details =
          "By group, name and steps. Groups are training, validation, the program's own, and what\n"
          "the agent samples of each task: cpu, memory and disk. Points that a later run has gone\n"
          "over again, from an earlier checkpoint, are left out.",
      .params = {Required("ID", &options->id, "the trial (17 or t17) or experiment (e7)"),
                 Option("--group", "NAME", &options->group, "training, validation, ..."),
                 Option("--name", "NAME", &options->name, "only this metric"),
                 Flag("--summary", &options->summary, "count, min, max, mean and last of each"),
                 Flag("--plot", &options->plot, "draw them"),
                 Flag("--shadowed", &options->shadowed, "also what was gone over again"),
                 Option("--limit", "N", &options->limit, "at most so many points (1000); 0: all")},
      .examples = {{"det metrics 17 --plot", "draw what trial 17 has reported"},
                   {"det metrics 17 --summary", "each metric in one line"},
                   {"det metrics e7 --group validation --name loss -o csv", "to compare trials"},
                   {"det metrics 17 --group memory", "what it used"}},
      .run = [options](Context& context) { return Run(context, *options); }};
}

}  // namespace det::cli
