#include "agent/spool/segment_cursor.h"

#include <algorithm>
#include <cerrno>

#include <unistd.h>

#include "agent/spool/segment_file.h"
#include "common/base/status.h"
#include "common/os/os_error.h"

namespace det::spool {
namespace {

constexpr size_t kChunk = size_t{256} << 10;

}  // namespace

absl::StatusOr<bool> SegmentCursor::Peek() {
  payload_ = {};
  frame_bytes_ = 0;
  if (!Ahead().empty()) {
    DET_ASSIGN_OR_RETURN(const bool found, Look());
    if (found) return true;
    // The writer may have been at it when these bytes were read.
    ahead_.clear();
    used_ = 0;
  }
  return Look();
}

absl::StatusOr<bool> SegmentCursor::Look() {
  if (offset_ == 0) {
    DET_ASSIGN_OR_RETURN(const bool passed, PassHeader());
    if (!passed) return false;
  }
  for (;;) {
    const Frame frame = ParseFrame(Ahead());
    if (frame.kind == Frame::Kind::kBad) return false;
    if (frame.kind == Frame::Kind::kWhole) {
      payload_ = frame.payload;
      frame_bytes_ = frame.bytes;
      return true;
    }
    DET_ASSIGN_OR_RETURN(const bool more, Fill(std::max(frame.bytes, kFrameBytes)));
    if (!more) return false;
  }
}

absl::StatusOr<bool> SegmentCursor::PassHeader() {
  DET_ASSIGN_OR_RETURN(const bool whole, Fill(kHeaderBytes));
  if (!whole || ReadHeader(Ahead(), first_seq_) != HeaderKind::kGood) return false;
  Pass(kHeaderBytes);
  return true;
}

// True when so many bytes lie ahead.
absl::StatusOr<bool> SegmentCursor::Fill(size_t bytes) {
  ahead_.erase(0, used_);
  used_ = 0;
  while (ahead_.size() < bytes) {
    const size_t had = ahead_.size();
    ahead_.resize(std::max(bytes, had + kChunk));
    const ssize_t got = ::pread(
        fd_.get(), ahead_.data() + had, ahead_.size() - had, offset_ + static_cast<int64_t>(had));
    const int error = errno;
    ahead_.resize(had + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    if (got == 0) return false;
    if (got < 0 && error != EINTR) return OsError(error, "read", path_);
  }
  return true;
}

void SegmentCursor::Pass(size_t bytes) {
  used_ += bytes;
  offset_ += static_cast<int64_t>(bytes);
}

void SegmentCursor::Advance() {
  Pass(frame_bytes_);
  frame_bytes_ = 0;
  payload_ = {};
  ++seq_;
}

void SegmentCursor::SkipHeader() {
  ahead_.clear();
  used_ = 0;
  offset_ = static_cast<int64_t>(kHeaderBytes);
}

}  // namespace det::spool
