#include "agent/spool/segment_log.h"

#include <atomic>
#include <filesystem>
#include <map>
#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "agent/spool/crc32c.h"
#include "agent/spool/log_record.h"
#include "common/base/hash.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/testing.h"

namespace det::spool {
namespace {

using ::testing::HasSubstr;
using testing::TempDir;

// Numbers that follow from a seed alone.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() { return Mix64(state_++ * 0x9e3779b97f4a7c15ULL); }
  int64_t Below(int64_t n) { return static_cast<int64_t>(Next() % static_cast<uint64_t>(n)); }
  bool OneIn(int64_t n) { return Below(n) == 0; }

 private:
  uint64_t state_;
};

std::string Bytes(Random& random, size_t size) {
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random.Next());
  return bytes;
}

void PutFile(const std::string& path, std::string_view content) {
  // A new file: ext4 would write out at once what replaces an old one.
  EXPECT_TRUE(RemoveTree(path).ok());
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  EXPECT_TRUE(WriteAll(fd.get(), content, path).ok());
}

std::unique_ptr<SegmentWriter> OpenWriter(const SegmentLogOptions& options) {
  absl::StatusOr<std::unique_ptr<SegmentWriter>> writer = SegmentWriter::Open(options);
  EXPECT_TRUE(writer.ok()) << writer.status();
  return writer.ok() ? *std::move(writer) : nullptr;
}

std::vector<LogEntry> ReadAll(const std::string& directory, int64_t from = 1) {
  SegmentReader reader(directory);
  std::vector<LogEntry> all;
  for (;;) {
    absl::StatusOr<std::vector<LogEntry>> some = reader.Read(from, 100, 1 << 16);
    EXPECT_TRUE(some.ok()) << some.status();
    if (!some.ok() || some->empty()) return all;
    for (LogEntry& entry : *some) all.push_back(std::move(entry));
    from = all.back().seq + 1;
  }
}

std::vector<Segment> Segments(const std::string& directory) {
  absl::StatusOr<std::vector<Segment>> segments = ListSegments(directory);
  EXPECT_TRUE(segments.ok()) << segments.status();
  return segments.ok() ? *std::move(segments) : std::vector<Segment>();
}

int64_t DirectoryBytes(const std::string& directory) {
  int64_t bytes = 0;
  for (const Segment& segment : Segments(directory)) bytes += segment.bytes;
  return bytes;
}

TEST(Crc32c, KnownValues) {
  EXPECT_EQ(Crc32c(""), 0);
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aa);  // RFC 3720, B.4
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43);
}

TEST(SegmentFile, NamesAndHeaders) {
  EXPECT_EQ(SegmentName(42), "00000000000000000042.seg");
  EXPECT_EQ(ParseSegmentName(SegmentName(42)), 42);
  EXPECT_EQ(ParseSegmentName(SegmentName(INT64_MAX)), INT64_MAX);
  for (const std::string name : {"",
                                 ".seg",
                                 "42.seg",
                                 "00000000000000000000.seg",
                                 "0000000000000000004x.seg",
                                 "99999999999999999999.seg",
                                 "00000000000000000042.tmp",
                                 "-0000000000000000042.seg"}) {
    EXPECT_EQ(ParseSegmentName(name), 0) << name;
  }
  const std::string header = EncodeHeader(42);
  EXPECT_EQ(header.size(), kHeaderBytes);
  EXPECT_EQ(ReadHeader(header, 42), HeaderKind::kGood);
  EXPECT_EQ(ReadHeader(header, 43), HeaderKind::kBad);
  for (size_t i = 0; i < header.size(); ++i) {
    std::string bad = header;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    EXPECT_EQ(ReadHeader(bad, 42), HeaderKind::kBad) << i;
    EXPECT_EQ(ReadHeader(header.substr(0, i), 42), HeaderKind::kBad) << i;
  }
}

TEST(SegmentLog, ReadsWhatWasAppended) {
  const TempDir dir;
  const std::string log = dir / "log";
  SegmentReader reader(log);
  EXPECT_TRUE(reader.Read(1, 10, 1000)->empty());
  const auto writer = OpenWriter({.directory = log});
  EXPECT_EQ(*writer->Append("one"), 1);
  EXPECT_EQ(*writer->Append("two"), 2);
  EXPECT_TRUE(reader.Read(1, 10, 1000)->empty()) << "not flushed yet";
  ASSERT_TRUE(writer->Flush().ok());
  std::vector<LogEntry> entries = *reader.Read(1, 10, 1000);
  ASSERT_EQ(entries.size(), 2);
  EXPECT_EQ(entries[0].payload, "one");
  EXPECT_EQ(entries[1].payload, "two");
  EXPECT_EQ(entries[1].seq, 2);
  EXPECT_EQ(entries[1].dropped_before, 0);
  EXPECT_TRUE(reader.Read(3, 10, 1000)->empty());
  EXPECT_EQ(*writer->Append("three"), 3);
  ASSERT_TRUE(writer->Sync().ok());
  EXPECT_EQ(reader.Read(3, 10, 1000)->at(0).payload, "three");
  // Back to the start, to the middle, past the end, and before the first.
  EXPECT_EQ(reader.Read(1, 10, 1000)->size(), 3);
  EXPECT_EQ(reader.Read(2, 10, 1000)->at(0).payload, "two");
  EXPECT_TRUE(reader.Read(9, 10, 1000)->empty());
  EXPECT_EQ(reader.Read(-5, 10, 1000)->at(0).seq, 1);
}

TEST(SegmentLog, BoundsOfARead) {
  const TempDir dir;
  const auto writer = OpenWriter({.directory = dir.path()});
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(writer->Append(std::string(100, 'x')).ok());
  ASSERT_TRUE(writer->Flush().ok());
  SegmentReader reader(dir.path());
  EXPECT_EQ(reader.Read(1, 3, 100'000)->size(), 3);
  EXPECT_EQ(reader.Read(1, 0, 100'000)->size(), 0);
  EXPECT_EQ(reader.Read(1, 100, 250)->size(), 2);
  EXPECT_EQ(reader.Read(1, 100, 1)->size(), 1) << "one at least, or nothing would ever move";
}

TEST(SegmentLog, RefusesWhatCanBeNoRecord) {
  const TempDir dir;
  const auto writer = OpenWriter({.directory = dir.path(), .bytes_max = 4000});
  EXPECT_EQ(ErrorReason(writer->Append("").status()), "RECORD_EMPTY");
  EXPECT_EQ(ErrorReason(writer->Append(std::string(1000, 'x')).status()), "RECORD_TOO_LARGE");
  EXPECT_TRUE(writer->Append(std::string(968, 'x')).ok());
  const auto large = OpenWriter({.directory = dir / "large"});
  EXPECT_TRUE(large->Append(std::string(kPayloadMax, 'x')).ok());
  EXPECT_FALSE(large->Append(std::string(kPayloadMax + 1, 'x')).ok());
  ASSERT_TRUE(large->Flush().ok());
  EXPECT_EQ(ReadAll(dir / "large").at(0).payload.size(), kPayloadMax);
}

TEST(SegmentLog, DropsTheOldestAndSaysHowMany) {
  const TempDir dir;
  const SegmentLogOptions options = {.directory = dir.path(), .bytes_max = 40'000};
  const auto writer = OpenWriter(options);
  for (int i = 1; i <= 5000; ++i) ASSERT_TRUE(writer->Append(StrCat("record ", i)).ok());
  ASSERT_TRUE(writer->Flush().ok());
  EXPECT_LE(DirectoryBytes(dir.path()), options.bytes_max);
  EXPECT_GE(DirectoryBytes(dir.path()), options.bytes_max / 2);
  const std::vector<LogEntry> entries = ReadAll(dir.path());
  EXPECT_GT(entries[0].dropped_before, 0);
  EXPECT_EQ(entries[0].seq, entries[0].dropped_before + 1);
  EXPECT_EQ(entries.back().seq, 5000);
  EXPECT_EQ(static_cast<int64_t>(entries.size()) + entries[0].dropped_before, 5000);
  for (const LogEntry& entry : entries) EXPECT_EQ(entry.payload, StrCat("record ", entry.seq));
}

TEST(SegmentLog, KeepsAllAndRefusesInstead) {
  const TempDir dir;
  const SegmentLogOptions options = {
      .directory = dir.path(), .bytes_max = 40'000, .keep_all = true, .buffer_bytes = 500};
  const auto writer = OpenWriter(options);
  int64_t last = 0;
  absl::StatusOr<int64_t> seq;
  while ((seq = writer->Append(StrCat("record ", last + 1))).ok()) last = *seq;
  EXPECT_EQ(seq.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrorReason(seq.status()), "LOG_FULL");
  EXPECT_THAT(std::string(seq.status().message()), HasSubstr(dir.path()));
  ASSERT_TRUE(writer->Flush().ok());
  EXPECT_EQ(static_cast<int64_t>(ReadAll(dir.path()).size()), last);
  EXPECT_LE(DirectoryBytes(dir.path()), options.bytes_max);
  // Room again as soon as somebody trimmed, and again and again.
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE(TrimThrough(dir.path(), last).ok());
    seq = writer->Append("more");
    ASSERT_TRUE(seq.ok()) << seq.status();
    EXPECT_EQ(*seq, last + 1);
    last = *seq;
    while ((seq = writer->Append("more")).ok()) last = *seq;
    EXPECT_LE(DirectoryBytes(dir.path()), options.bytes_max);
  }
}

TEST(SegmentLog, CountsOnAfterEverythingWasTrimmed) {
  const TempDir dir;
  const SegmentLogOptions options = {.directory = dir.path(), .segment_bytes = 200};
  {
    const auto writer = OpenWriter(options);
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(writer->Append("0123456789").ok());
    ASSERT_TRUE(writer->Flush().ok());
  }
  ASSERT_TRUE(TrimThrough(dir.path(), 50).ok());
  EXPECT_LE(ReadAll(dir.path()).at(0).seq, 51);
  EXPECT_GT(ReadAll(dir.path()).at(0).seq, 40);
  ASSERT_TRUE(TrimThrough(dir.path(), 1000).ok());
  EXPECT_EQ(Segments(dir.path()).size(), 1);
  const auto writer = OpenWriter(options);
  EXPECT_EQ(writer->next_seq(), 101);
  EXPECT_EQ(*writer->Append("after"), 101);
  ASSERT_TRUE(writer->Flush().ok());
  EXPECT_EQ(ReadAll(dir.path(), 101).at(0).payload, "after");
  EXPECT_TRUE(TrimThrough(dir / "none", 5).ok());
}

TEST(SegmentLog, BeginsWhereItIsTold) {
  const TempDir dir;
  {
    const auto writer = OpenWriter({.directory = dir.path()});
    EXPECT_EQ(*writer->Append("a"), 1);
    ASSERT_TRUE(writer->Flush().ok());
  }
  {
    const auto writer = OpenWriter({.directory = dir.path(), .seq_min = 10});
    EXPECT_EQ(*writer->Append("b"), 10);
    ASSERT_TRUE(writer->Sync().ok());
  }
  const auto writer = OpenWriter({.directory = dir.path(), .seq_min = 5});
  EXPECT_EQ(*writer->Append("c"), 11);
  ASSERT_TRUE(writer->Flush().ok());
  const std::vector<LogEntry> entries = ReadAll(dir.path());
  ASSERT_EQ(entries.size(), 3);
  EXPECT_EQ(entries[1].dropped_before, 8);
  EXPECT_EQ(entries[2].payload, "c");
}

TEST(SegmentLog, RefusesToGoOnAfterAnotherVersion) {
  const TempDir dir;
  std::string header = EncodeHeader(1);
  header[8] = 2;
  const uint32_t crc = Crc32c(std::string_view(header).substr(0, 20));
  for (size_t i = 0; i < 4; ++i) header[20 + i] = static_cast<char>((crc >> (8 * i)) & 0xff);
  ASSERT_TRUE(AtomicWriteFile(SegmentPath(dir.path(), 1), header + "something", 0600).ok());
  const absl::Status status = SegmentWriter::Open({.directory = dir.path()}).status();
  EXPECT_EQ(ErrorReason(status), "LOG_VERSION");
  EXPECT_TRUE(ReadAll(dir.path()).empty());
}

TEST(SegmentLog, ErrorsNameThePath) {
  const TempDir dir;
  ASSERT_TRUE(AtomicWriteFile(dir / "file", "x", 0600).ok());
  EXPECT_FALSE(SegmentWriter::Open({.directory = dir / "file"}).ok());
  const auto writer = OpenWriter({.directory = dir / "file2"});
  ASSERT_TRUE(AtomicWriteFile(dir / "file2", "x", 0600).ok());
  const absl::Status status = writer->Append("x").status();
  EXPECT_THAT(std::string(status.message()), HasSubstr(dir / "file2"));
}

TEST(LogRecord, IsAnArchive) {
  const LogRecord record = {.at_ns = 1'700'000'000'123'456'789,
                            .source = LogSource::kStderr,
                            .partial = true,
                            .text = std::string("\0\xff\n", 3)};
  LogRecord again;
  ASSERT_TRUE(DecodeArchive(EncodeArchive(record), &again));
  EXPECT_EQ(again.at_ns, record.at_ns);
  EXPECT_EQ(again.source, record.source);
  EXPECT_EQ(again.partial, record.partial);
  EXPECT_EQ(again.text, record.text);
}

// What the log must hold, kept in memory beside it.
class Model {
 public:
  Model(uint64_t seed, std::string directory) : random_(seed), directory_(std::move(directory)) {
    options_ = {.directory = directory_,
                .segment_bytes = 100 + random_.Below(2000),
                .bytes_max = 2000 + random_.Below(20'000),
                .keep_all = random_.OneIn(3),
                .buffer_bytes = 1 + random_.Below(1000)};
    writer_ = OpenWriter(options_);
  }

  void Step() {
    const int64_t what = random_.Below(100);
    if (what < 70) {
      Append();
    } else if (what < 80) {
      Flush();
    } else if (what < 88) {
      CheckReader(kept_reader_);
    } else if (what < 92) {
      SegmentReader fresh(directory_);
      CheckReader(fresh);
    } else if (what < 96) {
      RC_ASSERT(TrimThrough(directory_, random_.Below(writer_->next_seq())).ok());
    } else if (what < 98) {
      Reopen();
    } else {
      Crash();
    }
    RC_ASSERT(DirectoryBytes(directory_) <= options_.bytes_max);
  }

 private:
  void Append() {
    const auto largest = static_cast<int64_t>(options_.bytes_max / 4 -
                                              static_cast<int64_t>(kHeaderBytes + kFrameBytes));
    const int64_t size =
        1 + random_.Below(random_.OneIn(20) ? largest : std::min<int64_t>(largest, 60));
    const std::string payload = Bytes(random_, static_cast<size_t>(size));
    const int64_t before = writer_->next_seq();
    const absl::StatusOr<int64_t> seq = writer_->Append(payload);
    if (!seq.ok()) {
      RC_ASSERT(options_.keep_all);
      RC_ASSERT(ErrorReason(seq.status()) == "LOG_FULL");
      RC_ASSERT(writer_->next_seq() == before);
      return;
    }
    RC_ASSERT(*seq == before);
    truth_[*seq] = payload;
  }

  void Flush() {
    const absl::Status status = random_.OneIn(100) ? writer_->Sync() : writer_->Flush();
    RC_ASSERT(status.ok());
    flushed_ = writer_->next_seq() - 1;
  }

  // Without a flush what waited in memory is lost; records that were flushed on the way are not.
  void Reopen() {
    if (random_.OneIn(2)) Flush();
    writer_.reset();
    GoOn();
    RC_ASSERT(writer_->next_seq() > flushed_);
    ForgetLost();
  }

  // A power failure: it takes bytes that were flushed, and every reader too.
  void Crash() {
    writer_.reset();
    kept_reader_ = SegmentReader(directory_);
    const std::vector<Segment> segments = Segments(directory_);
    if (!segments.empty()) {
      const Segment& newest = segments.back();
      const int64_t cut = random_.Below(newest.bytes + 1);
      const std::string path = SegmentPath(directory_, newest.first_seq);
      RC_ASSERT(::truncate(path.c_str(), cut) == 0);
      if (random_.OneIn(3)) AppendGarbage(path);
      // What lay wholly before the cut is still there.
      auto end = static_cast<int64_t>(kHeaderBytes);
      int64_t seq = newest.first_seq;
      for (; truth_.contains(seq); ++seq) {
        end += static_cast<int64_t>(kFrameBytes + truth_[seq].size());
        if (end > cut) break;
      }
      survivors_ = seq - 1;
    }
    GoOn();
    RC_ASSERT(segments.empty() || writer_->next_seq() == survivors_ + 1);
    ForgetLost();
  }

  void AppendGarbage(const std::string& path) {
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    const std::string bytes = random_.OneIn(2) ? std::string(50, '\0') : Bytes(random_, 50);
    RC_ASSERT(WriteAll(fd.get(), bytes, path).ok());
  }

  void GoOn() {
    writer_ = OpenWriter(options_);
    RC_ASSERT(writer_ != nullptr);
  }

  void ForgetLost() {
    truth_.erase(truth_.lower_bound(writer_->next_seq()), truth_.end());
    flushed_ = writer_->next_seq() - 1;
  }

  void CheckReader(SegmentReader& reader) {
    int64_t expected = 1 + random_.Below(flushed_ + 2);
    const std::vector<Segment> segments = Segments(directory_);
    for (;;) {
      const absl::StatusOr<std::vector<LogEntry>> entries =
          reader.Read(expected,
                      static_cast<size_t>(1 + random_.Below(50)),
                      static_cast<size_t>(random_.Below(5000)));
      RC_ASSERT(entries.ok());
      if (entries->empty()) break;
      for (const LogEntry& entry : *entries) {
        RC_ASSERT(entry.seq == expected + entry.dropped_before);
        RC_ASSERT(truth_.contains(entry.seq));
        RC_ASSERT(truth_[entry.seq] == entry.payload);
        // Only whole segments go, and only the oldest.
        RC_ASSERT(entry.dropped_before == 0 || entry.seq == segments.front().first_seq);
        expected = entry.seq + 1;
      }
    }
    // With nothing behind the gap there is no record yet to tell of it.
    const bool only_gap = segments.empty() || segments.front().first_seq > flushed_;
    RC_ASSERT(expected > flushed_ || only_gap);
  }

  Random random_;
  std::string directory_;
  SegmentLogOptions options_;
  std::unique_ptr<SegmentWriter> writer_;
  SegmentReader kept_reader_{directory_};
  std::map<int64_t, std::string> truth_;
  int64_t flushed_ = 0;
  int64_t survivors_ = 0;
};

TEST(SegmentLogProperty, IsItsModelThroughCrashesTrimsAndReopenings) {
  EXPECT_TRUE(rc::check([](uint64_t seed) {
    const TempDir dir;
    Model model(seed, dir / "log");
    for (int i = 0; i < 400; ++i) model.Step();
  }));
}

// Each byte of a small log, changed in several ways: what is read is what was written.
TEST(SegmentLogProperty, NoDamagedByteYieldsAWrongRecord) {
  const TempDir dir;
  const SegmentLogOptions options = {.directory = dir.path(), .segment_bytes = 160};
  Random random(7);
  std::map<int64_t, std::string> truth;
  {
    const auto writer = OpenWriter(options);
    for (int i = 0; i < 20; ++i) {
      const std::string payload = Bytes(random, static_cast<size_t>(1 + random.Below(40)));
      truth[*writer->Append(payload)] = payload;
    }
    ASSERT_TRUE(writer->Flush().ok());
  }
  std::map<std::string, std::string> files;
  for (const Segment& segment : Segments(dir.path())) {
    const std::string path = SegmentPath(dir.path(), segment.first_seq);
    files[path] = *ReadFile(path, 1 << 20);
  }
  ASSERT_GT(files.size(), 3);
  for (const auto& [path, content] : files) {
    for (size_t i = 0; i < content.size(); ++i) {
      for (const int change : {0x01, 0x80, 0xff, static_cast<int>(1 + random.Below(255))}) {
        std::string damaged = content;
        damaged[i] = static_cast<char>(damaged[i] ^ change);
        PutFile(path, damaged);
        for (const LogEntry& entry : ReadAll(dir.path())) {
          ASSERT_EQ(entry.payload, truth.at(entry.seq)) << path << " byte " << i;
        }
      }
      // A writer goes on behind the damage, never with a seq that is still readable.
      const auto writer = OpenWriter(options);
      const int64_t seq = *writer->Append("new");
      ASSERT_TRUE(writer->Flush().ok());
      const std::vector<LogEntry> entries = ReadAll(dir.path());
      ASSERT_EQ(entries.back().seq, seq);
      ASSERT_EQ(entries.back().payload, "new");
      for (const LogEntry& entry : entries) {
        ASSERT_EQ(entry.payload, entry.seq == seq ? "new" : truth.at(entry.seq));
      }
      for (const Segment& segment : Segments(dir.path())) {
        ASSERT_TRUE(RemoveTree(SegmentPath(dir.path(), segment.first_seq)).ok());
      }
      for (const auto& [name, original] : files) PutFile(name, original);
    }
  }
}

TEST(SegmentLogProperty, AReaderBesideTheWriterMissesNothingUncounted) {
  const TempDir dir;
  constexpr int64_t kRecords = 200'000;
  const auto payload = [](int64_t seq) {
    return StrCat(
        seq, ":", std::string(static_cast<size_t>(Mix64(static_cast<uint64_t>(seq)) % 90), 'x'));
  };
  std::atomic<bool> done{false};
  std::thread writing([&] {
    const auto writer =
        OpenWriter({.directory = dir / "log", .segment_bytes = 20'000, .bytes_max = 1 << 20});
    for (int64_t seq = 1; seq <= kRecords; ++seq) {
      ASSERT_TRUE(writer->Append(payload(seq)).ok());
      if (Mix64(static_cast<uint64_t>(seq)) % 50 == 0) {
        ASSERT_TRUE(writer->Flush().ok());
      }
    }
    ASSERT_TRUE(writer->Flush().ok());
    done.store(true);
  });
  SegmentReader reader(dir / "log");
  int64_t expected = 1;
  int64_t got = 0;
  int64_t dropped = 0;
  for (;;) {
    const bool last_look = done.load();
    const absl::StatusOr<std::vector<LogEntry>> entries = reader.Read(expected, 500, 1 << 16);
    ASSERT_TRUE(entries.ok()) << entries.status();
    if (entries->empty() && last_look) break;
    for (const LogEntry& entry : *entries) {
      ASSERT_EQ(entry.payload, payload(entry.seq));
      ASSERT_EQ(entry.seq, expected + entry.dropped_before);
      expected = entry.seq + 1;
      dropped += entry.dropped_before;
      ++got;
    }
    if (got % 20'000 < 500) {
      ASSERT_TRUE(TrimThrough(dir / "log", expected - 5000).ok());
    }
  }
  writing.join();
  EXPECT_EQ(got + dropped, kRecords);
}

// A small file system of its own, when this user may have one.
class DiskFull : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::mount("tmpfs", dir_.path().c_str(), "tmpfs", 0, "size=256k") != 0) {
      GTEST_SKIP() << "mounting needs root: a full disk is not tried";
    }
    mounted_ = true;
  }
  void TearDown() override {
    if (mounted_) {
      EXPECT_EQ(::umount2(dir_.path().c_str(), MNT_DETACH), 0);
    }
  }

  TempDir dir_;
  bool mounted_ = false;
};

TEST_F(DiskFull, AppendFailsCleanlyAndWorksAgain) {
  const std::string log = dir_ / "log";
  for (const int64_t segment_bytes : {10'000, 1'000'000}) {
    for (const int64_t buffer_bytes : {1, 5000}) {
      const auto writer = OpenWriter(
          {.directory = log, .segment_bytes = segment_bytes, .buffer_bytes = buffer_bytes});
      std::map<int64_t, std::string> truth;
      Random random(3);
      // A newest segment that is all there is can't be trimmed.
      for (int round = 0; round < (segment_bytes < 100'000 ? 3 : 1); ++round) {
        const std::string filler = dir_ / "filler";
        ASSERT_TRUE(AtomicWriteFile(filler, std::string(60'000, 'f'), 0600).ok());
        // A flush that failed may have written a part and so made room in memory: full is when
        // several in a row find none.
        absl::StatusOr<int64_t> seq;
        for (int refused = 0; refused < 5;) {
          const std::string payload = Bytes(random, static_cast<size_t>(1 + random.Below(300)));
          seq = writer->Append(payload);
          refused = seq.ok() ? 0 : refused + 1;
          if (seq.ok()) truth[*seq] = payload;
        }
        EXPECT_EQ(seq.status().code(), absl::StatusCode::kResourceExhausted) << seq.status();
        EXPECT_EQ(ErrorReason(seq.status()), "DISK_FULL");
        EXPECT_THAT(std::string(seq.status().message()), HasSubstr(log));
        // What is there can be read.
        for (const LogEntry& entry : ReadAll(log)) ASSERT_EQ(entry.payload, truth.at(entry.seq));
        ASSERT_TRUE(RemoveTree(filler).ok());
        ASSERT_TRUE(writer->Flush().ok());
        const int64_t first = Segments(log).front().first_seq;
        EXPECT_EQ(static_cast<int64_t>(ReadAll(log, first).size()), writer->next_seq() - first);
        ASSERT_TRUE(TrimThrough(log, writer->next_seq() - 1).ok());
      }
      ASSERT_TRUE(RemoveTree(log).ok());
    }
  }
}

TEST_F(DiskFull, OpensAndReadsWithoutAnyRoom) {
  const std::string log = dir_ / "log";
  {
    const auto writer = OpenWriter({.directory = log});
    EXPECT_TRUE(writer->Append("kept").ok());
    ASSERT_TRUE(writer->Flush().ok());
  }
  (void)!AtomicWriteFile(dir_ / "filler", std::string(240'000, 'f'), 0600).ok();
  const UniqueFd fd(::open((dir_ / "filler2").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  while (::write(fd.get(), "0123456789", 10) == 10) {
  }
  const auto writer = OpenWriter({.directory = log, .buffer_bytes = 1});
  EXPECT_EQ(writer->next_seq(), 2);
  EXPECT_EQ(ReadAll(log).at(0).payload, "kept");
}

}  // namespace
}  // namespace det::spool
