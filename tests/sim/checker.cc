#include "tests/sim/checker.h"

#include "common/base/overload.h"
#include "common/base/strings.h"
#include "master/core/lifecycle.h"
#include "master/searcher/hparams.h"

namespace det::sim {
namespace {

using journal::Table;

bool Ended(const std::string& state) {
  return state == "COMPLETED" || state == "CANCELED" || state == "ERROR";
}

}  // namespace

void Checker::OnBatch(const journal::Batch& batch) {
  for (const core::Event& event : batch.events) {
    if (const auto* created = std::get_if<core::ExperimentCreated>(&event.body)) {
      specs_[created->id] = created->spec;
    } else if (const auto* e = std::get_if<core::ExperimentContinued>(&event.body)) {
      specs_[e->experiment.id] = e->experiment.spec;
      continued_.insert({Table::kExperiments, e->experiment.id.ToString()});
    } else if (const auto* t = std::get_if<core::TrialContinued>(&event.body)) {
      continued_.insert({Table::kTrials, t->trial.id.ToString()});
    } else if (const auto* trial = std::get_if<core::TrialCreated>(&event.body)) {
      const spec::ExperimentSpec& spec = *specs_.at(trial->experiment);
      const Value expected = searcher::Sample(spec.hparams, spec.seed, trial->request);
      if (!(trial->hparams == expected)) {
        kernel_.Fail(
            StrCat("trial ", trial->id.value(), " has other hyperparameters than its seed gives"));
      }
    }
  }
}

void Checker::OnStore() {
  for (const Table table : {Table::kExperiments, Table::kTrials}) {
    for (auto it = store_->rows.lower_bound({table, ""});
         it != store_->rows.end() && it->first.first == table;
         ++it) {
      const std::string& state = it->second.Find("state")->as_string();
      const auto known = ended_.find(it->first);
      if (known != ended_.end() && known->second != state && continued_.erase(it->first) > 0) {
        ended_.erase(it->first);
      } else if (known != ended_.end() && known->second != state) {
        kernel_.Fail(StrCat(journal::ShapeOf(table).name,
                            " ",
                            it->first.second,
                            " went from ",
                            known->second,
                            " to ",
                            state));
      }
      if (Ended(state)) ended_[it->first] = state;
    }
  }
}

std::string Checker::StateOf(Table table, const std::string& id) const {
  const auto row = store_->rows.find({table, id});
  return row == store_->rows.end() ? "" : row->second.Find("state")->as_string();
}

void Checker::OnCreated(ExperimentId id) {
  promised_.insert(id);
  if (StateOf(Table::kExperiments, id.ToString()).empty()) {
    kernel_.Fail(StrCat("experiment ", id.value(), " was promised before it was stored"));
  }
}

void Checker::OnForgotten(AllocationId id) {
  const std::string state = StateOf(Table::kAllocations, id.ToString());
  if (state == core::Name(core::AllocationState::kTerminated)) return;
  kernel_.Fail(StrCat("an agent forgot allocation ",
                      id.value(),
                      ", which is ",
                      state.empty() ? "not there" : state,
                      " in the store"));
}

void Checker::CheckPromises() {
  for (const ExperimentId id : promised_) {
    const std::string state = StateOf(Table::kExperiments, id.ToString());
    if (!Ended(state)) {
      kernel_.Fail(StrCat("experiment ",
                          id.value(),
                          ", promised to its user, is ",
                          state.empty() ? "gone" : state));
    }
  }
}

void Checker::OnReportTaken(const ingest::Report& report) {
  const core::ReportId& id = report.id;
  taken_[{id.allocation.value(), id.stream, id.seq}] = ingest::CommandFor({}, report).has_value();
}

bool Checker::WasLost(AllocationId id) const {
  const auto row = store_->rows.find({Table::kAllocations, id.ToString()});
  const Value* kind = row == store_->rows.end() ? nullptr : row->second.Find("exit_kind");
  return kind != nullptr && kind->is_string() && kind->as_string() == "LOST";
}

// How often the core decided on each report.
std::map<Checker::ReportKey, int64_t> Checker::Decided() const {
  std::map<ReportKey, int64_t> decided;
  journal::MemoryJournal reader(store_);
  const absl::Status status = reader.Read(1, [&](const journal::Recorded& recorded) {
    const auto count = [&](const core::ReportId& id) {
      ++decided[{id.allocation.value(), id.stream, id.seq}];
    };
    std::visit(overloaded{[&](const core::ValidationRecorded& e) { count(e.report); },
                          [&](const core::CheckpointRecorded& e) { count(e.report); },
                          [&](const core::HparamsRefused& e) { count(e.report); },
                          [&](const core::StopReported& e) { count(e.report); },
                          [&](const core::PreemptionAnnounced& e) { count(e.report); },
                          [](const auto&) {}},
               recorded.event.body);
    return absl::OkStatus();
  });
  if (!status.ok()) kernel_.Fail(StrCat("journal: ", FromAbsl(status.message())));
  return decided;
}

// Every report that an agent took is stored once, and decided on once if that is the core's to do,
// unless its run was given up.
void Checker::CheckReports() {
  const std::map<ReportKey, int64_t> decided = Decided();
  for (const auto& [key, decides] : taken_) {
    const auto& [allocation, stream, seq] = key;
    const auto found = decided.find(key);
    const int64_t times = found == decided.end() ? 0 : found->second;
    const auto fail = [&, seq = seq, allocation = allocation](std::string_view what) {
      kernel_.Fail(StrCat("report ", seq, " of allocation ", allocation, what));
    };
    if (times > 1) fail(" was decided on twice");
    if (WasLost(AllocationId(allocation))) continue;
    if (!metrics_.Has({AllocationId(allocation), stream, seq})) fail(" is not in the store");
    if (decides && times == 0) fail(" was never decided on");
  }
  if (metrics_.duplicates() != 0) kernel_.Fail("a report is in the store twice");
}

// Only a trial's own faults count as its restarts.
void Checker::CheckRestarts() {
  for (auto it = store_->rows.lower_bound({Table::kTrials, ""});
       it != store_->rows.end() && it->first.first == Table::kTrials;
       ++it) {
    const TrialId id(it->second.Find("id")->as_int());
    if (it->second.Find("restarts")->as_int() > trial_faults_[id]) {
      kernel_.Fail(StrCat("trial ", id.value(), " restarted more often than it failed"));
    }
  }
}

void Checker::AtEnd() {
  OnStore();
  CheckPromises();
  CheckReports();
  CheckRestarts();
}

}  // namespace det::sim
