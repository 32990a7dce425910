#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include <pqxx/transaction>

#include "master/ingest/shipment.h"

namespace det::pg {
class Connection;
}

namespace det::ingest {

class LogPartitions;
class MetricSummaries;

// Writes shipments with COPY, each commit exactly once: the streams' watermarks are locked,
// compared and advanced in the transaction that stores the rows. One thread.
class BatchWriter {
 public:
  struct Options {
    std::string conninfo;
    int64_t epoch = 0;
    int64_t log_retention_days = -1;  // of experiments that say nothing; -1: for ever
  };
  explicit BatchWriter(const Options& options);
  ~BatchWriter();

  // One transaction for all. `stored` gets one entry a shipment. kUnavailable and kUnknown: try the
  // same again. kAborted: the lease was taken. kInvalidArgument: some row can't be stored.
  absl::Status Write(const std::vector<const Shipment*>& shipments, std::vector<Stored>* stored);

  // Counts the shipment as stored without storing it, and says so in the trial's log. Same errors.
  absl::Status GiveUp(const Shipment& shipment, std::string_view why, Stored* stored);

  // Makes the partitions of the coming weeks, should they be missing.
  absl::Status EnsurePartitions();

 private:
  absl::Time Begin(pqxx::work& tx) const;
  void Learn(const absl::Status& status);

  std::unique_ptr<pg::Connection> connection_;
  const Options options_;
  std::unique_ptr<LogPartitions> partitions_;
  std::unique_ptr<MetricSummaries> summaries_;
};

}  // namespace det::ingest
