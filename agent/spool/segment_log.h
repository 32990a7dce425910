#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "agent/spool/segment_cursor.h"
#include "agent/spool/segment_file.h"
#include "common/os/unique_fd.h"

// A log on disk: records that are appended by one writer, numbered from 1 without end, read and
// trimmed by others, in this process or another one. Old records give way to new ones in whole
// segments, so a reader knows exactly how many it missed. No threads, no locks: one thread an
// object, and whoever opens a writer sees to it that there is one at a time.
namespace det::spool {

struct SegmentLogOptions {
  std::string directory;  // made when the first record is written
  int64_t segment_bytes = int64_t{4} << 20;
  // Of all segments together. A segment is never larger than a quarter of it, whatever
  // segment_bytes says, so that there is always one to give way.
  int64_t bytes_max = int64_t{256} << 20;
  // Refuse new records rather than drop old ones.
  bool keep_all = false;
  // Records wait here until Flush(), or until there are so many bytes.
  int64_t buffer_bytes = int64_t{64} << 10;
  // The next record's seq is at least this: for a log whose tail a power failure may have taken
  // after it was read.
  int64_t seq_min = 1;
};

class SegmentWriter {
 public:
  // Goes on where the log ends. What a crash left half-written at its end is cut off; records that
  // were read before never change their seq.
  static absl::StatusOr<std::unique_ptr<SegmentWriter>> Open(const SegmentLogOptions& options);

  SegmentWriter(const SegmentWriter&) = delete;
  SegmentWriter& operator=(const SegmentWriter&) = delete;
  // Does not flush.
  ~SegmentWriter() = default;

  // Gives the record's seq. It is in memory until a flush. When it fails, nothing was appended:
  //   INVALID_ARGUMENT (RECORD_EMPTY, RECORD_TOO_LARGE: over 16 MiB or a quarter of bytes_max)
  //   RESOURCE_EXHAUSTED (DISK_FULL): try again when there is room
  //   RESOURCE_EXHAUSTED (LOG_FULL): keep_all, and nothing was trimmed
  // and those of OsError.
  absl::StatusOr<int64_t> Append(std::string_view payload);

  // Hands everything to the kernel: readers see it, and it outlives this process. When it fails
  // (DISK_FULL, ...) what could not be written stays in memory, and the next flush goes on with it.
  absl::Status Flush();
  // Flushes and waits until all of it outlives a power failure. After the disk once refused, it
  // refuses for good: what the disk then holds is not known, so open the log anew.
  absl::Status Sync();

  // What the next record will be called.
  int64_t next_seq() const { return next_seq_; }
  // Bytes in memory.
  int64_t unflushed_bytes() const { return static_cast<int64_t>(buffer_.size()); }

 private:
  explicit SegmentWriter(const SegmentLogOptions& options);

  absl::Status GoOn();
  absl::Status GoOnIn(const Segment& newest);
  absl::Status CheckSize(std::string_view payload) const;
  absl::Status CheckTotal(int64_t bytes);
  absl::Status MakeRoom(int64_t bytes);
  absl::Status DropOldest(int64_t bytes);
  absl::StatusOr<std::vector<Segment>> OlderSegments();
  absl::Status StartSegment();
  absl::Status SyncAll();
  int64_t CurrentBytes() const { return written_ + unflushed_bytes(); }

  SegmentLogOptions options_;
  int64_t next_seq_ = 1;
  UniqueFd current_;  // the newest segment, or none yet
  int64_t current_first_ = 0;
  int64_t written_ = 0;      // bytes of it that are in the file
  int64_t older_bytes_ = 0;  // of the other segments, when last counted
  std::string buffer_;
  // Segments with bytes that no Sync has covered, but for the newest one.
  std::vector<int64_t> unsynced_;
  bool directory_unsynced_ = true;
  absl::Status sync_failed_;
};

struct LogEntry {
  int64_t seq = 0;
  // How many records before this one are gone for good: dropped to make room, or damaged.
  int64_t dropped_before = 0;
  std::string payload;
};

class SegmentReader {
 public:
  explicit SegmentReader(std::string directory) : directory_(std::move(directory)) {}

  // Records from `from_seq` (1 or more) on that were flushed by now, in order: at most
  // `records_max`, and no more than `bytes_max` of payload together, but at least one if there is
  // one. Reading on from the last seq plus one is cheap. Empty when there is nothing yet, also
  // when there is no log yet.
  absl::StatusOr<std::vector<LogEntry>> Read(int64_t from_seq,
                                             size_t records_max,
                                             size_t bytes_max);

 private:
  struct Request;

  absl::StatusOr<bool> Locate(int64_t seq);
  absl::StatusOr<bool> GoTo(int64_t first_seq);
  absl::StatusOr<bool> GoToNext();
  absl::StatusOr<bool> ReadSegment(Request* request);

  std::string directory_;
  std::optional<SegmentCursor> cursor_;
};

// Removes segments that lie wholly at or below `seq`, but never the newest one, which keeps the
// count. Any process, at any time.
absl::Status TrimThrough(const std::string& directory, int64_t seq);

}  // namespace det::spool
