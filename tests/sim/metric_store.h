#pragma once

#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "master/ingest/report.h"
#include "master/journal/memory_journal.h"

namespace det::sim {

// The data plane's part of the store, with the contract of the real one: in one transaction it
// checks the epoch, refuses what comes from a run that is over, drops what it has, refuses gaps,
// and advances the stream's watermark.
class MetricStore {
 public:
  explicit MetricStore(std::shared_ptr<journal::MemoryStore> journal)
      : journal_(std::move(journal)) {}

  struct Result {
    bool fenced = false;
    bool ended = false;  // the run is over: everything was refused
    int64_t high = 0;    // the stream's watermark afterwards
  };
  Result Commit(int64_t epoch, const std::vector<ingest::Report>& reports);

  bool Has(const core::ReportId& id) const { return rows_.contains(Key(id)); }
  int64_t duplicates() const { return duplicates_; }

 private:
  using RowKey = std::tuple<int64_t, int64_t, int64_t>;
  static RowKey Key(const core::ReportId& id) { return {id.allocation.value(), id.stream, id.seq}; }
  bool Ended(AllocationId id) const;

  std::shared_ptr<journal::MemoryStore> journal_;
  std::set<RowKey> rows_;
  std::map<std::pair<int64_t, int64_t>, int64_t> high_;
  int64_t duplicates_ = 0;
};

}  // namespace det::sim
