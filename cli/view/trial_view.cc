#include "cli/view/trial_view.h"

#include <iterator>
#include <set>

#include "cli/client/client.h"
#include "cli/format/quantity.h"
#include "cli/format/width.h"
#include "cli/view/columns.h"
#include "cli/view/history_view.h"
#include "cli/view/hparams.h"
#include "cli/view/proto_document.h"
#include "common/base/strings.h"
#include "common/json/json.h"

namespace det::cli {
namespace {

using T = api::Trial;

Cell Best(const T& t) {
  return NumberCell(t.has_best_metric(), t.best_metric());
}
Cell Latest(const T& t) {
  return NumberCell(t.has_latest_metric(), t.latest_metric());
}

const std::vector<ColumnOf<T>>& Columns() {
  static const auto* const columns = new std::vector<ColumnOf<T>>{
      {{"id", Align::kRight}, [](const T& t) -> Cell { return int64_t{t.id()}; }},
      {{"experiment", Align::kRight, Visible::kMachines},
       [](const T& t) -> Cell { return int64_t{t.experiment()}; }},
      {{"state"}, [](const T& t) -> Cell { return StateName{t.state()}; }},
      {{"best_metric", Align::kRight}, Best},
      {{.name = "latest_metric", .align = Align::kRight, .rank = 1}, Latest},
      {{.name = "latest_steps", .align = Align::kRight, .rank = 3},
       [](const T& t) -> Cell { return int64_t{t.latest_steps()}; }},
      {{"progress", Align::kRight}, [](const T& t) -> Cell { return Fraction{t.progress()}; }},
      {{.name = "restarts", .align = Align::kRight, .rank = 2},
       [](const T& t) -> Cell { return int64_t{t.restarts()}; }},
      {{"runs", Align::kRight, Visible::kMachines},
       [](const T& t) -> Cell { return int64_t{t.runs()}; }},
      {{.name = "agent", .rank = 4}, [](const T& t) { return TextCell(t.agent()); }},
      {{.name = "hparams", .shrinks = true},
       [](const T& t) { return TextCell(CompactHparams(t.hparams_json())); }},
      {{"latest_checkpoint", Align::kLeft, Visible::kMachines},
       [](const T& t) { return TextCell(t.latest_checkpoint()); }},
      {{"reason", Align::kLeft, Visible::kMachines},
       [](const T& t) { return TextCell(t.reason().text()); }},
      {{.name = "created", .rank = 5}, [](const T& t) { return TimeCell(t.created_unix_nanos()); }},
      {{"ended", Align::kLeft, Visible::kMachines},
       [](const T& t) { return TimeCell(t.ended_unix_nanos()); }},
  };
  return *columns;
}

std::string LogPolicyText(const T& t) {
  return t.log_policy().empty() ? "" : StrCat("log policy matched: ", t.log_policy());
}

Fields TrialFields(const T& t) {
  const std::string steps = StrCat(" at ", t.latest_steps(), " batches");
  const std::string latest =
      t.has_latest_metric() ? MetricText(t.latest_metric()) + steps : std::string();
  const std::string training = t.latest_training_json().empty()
                                   ? std::string()
                                   : StrCat(CompactHparams(t.latest_training_json()),
                                            " at ",
                                            t.latest_training_steps(),
                                            " batches");
  return {
      {"trial", int64_t{t.id()}},
      {"experiment", int64_t{t.experiment()}},
      {"state", StateName{t.state()}},
      {"reason", TextCell(ReasonText(t.reason()))},
      {"best", Best(t)},
      {"latest", TextCell(latest)},
      {"training", TextCell(training)},
      {"progress", Fraction{t.progress()}},
      {"log policy", TextCell(LogPolicyText(t))},
      {"checkpoint", TextCell(t.latest_checkpoint())},
      {"agent", TextCell(t.agent())},
      {"slots", TextCell(StrJoin(t.slots(), ", "))},
      {"runs", int64_t{t.runs()}},
      {"restarts",
       StrCat(t.restarts(), " by its own faults, ", t.infrastructure_restarts(), " by agents'")},
      {"seed", int64_t{t.seed()}},
      {"created", TimeCell(t.created_unix_nanos())},
      {"ended", TimeCell(t.ended_unix_nanos())},
  };
}

Table LeaderboardBase(const std::string& metric) {
  return {.columns = {{"trial", Align::kRight},
                      {"state"},
                      {metric.empty() ? "metric" : metric, Align::kRight},
                      {"batches", Align::kRight}},
          .key = "trial"};
}

std::vector<Cell> LeaderboardRow(const T& t) {
  return {int64_t{t.id()}, StateName{t.state()}, Best(t), int64_t{t.latest_steps()}};
}

bool Fits(const Table& table, const Terminal& terminal) {
  if (!terminal.tty) return true;
  Terminal endless = terminal;
  endless.tty = false;
  endless.color = false;
  const std::string text = TableText(table, true, endless, absl::UnixEpoch());
  return DisplayWidth(text.substr(0, text.find('\n'))) <= terminal.width;
}

}  // namespace

Table TrialTable(const std::vector<api::Trial>& trials) {
  return MakeTable("id", Columns(), trials);
}

Report TrialReport(const api::GetTrialResponse& response) {
  const T& trial = response.trial();
  Report report;
  report.document = ToDocument(response);
  report.table = TrialTable({trial});
  report.sections.push_back({"", TrialFields(trial)});
  if (Fields hparams = FlattenHparams(trial.hparams_json()); !hparams.empty()) {
    report.sections.push_back({"Hyperparameters", std::move(hparams)});
  }
  std::vector<Section> history =
      HistorySections({response.history().begin(), response.history().end()});
  std::move(history.begin(), history.end(), std::back_inserter(report.sections));
  return report;
}

Table LeaderboardTable(const std::vector<api::Trial>& trials,
                       const std::string& metric,
                       const Terminal& terminal) {
  std::set<std::string> names;
  for (const T& trial : trials) {
    for (const auto& [name, cell] : FlattenHparams(trial.hparams_json())) names.insert(name);
  }
  Table wide = LeaderboardBase(metric);
  for (const std::string& name : names) wide.columns.push_back({name, Align::kRight});
  Table narrow = LeaderboardBase(metric);
  narrow.columns.push_back({.name = "hparams", .shrinks = true});
  for (const T& trial : trials) {
    std::vector<Cell> row = LeaderboardRow(trial);
    narrow.rows.push_back(row);
    narrow.rows.back().push_back(TextCell(CompactHparams(trial.hparams_json())));
    const Hparams hparams = FlattenHparams(trial.hparams_json());
    for (const std::string& name : names) {
      const auto at = std::find_if(
          hparams.begin(), hparams.end(), [&](const auto& hparam) { return hparam.first == name; });
      row.push_back(at == hparams.end() ? Cell() : at->second);
    }
    wide.rows.push_back(std::move(row));
  }
  return Fits(wide, terminal) ? wide : narrow;
}

Table MetricTable(const std::vector<api::MetricPoint>& points) {
  using P = api::MetricPoint;
  static const auto* const columns = new std::vector<ColumnOf<P>>{
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

}  // namespace det::cli
