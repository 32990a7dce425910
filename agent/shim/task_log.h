#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/time/time.h"

#include "agent/shim/line_splitter.h"
#include "agent/spool/log_record.h"
#include "agent/spool/segment_log.h"
#include "common/clock/clock.h"

namespace det::agent {

// What a task prints, line by line, into its segment log. It never fails and never waits for room:
// what the disk has no room for is counted, and one record says how many there were as soon as
// there is room again. One thread.
class TaskLog {
 public:
  // Between two flushes. The first line after a quiet while is flushed at once.
  static constexpr absl::Duration kFlushInterval = absl::Milliseconds(20);

  // `clock` outlives it.
  TaskLog(const std::string& directory, int64_t bytes_max, const Clock* clock);

  // Bytes as they were printed.
  void Print(spool::LogSource source, std::string_view bytes);
  // Nothing more will be printed there.
  void End(spool::LogSource source);
  // A line of the agent's own.
  void Say(std::string_view text);

  // Call it often: flushes what waits when the last flush was kFlushInterval ago.
  void FlushIfDue();
  void Flush();
  // The last call: tells what is missing, if there is room by now, and flushes.
  void Finish();
  // Whether there is anything to flush or to tell.
  bool waiting() const { return waits_ || dropped_ > 0; }

  // At most so many records are neither on disk nor told of there. After Finish().
  int64_t untold() const;

 private:
  void Append(spool::LogSource source, bool partial, std::string_view text);
  bool Write(spool::LogSource source, bool partial, std::string_view text);
  void TellDropped();
  bool Open();
  bool HasRoom(size_t bytes);

  spool::SegmentLogOptions options_;
  const Clock* clock_;
  std::unique_ptr<spool::SegmentWriter> writer_;
  std::array<LineSplitter, 2> splitters_;
  int64_t now_ns_ = 0;
  bool waits_ = false;
  absl::Duration flushed_at_ = -absl::InfiniteDuration();  // tried, at least
  int64_t dropped_ = 0;
  int64_t room_ = 0;  // bytes that may be written before the disk is asked again
  absl::Duration retry_at_;
  int64_t flushed_through_ = 0;  // the last seq that is certainly on disk
};

}  // namespace det::agent
