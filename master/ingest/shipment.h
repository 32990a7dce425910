#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "common/base/ids.h"
#include "master/ingest/log_record.h"
#include "master/ingest/report.h"

namespace det::ingest {

// Streams of an allocation: what numbers its records.
inline constexpr int64_t kRelayStream = 0;      // reports through the relay
inline constexpr int64_t kLogStream = 1;        // log records
inline constexpr int64_t kLogReportStream = 2;  // reports read from the log
inline constexpr int64_t kSampleStream =
    3;  // what the agent samples of the run; no search hears of it
inline constexpr int64_t kStreams = 4;

struct StreamKey {
  AllocationId allocation;
  int64_t rank = 0;
  int64_t stream = 0;
  auto operator<=>(const StreamKey&) const = default;
};

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

  StreamKey key() const { return {allocation, rank, stream}; }
};

// What became of a shipment.
struct Stored {
  int64_t high = 0;         // the stream is stored up to here
  bool ended = false;       // the run is over, or another agent's: everything was refused
  int64_t metric_rows = 0;  // new ones
  int64_t log_rows = 0;
  int64_t unreadable = 0;  // reports that left only a line in the trial's log
};

}  // namespace det::ingest
