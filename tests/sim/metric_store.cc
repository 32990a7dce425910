#include "tests/sim/metric_store.h"

namespace det::sim {

bool MetricStore::Ended(AllocationId id) const {
  const auto row = journal_->rows.find({journal::Table::kAllocations, id.ToString()});
  return row == journal_->rows.end() || !row->second.Find("ended_at")->is_null();
}

MetricStore::Result MetricStore::Commit(int64_t epoch, const std::vector<ingest::Report>& reports) {
  Result result;
  if (epoch != journal_->epoch) {
    result.fenced = true;
    return result;
  }
  const core::ReportId& first = reports.front().id;
  int64_t& high = high_[{first.allocation.value(), first.stream}];
  result.high = high;
  if (Ended(first.allocation)) {
    result.ended = true;
    return result;
  }
  for (const ingest::Report& report : reports) {
    if (report.id.seq <= high) continue;
    if (report.id.seq != high + 1) break;
    if (!rows_.insert(Key(report.id)).second) ++duplicates_;
    high = report.id.seq;
  }
  result.high = high;
  return result;
}

}  // namespace det::sim
