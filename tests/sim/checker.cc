#include "tests/sim/checker.h"

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
      if (known != ended_.end() && known->second != state) {
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

// Every report that an agent took is stored once, unless its run was given up.
void Checker::CheckReports() {
  for (const auto& [allocation, stream, seq] : taken_) {
    if (metrics_.Has({AllocationId(allocation), stream, seq})) continue;
    const auto row = store_->rows.find({Table::kAllocations, std::to_string(allocation)});
    const Value* kind = row == store_->rows.end() ? nullptr : row->second.Find("exit_kind");
    if (kind == nullptr || !kind->is_string() || kind->as_string() != "LOST") {
      kernel_.Fail(StrCat("report ", seq, " of allocation ", allocation, " is not in the store"));
    }
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
