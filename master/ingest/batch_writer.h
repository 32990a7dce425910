#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

#include "master/ingest/shipment.h"

namespace det::pg {
class Connection;
}

namespace det::ingest {

// Writes shipments with COPY, each commit exactly once: the streams' watermarks are locked,
// compared and advanced in the transaction that stores the rows. One thread.
class BatchWriter {
 public:
  BatchWriter(const std::string& conninfo, int64_t epoch);
  ~BatchWriter();

  // One transaction for all. `stored` gets one entry a shipment. kUnavailable and kUnknown: try the
  // same again. kAborted: the lease was taken. kInvalidArgument: some row can't be stored.
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
