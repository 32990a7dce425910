#include "cli/view/metric_view.h"

#include "cli/client/client.h"
#include "cli/view/columns.h"

namespace det::cli {

Table PointTable(const std::vector<api::MetricPoint>& points) {
  using P = api::MetricPoint;
  static const auto* const columns = new std::vector<ColumnOf<P>>{
      {{"trial", Align::kRight}, [](const P& p) -> Cell { return int64_t{p.trial()}; }},
      {{"group"}, [](const P& p) { return TextCell(p.group()); }},
      {{.name = "name", .shrinks = true}, [](const P& p) { return TextCell(p.name()); }},
      {{"steps_completed", Align::kRight},
       [](const P& p) -> Cell { return int64_t{p.steps_completed()}; }},
      {{"value", Align::kRight},
       [](const P& p) -> Cell { return p.text().empty() ? Cell(p.value()) : Cell(p.text()); }},
      {{"at"}, [](const P& p) { return TimeCell(p.at_unix_nanos()); }},
  };
  return MakeTable("name", *columns, points);
}

Table SummaryTable(const std::vector<api::MetricSummary>& summaries) {
  using S = api::MetricSummary;
  static const auto number = [](bool there, double value) { return there ? Cell(value) : Cell(); };
  static const auto* const columns = new std::vector<ColumnOf<S>>{
      {{"trial", Align::kRight}, [](const S& s) -> Cell { return int64_t{s.trial()}; }},
      {{"group"}, [](const S& s) { return TextCell(s.group()); }},
      {{.name = "name", .shrinks = true}, [](const S& s) { return TextCell(s.name()); }},
      {{"count", Align::kRight}, [](const S& s) -> Cell { return int64_t{s.count()}; }},
      {{"min", Align::kRight}, [](const S& s) { return number(s.has_min(), s.min()); }},
      {{"max", Align::kRight}, [](const S& s) { return number(s.has_max(), s.max()); }},
      {{"mean", Align::kRight}, [](const S& s) { return number(s.has_mean(), s.mean()); }},
      {{"last", Align::kRight}, [](const S& s) { return number(s.has_last(), s.last()); }},
      {{"last_steps", Align::kRight}, [](const S& s) -> Cell { return int64_t{s.last_steps()}; }},
      {{"nans", Align::kRight}, [](const S& s) -> Cell { return int64_t{s.nans()}; }},
      {{"infinities", Align::kRight}, [](const S& s) -> Cell { return int64_t{s.infinities()}; }},
  };
  return MakeTable("name", *columns, summaries);
}

}  // namespace det::cli
