#include "agent/spool/segment_file.h"

#include <algorithm>
#include <cerrno>
#include <charconv>

#include <sys/stat.h>

#include "agent/spool/crc32c.h"
#include "common/base/strings.h"
#include "common/os/os_error.h"
#include "common/os/unique_dir.h"

namespace det::spool {
namespace {

constexpr std::string_view kMagic = "DETSEGM\n";
constexpr uint32_t kVersion = 1;
constexpr std::string_view kSuffix = ".seg";
constexpr size_t kDigits = 20;

template <class T>
void PutNumber(T number, std::string* out) {
  for (size_t i = 0; i < sizeof(T); ++i) {
    out->push_back(static_cast<char>((number >> (8 * i)) & 0xff));
  }
}

uint32_t GetU32(std::string_view bytes) {
  uint32_t number = 0;
  for (size_t i = 0; i < sizeof(number); ++i) {
    number |= uint32_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  return number;
}

}  // namespace

std::string SegmentName(int64_t first_seq) {
  const std::string number = std::to_string(first_seq);
  return StrCat(std::string(kDigits - number.size(), '0'), number, kSuffix);
}

int64_t ParseSegmentName(std::string_view name) {
  if (name.size() != kDigits + kSuffix.size() || !name.ends_with(kSuffix)) return 0;
  int64_t seq = 0;
  const char* digits_end = name.data() + kDigits;
  const auto [end, error] = std::from_chars(name.data(), digits_end, seq);
  return error == std::errc() && end == digits_end && seq > 0 ? seq : 0;
}

std::string EncodeHeader(int64_t first_seq) {
  std::string header(kMagic);
  PutNumber(kVersion, &header);
  PutNumber(static_cast<uint64_t>(first_seq), &header);
  PutNumber(Crc32c(header), &header);
  return header;
}

HeaderKind ReadHeader(std::string_view bytes, int64_t first_seq) {
  const std::string_view header = bytes.substr(0, kHeaderBytes);
  if (header == EncodeHeader(first_seq)) return HeaderKind::kGood;
  constexpr size_t kSummed = kHeaderBytes - sizeof(uint32_t);
  const bool intact = header.size() == kHeaderBytes && header.starts_with(kMagic) &&
                      Crc32c(header.substr(0, kSummed)) == GetU32(header.substr(kSummed));
  const bool other = intact && GetU32(header.substr(kMagic.size())) != kVersion;
  return other ? HeaderKind::kOtherVersion : HeaderKind::kBad;
}

void AppendFrame(std::string_view payload, std::string* out) {
  PutNumber(static_cast<uint32_t>(payload.size()), out);
  PutNumber(Crc32c(payload), out);
  out->append(payload);
}

Frame ParseFrame(std::string_view bytes) {
  if (bytes.size() < kFrameBytes) return {};
  const size_t length = GetU32(bytes);
  // Zeros, as a power failure may leave them, are no record.
  if (length == 0 || length > kPayloadMax) return {.kind = Frame::Kind::kBad};
  Frame frame{.bytes = kFrameBytes + length};
  if (bytes.size() < frame.bytes) return frame;
  frame.payload = bytes.substr(kFrameBytes, length);
  const bool good = Crc32c(frame.payload) == GetU32(bytes.substr(sizeof(uint32_t)));
  frame.kind = good ? Frame::Kind::kWhole : Frame::Kind::kBad;
  return frame;
}

std::string SegmentPath(const std::string& directory, int64_t first_seq) {
  return StrCat(directory, "/", SegmentName(first_seq));
}

absl::StatusOr<std::vector<Segment>> ListSegmentNames(const std::string& directory) {
  const UniqueDir dir(::opendir(directory.c_str()));
  std::vector<Segment> segments;
  if (dir == nullptr && errno == ENOENT) return segments;
  if (dir == nullptr) return OsError(errno, "list", directory);
  while (const dirent* entry = ::readdir(dir.get())) {
    const int64_t seq = ParseSegmentName(std::string_view(entry->d_name));
    if (seq > 0) segments.push_back({.first_seq = seq});
  }
  std::sort(segments.begin(), segments.end(), [](const Segment& a, const Segment& b) {
    return a.first_seq < b.first_seq;
  });
  return segments;
}

absl::StatusOr<std::vector<Segment>> ListSegments(const std::string& directory) {
  absl::StatusOr<std::vector<Segment>> segments = ListSegmentNames(directory);
  if (!segments.ok()) return segments;
  std::erase_if(*segments, [&](Segment& segment) {
    struct stat info {};
    if (::stat(SegmentPath(directory, segment.first_seq).c_str(), &info) != 0) return true;
    segment.bytes = info.st_size;
    return false;
  });
  return segments;
}

}  // namespace det::spool
