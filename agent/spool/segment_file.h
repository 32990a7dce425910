#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

// What a segment of a log looks like on disk; SegmentWriter and SegmentReader share it.
//
//   file name   first seq, 20 digits, ".seg"
//   header      "DETSEGM\n", u32 version, u64 first seq, u32 crc32c of what comes before
//   record      u32 length (never 0), u32 crc32c of the payload, payload
//
// All numbers little-endian. A record's seq is the first seq plus its place.
namespace det::spool {

inline constexpr size_t kHeaderBytes = 24;
inline constexpr size_t kFrameBytes = 8;
inline constexpr size_t kPayloadMax = size_t{16} << 20;

std::string SegmentName(int64_t first_seq);
// 0 when it is no segment's name.
int64_t ParseSegmentName(std::string_view name);

std::string EncodeHeader(int64_t first_seq);
enum class HeaderKind : uint8_t { kGood, kBad, kOtherVersion };
HeaderKind ReadHeader(std::string_view bytes, int64_t first_seq);

void AppendFrame(std::string_view payload, std::string* out);

struct Frame {
  enum class Kind : uint8_t { kWhole, kCut, kBad };
  Kind kind = Kind::kCut;
  std::string_view payload;  // with kWhole
  size_t bytes = 0;          // of the whole frame, once its length is known
};
// The frame that begins at the first byte. kCut when more bytes are needed to tell.
Frame ParseFrame(std::string_view bytes);

struct Segment {
  int64_t first_seq = 0;
  int64_t bytes = 0;
};
// In order of seq. Those that vanish meanwhile are left out; a missing directory has none.
absl::StatusOr<std::vector<Segment>> ListSegments(const std::string& directory);
// Names only, which is cheaper: bytes are 0.
absl::StatusOr<std::vector<Segment>> ListSegmentNames(const std::string& directory);

std::string SegmentPath(const std::string& directory, int64_t first_seq);

}  // namespace det::spool
