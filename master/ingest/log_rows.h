#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include <pqxx/pqxx>

#include "master/ingest/shipment.h"

// Log lines on their way into the tables. For source files only. One thread.
namespace det::ingest {

struct AcceptedLine {
  const Shipment* shipment = nullptr;
  const LogRecord* record = nullptr;
  int64_t retention = -1;  // class
};

// A line of ours in a trial's log.
struct Note {
  const Shipment* shipment = nullptr;
  int64_t records = 0;  // that it is about
  int64_t first = 0;    // of them
  std::string why;
  int64_t retention = -1;
};

// Until when the partitions of each class are known to be there.
class LogPartitions {
 public:
  // Makes what is missing for rows received now.
  void Ensure(pqxx::work& tx, int64_t retention, absl::Time now);
  void Forget() { until_.clear(); }

 private:
  std::map<int64_t, absl::Time> until_;
};

void CopyLines(pqxx::work& tx, const std::vector<AcceptedLine>& lines, absl::Time now);

// After the streams' rows: a note follows what is stored of the log by now.
void StoreNotes(pqxx::work& tx, const std::vector<Note>& notes, absl::Time now);

}  // namespace det::ingest
