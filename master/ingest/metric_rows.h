#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include <pqxx/pqxx>

#include "master/ingest/shipment.h"

// Metrics on their way into the tables. For source files only. One thread.
namespace det::ingest {

using AcceptedReport = std::pair<const Shipment*, const Report*>;  // of Metrics

void CopyMetrics(pqxx::work& tx, const std::vector<AcceptedReport>& reports, absl::Time now);

// Keeps the summaries of metrics, and from where each run reports: in the transaction that stores
// the points, after them. A run that begins before where older ones were shadows their points, and
// the trial's summaries are made anew without them.
class MetricSummaries {
 public:
  static void Prepare(pqxx::connection& connection);

  void Store(pqxx::work& tx, const std::vector<AcceptedReport>& reports);
  // What the last Store has learned is durable, or is not.
  void OnCommitted();
  void OnFailed() { learned_.clear(); }

 private:
  using RunKey = std::tuple<int64_t, int64_t, std::string>;  // trial, allocation, group

  std::vector<int64_t> StoreRuns(pqxx::work& tx, const std::vector<AcceptedReport>& reports);

  std::map<RunKey, int64_t> known_;    // first steps that the store has; not of all
  std::map<RunKey, int64_t> learned_;  // by this transaction
};

}  // namespace det::ingest
