#include "cli/view/experiment_view.h"

#include <iterator>

#include "cli/client/client.h"
#include "cli/format/quantity.h"
#include "cli/view/columns.h"
#include "cli/view/history_view.h"
#include "cli/view/proto_document.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

using E = api::Experiment;

Cell BestMetric(const E& e) {
  return NumberCell(e.has_best_metric(), e.best_metric());
}
Cell BestTrial(const E& e) {
  return IdCell(e.best_trial());
}
std::string TrialsText(const E& e) {
  return StrCat(e.trials_closed(), "/", e.trials_created());
}

const std::vector<ColumnOf<E>>& Columns() {
  static const auto* const columns = new std::vector<ColumnOf<E>>{
      {{"id", Align::kRight}, [](const E& e) -> Cell { return int64_t{e.id()}; }},
      {{.name = "name", .shrinks = true}, [](const E& e) { return TextCell(e.name()); }},
      {{.name = "owner", .rank = 1}, [](const E& e) { return TextCell(e.owner()); }},
      {{"state"}, [](const E& e) -> Cell { return StateName{e.state()}; }},
      {{"progress", Align::kRight}, [](const E& e) -> Cell { return Fraction{e.progress()}; }},
      {{"trials", Align::kRight, Visible::kPeople},
       [](const E& e) -> Cell { return TrialsText(e); }},
      {{"trials_created", Align::kRight, Visible::kMachines},
       [](const E& e) -> Cell { return int64_t{e.trials_created()}; }},
      {{"trials_closed", Align::kRight, Visible::kMachines},
       [](const E& e) -> Cell { return int64_t{e.trials_closed()}; }},
      {{"best_metric", Align::kRight}, BestMetric},
      {{.name = "best_trial", .align = Align::kRight, .rank = 3}, BestTrial},
      {{"best_steps", Align::kRight, Visible::kMachines},
       [](const E& e) { return IdCell(e.best_steps()); }},
      {{.name = "metric", .shrinks = true, .rank = 2},
       [](const E& e) { return TextCell(e.metric()); }},
      {{"smaller_is_better", Align::kLeft, Visible::kMachines},
       [](const E& e) -> Cell { return std::string(e.smaller_is_better() ? "true" : "false"); }},
      {{.name = "searcher", .shrinks = true, .rank = 4},
       [](const E& e) { return TextCell(e.searcher()); }},
      {{"workspace", Align::kLeft, Visible::kMachines},
       [](const E& e) { return TextCell(e.workspace()); }},
      {{"project", Align::kLeft, Visible::kMachines},
       [](const E& e) { return TextCell(e.project()); }},
      {{"labels", Align::kLeft, Visible::kMachines},
       [](const E& e) { return TextCell(StrJoin(e.labels(), ",")); }},
      {{"archived", Align::kLeft, Visible::kMachines},
       [](const E& e) -> Cell { return std::string(e.archived() ? "true" : "false"); }},
      {{"pool", Align::kLeft, Visible::kMachines}, [](const E& e) { return TextCell(e.pool()); }},
      {{"priority", Align::kRight, Visible::kMachines},
       [](const E& e) -> Cell { return int64_t{e.priority()}; }},
      {{"reason", Align::kLeft, Visible::kMachines},
       [](const E& e) { return TextCell(e.reason().text()); }},
      {{"created"}, [](const E& e) { return TimeCell(e.created_unix_nanos()); }},
      {{"ended", Align::kLeft, Visible::kMachines},
       [](const E& e) { return TimeCell(e.ended_unix_nanos()); }},
  };
  return *columns;
}

// "0123456789ab on main, with changes".
std::string GitText(const api::CodeVersion& code) {
  if (code.git_commit().empty()) return "";
  std::string text = code.git_commit().substr(0, 12);
  if (!code.git_branch().empty()) StrAppend(text, " on ", code.git_branch());
  return code.git_dirty() ? text + ", with changes" : text;
}

Fields ExperimentFields(const E& e) {
  const std::string better = e.smaller_is_better() ? " (smaller is better)" : " (larger is better)";
  Fields fields = {
      {"experiment", int64_t{e.id()}},
      {"name", TextCell(e.name())},
      {"owner", TextCell(e.owner())},
      {"state", StateName{e.state()}},
      {"reason", TextCell(ReasonText(e.reason()))},
      {"searcher", TextCell(e.searcher())},
      {"metric", TextCell(e.metric().empty() ? "" : e.metric() + better)},
      {"progress", Fraction{e.progress()}},
      {"trials", StrCat(e.trials_closed(), " of ", e.trials_created(), " done")},
      {"best", TextCell(BestText(e))},
      {"pool", TextCell(e.pool())},
      {"priority", int64_t{e.priority()}},
      {"created", TimeCell(e.created_unix_nanos())},
      {"ended", TimeCell(e.ended_unix_nanos())},
      {"model", TextCell(e.context_sha256())},
  };
  // Where there is something to say.
  const auto add = [&fields](const std::string& label, const std::string& text) {
    if (!text.empty()) fields.emplace_back(label, text);
  };
  add("commit", GitText(e.code()));
  add("project", e.project().empty() ? "" : StrCat(e.workspace(), "/", e.project()));
  add("labels", StrJoin(e.labels(), ", "));
  add("archived", e.archived() ? "yes" : "");
  add("description", e.description());
  add("notes", e.notes());
  return fields;
}

}  // namespace

Table ExperimentTable(const std::vector<api::Experiment>& experiments) {
  return MakeTable("id", Columns(), experiments);
}

Report ExperimentReport(const api::GetExperimentResponse& response) {
  Report report;
  report.document = ToDocument(response);
  report.table = ExperimentTable({response.experiment()});
  report.sections.push_back({"", ExperimentFields(response.experiment())});
  std::vector<Section> history =
      HistorySections({response.history().begin(), response.history().end()});
  std::move(history.begin(), history.end(), std::back_inserter(report.sections));
  return report;
}

std::string BestText(const api::Experiment& experiment) {
  if (!experiment.has_best_metric()) return "";
  std::string text = MetricText(experiment.best_metric());
  if (experiment.has_best_trial()) StrAppend(text, " by trial ", experiment.best_trial());
  if (experiment.best_steps() > 0) StrAppend(text, " at ", experiment.best_steps(), " batches");
  return text;
}

bool HasEnded(const api::Experiment& experiment) {
  const std::string& state = experiment.state();
  return state == "COMPLETED" || state == "CANCELED" || state == "ERROR";
}

}  // namespace det::cli
