#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "common/text/pattern.h"
#include "master/store/log_store.h"

namespace det::store {

// Which lines are wanted; what is not set asks for nothing.
struct LogFilter {
  std::vector<int> sources;
  int min_level = 0;
  std::vector<int64_t> ranks;
  std::vector<int64_t> runs;
  std::optional<absl::Time> since;  // by the line's own time
  std::optional<absl::Time> until;  // exclusive
  std::optional<Pattern> pattern;

  bool Takes(const LogPart& part) const;
  bool Takes(const LogRow& row) const;
};

// A line's place in a trial's log.
struct LogPosition {
  AllocationId allocation;
  int64_t rank = 0;
  LogPlace place;
};

// Goes through a trial's log in pages, run by run and rank by rank, and picks out what a filter
// takes. A step reads one page, so whoever takes steps can stop, yield and go on, however long the
// log is. One thread at a time.
class LogScan {
 public:
  enum class Direction { kForward, kBackward };

  LogScan(LogStore* store, TrialId trial, LogFilter filter, Direction direction)
      : store_(*store), trial_(trial), filter_(std::move(filter)), direction_(direction) {}

  // Before the first step: go on behind this position.
  void StartAfter(const LogPosition& position) { start_ = position; }
  // Before the first step: begin with the line of this number, counted through all parts that the
  // filter takes, from 1.
  void StartAtLine(int64_t line) { start_line_ = line; }

  // Looks at up to so many more records, and adds what is wanted. False: there is no more, by now.
  absl::StatusOr<bool> Step(int64_t records_max, std::vector<LogRow>* found);
  // After a step that said no more: looks whether something came. True: another step is worth it.
  absl::StatusOr<bool> Refresh();

  // As of the last look.
  const TrialLog& log() const { return log_; }
  // The last record that was looked at; nothing before the first.
  const std::optional<LogPosition>& position() const { return position_; }
  int64_t scanned() const { return scanned_; }

 private:
  using Key = std::pair<int64_t, int64_t>;  // allocation, rank
  struct Job {
    LogPart part;
    LogPlace from;
    bool sought = false;  // `from` heeds the filter's times
  };
  struct Seen {
    LogPlace read;  // up to here
    LogPlace end;   // of the part, when it was read
  };

  absl::Status Load();
  void SkipToStart(const LogPart& part, Job* job, bool* skip);
  absl::Status Seek(Job* job);
  bool Take(const LogRow& row, std::vector<LogRow>* found);

  LogStore& store_;
  const TrialId trial_;
  const LogFilter filter_;
  const Direction direction_;
  std::optional<LogPosition> start_;
  int64_t start_line_ = 0;
  bool loaded_ = false;
  TrialLog log_;
  std::deque<Job> jobs_;
  std::map<Key, Seen> seen_;
  std::optional<LogPosition> position_;
  int64_t scanned_ = 0;
};

}  // namespace det::store
