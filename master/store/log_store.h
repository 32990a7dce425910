#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "common/base/ids.h"

namespace det::pg {
class Pool;
}

// What trials printed, as it is durable. For threads that may block.
namespace det::store {

// A line, or a piece of a long one.
struct LogRow {
  AllocationId allocation;
  int64_t run = 0;
  int64_t rank = 0;
  int64_t seq = 0;
  int64_t note = 0;  // above 0: a line of the master's, after the record of this number
  absl::Time at;
  int source = 1;  // ingest::LogSource
  int level = 3;   // ingest::LogLevel
  std::string line;
  bool partial = false;
  int64_t dropped = 0;
};

// Where a reader of one part of a log stands: after this record.
struct LogPlace {
  int64_t seq = 0;
  int64_t note = 0;
  auto operator<=>(const LogPlace&) const = default;
};
inline constexpr LogPlace kLogEnd{INT64_MAX, INT64_MAX};

// What one rank of one run printed. Its records are numbered from 1 without gaps but for those
// that were given up, so a number is a line's place, and the index of the rows leads to it.
struct LogPart {
  AllocationId allocation;
  int64_t run = 0;
  int64_t rank = 0;
  std::string agent;
  LogPlace end;  // the last record that is stored, and how many notes there are
};

struct TrialLog {
  TrialId trial;
  absl::Time created;
  std::optional<absl::Time> ended;
  std::vector<LogPart> parts;  // by run, then rank
};

class LogStore {
 public:
  explicit LogStore(const std::string& conninfo, int connections_max = 8);
  ~LogStore();

  // What there is of the trial's log by now. NOT_FOUND (TRIAL_NOT_FOUND).
  absl::StatusOr<TrialLog> Find(TrialId trial);

  struct Page {
    LogPlace from;          // exclusive
    bool backward = false;  // from there to the beginning
    int64_t limit = 1000;
  };
  // Records of one of the log's parts, read from an index, no more than asked for.
  absl::StatusOr<std::vector<LogRow>> Read(const TrialLog& log,
                                           const LogPart& part,
                                           const Page& page);

  // The place before the first record of the part that was printed at the time or later: by
  // halving, as times follow numbers but for jumps of the host's clock.
  absl::StatusOr<LogPlace> Before(const TrialLog& log, const LogPart& part, absl::Time time);

 private:
  std::unique_ptr<pg::Pool> pool_;
};

}  // namespace det::store
