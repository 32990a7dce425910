#include "cli/cmd/metric_plot.h"

#include <algorithm>

#include "cli/app/context.h"
#include "cli/app/options.h"
#include "cli/base/cause.h"
#include "cli/client/client.h"
#include "cli/format/plot.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

// A line for each metric, by the batches that were done.
std::vector<Series> SeriesOf(const std::vector<api::MetricPoint>& points) {
  const bool several = !points.empty() && points.front().trial() != points.back().trial();
  std::vector<Series> series;
  for (const api::MetricPoint& point : points) {
    if (!point.text().empty()) continue;
    std::string name = StrCat(point.group(), ".", point.name());
    if (several) name = StrCat("t", point.trial(), " ", name);
    auto at = std::find_if(
        series.begin(), series.end(), [&](const Series& line) { return line.name == name; });
    if (at == series.end()) at = series.insert(series.end(), Series{.name = name});
    at->points.emplace_back(static_cast<double>(point.steps_completed()), point.value());
  }
  return series;
}

}  // namespace

absl::Status ShowPlot(Context& context, const std::vector<api::MetricPoint>& points) {
  constexpr int kHeightMax = 24;
  constexpr size_t kSeriesMax = 6;
  if (!IsForPeople(context.options().format)) {
    return UsageError("--plot draws for people", "leave out -o");
  }
  std::vector<Series> series = SeriesOf(points);
  const size_t left_out = series.size() > kSeriesMax ? series.size() - kSeriesMax : 0;
  series.resize(series.size() - left_out);
  Terminal terminal = context.OutTerminal();
  // A pipe takes any character; only a terminal has to have it.
  terminal.utf8 = terminal.utf8 || !terminal.tty;
  const PlotSize size{.width = terminal.width, .height = std::min(terminal.height - 1, kHeightMax)};
  context.out().Write(PlotText(series, "batches", size, terminal));
  if (series.empty()) context.Note("there are no numbers to draw");
  if (left_out > 0) {
    context.Note(StrCat(left_out, " more are left out; --name NAME draws those that you name"));
  }
  return absl::OkStatus();
}

}  // namespace det::cli
