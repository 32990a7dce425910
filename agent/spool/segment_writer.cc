#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

#include "agent/spool/segment_log.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/fs.h"
#include "common/os/os_error.h"

namespace det::spool {
namespace {

constexpr int kShares = 4;
constexpr mode_t kFileMode = 0600;
constexpr mode_t kDirectoryMode = 0700;

int64_t Sum(const std::vector<Segment>& segments) {
  int64_t bytes = 0;
  for (const Segment& segment : segments) bytes += segment.bytes;
  return bytes;
}

int64_t FramedBytes(std::string_view payload) {
  return static_cast<int64_t>(kFrameBytes + payload.size());
}

// To the last whole record.
absl::Status WalkToEnd(SegmentCursor* cursor) {
  for (;;) {
    DET_ASSIGN_OR_RETURN(const bool found, cursor->Peek());
    if (!found) return absl::OkStatus();
    cursor->Advance();
  }
}

absl::Status CutTo(int fd, int64_t bytes, const std::string& path) {
  while (::ftruncate(fd, bytes) != 0) {
    if (errno != EINTR) return OsError(errno, "cut off the torn end of", path);
  }
  return absl::OkStatus();
}

}  // namespace

SegmentWriter::SegmentWriter(const SegmentLogOptions& options) : options_(options) {
  options_.segment_bytes = std::min(options_.segment_bytes, options_.bytes_max / kShares);
}

absl::StatusOr<std::unique_ptr<SegmentWriter>> SegmentWriter::Open(
    const SegmentLogOptions& options) {
  // Not make_unique: the constructor is private.
  std::unique_ptr<SegmentWriter> writer(new SegmentWriter(options));
  DET_RETURN_IF_ERROR(writer->GoOn());
  return writer;
}

absl::Status SegmentWriter::GoOn() {
  DET_ASSIGN_OR_RETURN(std::vector<Segment> segments, ListSegments(options_.directory));
  // Nothing tells whether an earlier life synced them.
  for (const Segment& segment : segments) unsynced_.push_back(segment.first_seq);
  if (!segments.empty()) {
    DET_RETURN_IF_ERROR(GoOnIn(segments.back()));
    if (current_.valid()) {
      segments.pop_back();
      unsynced_.pop_back();
    }
  }
  older_bytes_ = Sum(segments);
  if (next_seq_ >= options_.seq_min) return absl::OkStatus();
  next_seq_ = options_.seq_min;
  if (!current_.valid()) return absl::OkStatus();
  // A record's place tells its seq, so a gap needs a new segment.
  unsynced_.push_back(current_first_);
  older_bytes_ += written_;
  current_.Reset();
  written_ = 0;
  buffer_.clear();
  return absl::OkStatus();
}

absl::Status SegmentWriter::GoOnIn(const Segment& newest) {
  const std::string path = SegmentPath(options_.directory, newest.first_seq);
  DET_ASSIGN_OR_RETURN(UniqueFd fd, OpenFile(path, O_RDWR));
  std::string header(kHeaderBytes, '\0');
  const ssize_t got = ::pread(fd.get(), header.data(), header.size(), 0);
  if (got < 0) return OsError(errno, "read", path);
  header.resize(static_cast<size_t>(got));
  const HeaderKind kind = ReadHeader(header, newest.first_seq);
  if (kind == HeaderKind::kOtherVersion) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "LOG_VERSION",
                 StrCat("cannot go on writing ", path, ": another version of det wrote it"),
                 "run that version, or move the log away");
  }
  SegmentCursor cursor(std::move(fd), newest.first_seq, path);
  if (kind == HeaderKind::kBad) cursor.SkipHeader();
  DET_RETURN_IF_ERROR(WalkToEnd(&cursor));
  next_seq_ = cursor.seq();
  // Behind a damaged header nobody reads; the records there only count. A new segment follows.
  if (kind == HeaderKind::kBad && next_seq_ > newest.first_seq) return absl::OkStatus();
  current_first_ = newest.first_seq;
  written_ = kind == HeaderKind::kBad ? 0 : cursor.offset();
  DET_RETURN_IF_ERROR(CutTo(cursor.fd(), written_, path));
  current_ = cursor.TakeFd();
  if (written_ == 0) buffer_ = EncodeHeader(current_first_);
  return absl::OkStatus();
}

absl::StatusOr<int64_t> SegmentWriter::Append(std::string_view payload) {
  DET_RETURN_IF_ERROR(CheckSize(payload));
  const int64_t bytes = FramedBytes(payload);
  if (options_.keep_all) DET_RETURN_IF_ERROR(CheckTotal(bytes));
  DET_RETURN_IF_ERROR(MakeRoom(bytes));
  if (unflushed_bytes() + bytes > options_.buffer_bytes) DET_RETURN_IF_ERROR(Flush());
  AppendFrame(payload, &buffer_);
  return next_seq_++;
}

absl::Status SegmentWriter::CheckSize(std::string_view payload) const {
  if (payload.empty()) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "RECORD_EMPTY",
                 StrCat("cannot append to ", options_.directory, ": the record is empty"));
  }
  const int64_t share =
      options_.bytes_max / kShares - static_cast<int64_t>(kHeaderBytes + kFrameBytes);
  const int64_t most = std::min(static_cast<int64_t>(kPayloadMax), share);
  if (static_cast<int64_t>(payload.size()) <= most) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument,
               "RECORD_TOO_LARGE",
               StrCat("cannot append to ",
                      options_.directory,
                      ": a record of ",
                      payload.size(),
                      " bytes; at most ",
                      most,
                      " are possible"));
}

absl::Status SegmentWriter::CheckTotal(int64_t bytes) {
  const int64_t wanted = CurrentBytes() + bytes + static_cast<int64_t>(kHeaderBytes);
  if (older_bytes_ + wanted <= options_.bytes_max) return absl::OkStatus();
  // Others may have trimmed since.
  DET_RETURN_IF_ERROR(OlderSegments());
  if (older_bytes_ + wanted <= options_.bytes_max) return absl::OkStatus();
  return Error(absl::StatusCode::kResourceExhausted,
               "LOG_FULL",
               StrCat("cannot append to ",
                      options_.directory,
                      ": it holds ",
                      older_bytes_ + CurrentBytes(),
                      " of ",
                      options_.bytes_max,
                      " bytes, and all are still needed"),
               "try again when some were delivered");
}

// Begins a new segment when the record does not fit into the current one.
absl::Status SegmentWriter::MakeRoom(int64_t bytes) {
  if (current_.valid() && CurrentBytes() + bytes <= options_.segment_bytes) {
    return absl::OkStatus();
  }
  // A record larger than a segment has one of its own.
  if (current_.valid() && next_seq_ == current_first_) {
    return options_.keep_all ? absl::OkStatus() : DropOldest(bytes);
  }
  DET_RETURN_IF_ERROR(Flush());
  if (current_.valid()) {
    unsynced_.push_back(current_first_);
    older_bytes_ += written_;
    current_.Reset();
    written_ = 0;
  }
  if (!options_.keep_all) DET_RETURN_IF_ERROR(DropOldest(bytes));
  return StartSegment();
}

// All but the current one; counts their bytes anew.
absl::StatusOr<std::vector<Segment>> SegmentWriter::OlderSegments() {
  DET_ASSIGN_OR_RETURN(std::vector<Segment> segments, ListSegments(options_.directory));
  std::erase_if(segments, [&](const Segment& segment) {
    return current_.valid() && segment.first_seq == current_first_;
  });
  older_bytes_ = Sum(segments);
  return segments;
}

absl::Status SegmentWriter::DropOldest(int64_t bytes) {
  const int64_t needed =
      std::max(options_.segment_bytes, bytes + static_cast<int64_t>(kHeaderBytes));
  if (older_bytes_ + needed <= options_.bytes_max) return absl::OkStatus();
  DET_ASSIGN_OR_RETURN(const std::vector<Segment> segments, OlderSegments());
  // The newest of all stays: it keeps the count should this process end before the next one begins.
  const size_t droppable = segments.size() - (current_.valid() || segments.empty() ? 0 : 1);
  for (size_t i = 0; i < droppable && older_bytes_ + needed > options_.bytes_max; ++i) {
    const std::string path = SegmentPath(options_.directory, segments[i].first_seq);
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return OsError(errno, "remove", path);
    older_bytes_ -= segments[i].bytes;
    std::erase(unsynced_, segments[i].first_seq);
    directory_unsynced_ = true;
  }
  return absl::OkStatus();
}

absl::Status SegmentWriter::StartSegment() {
  const std::string path = SegmentPath(options_.directory, next_seq_);
  const int flags = O_RDWR | O_CREAT | O_TRUNC;
  absl::StatusOr<UniqueFd> fd = OpenFile(path, flags, kFileMode);
  if (absl::IsNotFound(fd.status())) {
    DET_RETURN_IF_ERROR(MakeDirs(options_.directory, kDirectoryMode));
    fd = OpenFile(path, flags, kFileMode);
  }
  if (!fd.ok()) return fd.status();
  current_ = *std::move(fd);
  current_first_ = next_seq_;
  buffer_ = EncodeHeader(current_first_);
  directory_unsynced_ = true;
  return absl::OkStatus();
}

absl::Status SegmentWriter::Flush() {
  size_t done = 0;
  int error = 0;
  while (done < buffer_.size() && error == 0) {
    const ssize_t put =
        ::pwrite(current_.get(), buffer_.data() + done, buffer_.size() - done, written_);
    if (put < 0 && errno != EINTR) error = errno;
    if (put <= 0) continue;
    done += static_cast<size_t>(put);
    written_ += put;
  }
  // A record of which a part was written is torn for now; the next flush writes the rest of it.
  buffer_.erase(0, done);
  if (error == 0) return absl::OkStatus();
  return OsError(error, "write", SegmentPath(options_.directory, current_first_));
}

absl::Status SegmentWriter::Sync() {
  DET_RETURN_IF_ERROR(Flush());
  if (sync_failed_.ok()) sync_failed_ = SyncAll();
  return sync_failed_;
}

absl::Status SegmentWriter::SyncAll() {
  for (const int64_t first_seq : unsynced_) {
    const std::string path = SegmentPath(options_.directory, first_seq);
    const absl::StatusOr<UniqueFd> fd = OpenFile(path, O_RDONLY);
    if (absl::IsNotFound(fd.status())) continue;  // trimmed
    if (!fd.ok()) return fd.status();
    if (::fdatasync(fd->get()) != 0) return OsError(errno, "sync", path);
  }
  unsynced_.clear();
  if (!current_.valid()) return absl::OkStatus();
  if (::fdatasync(current_.get()) != 0) {
    return OsError(errno, "sync", SegmentPath(options_.directory, current_first_));
  }
  if (directory_unsynced_) {
    DET_RETURN_IF_ERROR(SyncDirectory(options_.directory));
    DET_RETURN_IF_ERROR(SyncDirectory(ParentDirectory(options_.directory)));
    directory_unsynced_ = false;
  }
  return absl::OkStatus();
}

}  // namespace det::spool
