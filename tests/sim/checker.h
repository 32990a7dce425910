#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>

#include "master/journal/memory_journal.h"
#include "tests/sim/metric_store.h"
#include "tests/sim/world.h"

namespace det::sim {

// What must hold of everything that is durable or was promised, whatever happened.
class Checker {
 public:
  Checker(Kernel& kernel, std::shared_ptr<journal::MemoryStore> store, MetricStore& metrics)
      : kernel_(kernel), store_(std::move(store)), metrics_(metrics) {}

  // A batch left the core: every trial's point must be the one that its seed gives.
  void OnBatch(const journal::Batch& batch);

  // The store may have changed: ended things must stay as they are.
  void OnStore();

  // A user was told that the experiment exists: it is in the store from now on.
  void OnCreated(ExperimentId id);
  // An agent dropped all that it knew of a run, so the store must know that run's end by now.
  void OnForgotten(AllocationId id);
  // A trial was told that its agent has the report.
  void OnReportTaken(const ingest::Report& report);
  // A trial ended by its own fault.
  void OnTrialFault(TrialId id) { ++trial_faults_[id]; }

  // Everything ended.
  void AtEnd();

 private:
  using ReportKey = std::tuple<int64_t, int64_t, int64_t>;  // allocation, stream, seq

  std::string StateOf(journal::Table table, const std::string& id) const;
  void CheckPromises();
  void CheckReports();
  std::map<ReportKey, int64_t> Decided() const;
  bool WasLost(AllocationId id) const;
  void CheckRestarts();

  Kernel& kernel_;
  std::shared_ptr<journal::MemoryStore> store_;
  MetricStore& metrics_;
  std::set<ExperimentId> promised_;
  std::map<ReportKey, bool> taken_;  // true: the core has to decide on it
  std::map<TrialId, int64_t> trial_faults_;
  std::map<std::pair<journal::Table, std::string>, std::string> ended_;
  // What a user continued: it may leave its end once.
  std::set<std::pair<journal::Table, std::string>> continued_;
  std::map<ExperimentId, std::shared_ptr<const spec::ExperimentSpec>> specs_;
};

}  // namespace det::sim
