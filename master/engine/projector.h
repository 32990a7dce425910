#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "master/core/event.h"
#include "master/core/state.h"
#include "master/journal/tables.h"

namespace det::engine {

// The rows that a step changes. Pure: a function of the events and of the state after them.
class Projector {
 public:
  // Rows that follow from the event itself: history, checkpoints, ends of allocations. `state` is
  // the one before the event.
  void OnEvent(const core::State& state, int64_t seq, const core::Event& event);

  // Rows of the aggregates as they are now; departed ones for the last time.
  void OnStep(const core::State& state,
              const std::set<core::Key>& changed,
              const core::Departed& departed);

  // One row a key, as it was last put.
  std::vector<journal::Row> Take();

 private:
  void Put(journal::Table table, Value values);
  void PutEnded(const core::Key& key, ExperimentId experiment, std::string record);
  void PutEndedTrial(const core::State& state,
                     const core::Departed& departed,
                     const core::Trial& trial,
                     const core::Task* task);
  void PutConfig(ExperimentId id, Value config);
  void PutTrial(const core::State& state, const core::Trial& trial, const core::Task* task);
  void PutAllocation(const core::Task& task);

  std::map<std::pair<journal::Table, std::string>, Value> rows_;
  std::set<TrialId> trials_;  // to be written with the step
};

}  // namespace det::engine
