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

// How often segments may vanish between being listed and being opened.
constexpr int kTries = 1000;

// The segment that holds `seq` if there is one; else the first after it. 0: none.
int64_t Choose(const std::vector<Segment>& segments, int64_t seq) {
  const auto after =
      std::upper_bound(segments.begin(), segments.end(), seq, [](int64_t x, const Segment& s) {
        return x < s.first_seq;
      });
  if (after != segments.begin()) return std::prev(after)->first_seq;
  return after == segments.end() ? 0 : after->first_seq;
}

}  // namespace

struct SegmentReader::Request {
  int64_t expected = 0;
  size_t records_max = 0;
  size_t bytes_max = 0;
  std::vector<LogEntry> entries;
  size_t bytes = 0;

  bool Full(std::string_view payload) const {
    if (entries.size() >= records_max) return true;
    return !entries.empty() && bytes + payload.size() > bytes_max;
  }
  void Take(int64_t seq, std::string_view payload) {
    entries.push_back({seq, seq - expected, std::string(payload)});
    bytes += payload.size();
    expected = seq + 1;
  }
};

absl::StatusOr<std::vector<LogEntry>> SegmentReader::Read(int64_t from_seq,
                                                          size_t records_max,
                                                          size_t bytes_max) {
  Request request{std::max<int64_t>(from_seq, 1), records_max, bytes_max, {}, 0};
  if (records_max == 0) return std::move(request.entries);
  DET_ASSIGN_OR_RETURN(bool more, Locate(request.expected));
  while (more) {
    DET_ASSIGN_OR_RETURN(const bool full, ReadSegment(&request));
    if (full) break;
    DET_ASSIGN_OR_RETURN(more, GoToNext());
  }
  return std::move(request.entries);
}

// To the end of the segment, or until nothing more is wanted (true).
absl::StatusOr<bool> SegmentReader::ReadSegment(Request* request) {
  for (;;) {
    DET_ASSIGN_OR_RETURN(const bool found, cursor_->Peek());
    if (!found) return false;
    if (cursor_->seq() >= request->expected) {
      if (request->Full(cursor_->payload())) return true;
      request->Take(cursor_->seq(), cursor_->payload());
    }
    cursor_->Advance();
  }
}

// To where `seq` is or will be. False when there is no segment.
absl::StatusOr<bool> SegmentReader::Locate(int64_t seq) {
  if (cursor_.has_value() && cursor_->seq() == seq) return true;
  for (int i = 0; i < kTries; ++i) {
    DET_ASSIGN_OR_RETURN(const std::vector<Segment> segments, ListSegmentNames(directory_));
    const int64_t first_seq = Choose(segments, seq);
    if (first_seq == 0) return false;
    const bool is_here = cursor_.has_value() && cursor_->first_seq() == first_seq;
    if (is_here && cursor_->seq() <= seq) return true;
    DET_ASSIGN_OR_RETURN(const bool opened, GoTo(first_seq));
    if (opened) return true;
  }
  return Error(absl::StatusCode::kUnavailable,
               "LOG_CHANGES",
               StrCat("cannot read ", directory_, ": its segments vanish as they are opened"));
}

// False when it is gone.
absl::StatusOr<bool> SegmentReader::GoTo(int64_t first_seq) {
  const std::string path = SegmentPath(directory_, first_seq);
  absl::StatusOr<UniqueFd> fd = OpenFile(path, O_RDONLY);
  if (absl::IsNotFound(fd.status())) return false;
  if (!fd.ok()) return fd.status();
  cursor_.emplace(*std::move(fd), first_seq, path);
  return true;
}

// From the end of a segment to the one after it. False when this is the newest: what is not there,
// or does not look like a record, may only not be written yet.
absl::StatusOr<bool> SegmentReader::GoToNext() {
  for (int i = 0; i < kTries; ++i) {
    DET_ASSIGN_OR_RETURN(const std::vector<Segment> segments, ListSegmentNames(directory_));
    const auto next = std::find_if(segments.begin(), segments.end(), [&](const Segment& s) {
      return s.first_seq > cursor_->first_seq();
    });
    if (next == segments.end()) return false;
    // The writer left this segment before it began the next, but maybe after the last look here.
    DET_ASSIGN_OR_RETURN(const bool found, cursor_->Peek());
    if (found) return true;
    DET_ASSIGN_OR_RETURN(const bool opened, GoTo(next->first_seq));
    if (opened) return true;
  }
  return Error(absl::StatusCode::kUnavailable,
               "LOG_CHANGES",
               StrCat("cannot read ", directory_, ": its segments vanish as they are opened"));
}

absl::Status TrimThrough(const std::string& directory, int64_t seq) {
  DET_ASSIGN_OR_RETURN(const std::vector<Segment> segments, ListSegmentNames(directory));
  for (size_t i = 0; i + 1 < segments.size() && segments[i + 1].first_seq - 1 <= seq; ++i) {
    const std::string path = SegmentPath(directory, segments[i].first_seq);
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return OsError(errno, "remove", path);
  }
  return absl::OkStatus();
}

}  // namespace det::spool
