#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

#include "common/base/ids.h"
#include "master/ingest/log_record.h"
#include "master/ingest/report.h"

namespace det::pg {
class Connection;
}

namespace det::ingest {

// Streams of an allocation: what numbers its records.
inline constexpr int64_t kRelayStream = 0;      // reports through the relay
inline constexpr int64_t kLogStream = 1;        // log records
inline constexpr int64_t kLogReportStream = 2;  // reports read from the log

// Records of one stream, in order.
struct Shipment {
  AgentId agent;
  AllocationId allocation;
  TrialId trial;
  int64_t rank = 0;
  int64_t stream = 0;
  std::vector<Report> reports;  // of streams 0 and 2
  std::vector<LogRecord> logs;  // of stream 1
  int64_t wire_bytes = 0;       // of the message that brought it
};

// What became of a shipment.
struct Stored {
  int64_t high = 0;         // the stream is stored up to here
  bool ended = false;       // the run is over, or another agent's: everything was refused
  int64_t metric_rows = 0;  // new ones
  int64_t log_rows = 0;
  int64_t unreadable = 0;  // reports that left only a line in the trial's log
};

// Writes shipments with COPY, each commit exactly once: the streams' watermarks are locked,
// compared and advanced in the transaction that stores the rows. One thread.
class BatchWriter {
 public:
  BatchWriter(const std::string& conninfo, int64_t epoch);
  ~BatchWriter();

  // One transaction for all. `stored` gets one entry a shipment. kUnavailable and kUnknown: try the
  // same again. kAborted: the lease was taken. Anything else: some row can't be stored.
  absl::Status Write(const std::vector<const Shipment*>& shipments, std::vector<Stored>* stored);

  // Counts the shipment as stored without storing it, and says so in the trial's log. Same errors.
  absl::Status GiveUp(const Shipment& shipment, std::string_view why, Stored* stored);

  // Makes the partitions of the coming weeks, should they be missing.
  absl::Status EnsurePartitions();

 private:
  std::unique_ptr<pg::Connection> connection_;
  const int64_t epoch_;
};

}  // namespace det::ingest
