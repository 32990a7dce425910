#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "common/os/unique_fd.h"

namespace det::spool {

// Walks over the records of one segment that may still be growing. One thread.
class SegmentCursor {
 public:
  // `path` is for errors.
  SegmentCursor(UniqueFd fd, int64_t first_seq, std::string path)
      : fd_(std::move(fd)), path_(std::move(path)), first_seq_(first_seq), seq_(first_seq) {}

  // Looks at the record seq(). False when no whole record is there, perhaps not yet: the next call
  // looks at the file again.
  absl::StatusOr<bool> Peek();
  // Of the record that Peek found; until the next Peek.
  std::string_view payload() const { return payload_; }
  // Goes past the record that Peek found.
  void Advance();
  // Goes past the header without looking at it.
  void SkipHeader();

  int64_t first_seq() const { return first_seq_; }
  int64_t seq() const { return seq_; }
  // Where the record seq() begins: all before it is whole.
  int64_t offset() const { return offset_; }
  int fd() const { return fd_.get(); }
  UniqueFd TakeFd() { return std::move(fd_); }

 private:
  absl::StatusOr<bool> Look();
  absl::StatusOr<bool> PassHeader();
  absl::StatusOr<bool> Fill(size_t bytes);
  std::string_view Ahead() const { return std::string_view(ahead_).substr(used_); }
  void Pass(size_t bytes);

  UniqueFd fd_;
  std::string path_;
  int64_t first_seq_;
  int64_t seq_;
  int64_t offset_ = 0;
  std::string ahead_;  // bytes of the file; those from used_ on begin at offset_
  size_t used_ = 0;
  std::string_view payload_;
  size_t frame_bytes_ = 0;
};

}  // namespace det::spool
