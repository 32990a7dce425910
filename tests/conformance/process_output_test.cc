#include <csignal>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include "agent/spool/segment_file.h"
#include "common/base/status.h"
#include "tests/conformance/bench.h"

// What tasks print.
namespace det::agent {
namespace {

using spool::LogSource;
using testing::Eventually;
using ::testing::HasSubstr;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int64_t kScale = 10;  // a tenth as much where everything is slow
#else
constexpr int64_t kScale = 1;
#endif

class Output : public RealTask {
 protected:
  int64_t LogBytes() const {
    int64_t bytes = 0;
    const auto segments = spool::ListSegments(TaskFiles(directory_).log());
    for (const spool::Segment& segment : *segments) bytes += segment.bytes;
    return bytes;
  }
};

TEST_F(Output, KeepsLinesSourcesAndTimes) {
  const int64_t before = absl::ToUnixNanos(absl::Now());
  EXPECT_EQ(Run(Shell("echo one; echo two >&2; echo; printf 'no end'")).code, 0);
  const int64_t after = absl::ToUnixNanos(absl::Now());
  const PrintedLog log = ReadLog(directory_);
  EXPECT_EQ(log.Text(LogSource::kStdout), "one\n\nno end\n");
  EXPECT_EQ(log.Text(LogSource::kStderr), "two\n");
  for (const spool::LogRecord& record : log.records) {
    EXPECT_GE(record.at_ns, before);
    EXPECT_LE(record.at_ns, after);
    EXPECT_FALSE(record.partial);
  }
}

TEST_F(Output, KeepsEveryByte) {
  EXPECT_EQ(Run(TestTask({"binary"})).code, 0);
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  bytes += '\n';
  bytes += std::string(3, '\0');
  EXPECT_EQ(ReadLog(directory_).Text(LogSource::kStdout), bytes + "\n");
}

TEST_F(Output, IsOnDiskSoon) {
  Start(Shell("echo here; exec sleep 1000"));
  EXPECT_TRUE(Eventually([&] { return !ReadLog(directory_).records.empty(); }));
  EXPECT_EQ(State(), Found::State::kRunning);
}

TEST_F(Output, OneEndlessLine) {
  const int64_t bytes = (int64_t{1} << 30) / kScale;
  TaskSpec spec = TestTask({"one-line", StrCat(bytes)});
  spec.log_bytes_max = int64_t{64} << 20;
  EXPECT_EQ(Run(spec, absl::Minutes(5)).code, 0);
  EXPECT_LE(LogBytes(), spec.log_bytes_max);
  const PrintedLog log = ReadLog(directory_);
  constexpr int64_t kPiece = 16 << 10;
  EXPECT_EQ(static_cast<int64_t>(log.records.size()) + log.dropped, (bytes + kPiece - 1) / kPiece);
  for (size_t i = 0; i < log.records.size(); ++i) {
    EXPECT_EQ(log.records[i].partial, i + 1 < log.records.size());
  }
}

TEST_F(Output, AFloodOfShortLines) {
  const int64_t lines = int64_t{2'000'000} / kScale;
  TaskSpec spec = TestTask({"lines", StrCat(lines), "100"});
  spec.log_bytes_max = int64_t{16} << 20;
  EXPECT_EQ(Run(spec, absl::Minutes(5)).code, 0);
  EXPECT_LE(LogBytes(), spec.log_bytes_max);
  EXPECT_GE(LogBytes(), std::min<int64_t>(spec.log_bytes_max / 2, lines * 100));
  const PrintedLog log = ReadLog(directory_);
  EXPECT_EQ(static_cast<int64_t>(log.records.size()) + log.dropped, lines);
  int64_t number = log.dropped;
  for (const spool::LogRecord& record : log.records) {
    ASSERT_EQ(std::stoll(record.text), ++number);
    ASSERT_EQ(record.text.size(), 99);
  }
}

// A small file system for the task's directory, when this user may have one.
class SmallDisk : public Output {
 protected:
  void SetUp() override {
    mount_ = dir_ / "mount";
    ASSERT_TRUE(MakeDirs(mount_, 0700).ok());
    if (::mount("tmpfs", mount_.c_str(), "tmpfs", 0, "size=1m") != 0) {
      mount_.clear();
      GTEST_SKIP() << "mounting needs root: a full disk is not tried";
    }
    directory_ = mount_ + "/task";
  }
  void TearDown() override {
    if (mount_.empty()) return;
    EXPECT_TRUE(runtime_->Kill(directory_).ok());
    EXPECT_TRUE(Eventually([&] { return State() != Found::State::kRunning; }));
    EXPECT_EQ(::umount2(mount_.c_str(), MNT_DETACH), 0);
  }
  void Fill() {
    const UniqueFd fd(::open((mount_ + "/filler").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    const std::string page(4096, 'f');
    while (::write(fd.get(), page.data(), page.size()) > 0) {
    }
  }

  std::string mount_;
};

TEST_F(SmallDisk, NeverBlocksTheProgramNorLosesTheExit) {
  EXPECT_EQ(Run(Shell(StrCat(TaskPath(), " lines 200000 100; exit 7"))).code, 7);
  const absl::StatusOr<Found> found = runtime_->Inspect(directory_);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->exit.code, 7);
  EXPECT_THAT(found->exit.text, HasSubstr("no room"));
  const PrintedLog log = ReadLog(directory_);
  EXPECT_GT(log.records.size(), 1000);
  int64_t number = 0;
  for (const spool::LogRecord& record : log.records) {
    if (record.source != LogSource::kStdout) break;
    ASSERT_EQ(std::stoll(record.text), ++number);
  }
}

TEST_F(SmallDisk, CountsWhatIsMissing) {
  const std::string go = dir_ / "go";
  Start(Shell(StrCat(TaskPath(),
                     " lines 100 100; while ! test -e ",
                     go,
                     "; do sleep 0.01; done; ",
                     TaskPath(),
                     " lines 20000 100; touch ",
                     go,
                     ".2; while test -e ",
                     go,
                     "; do sleep 0.01; done; ",
                     TaskPath(),
                     " lines 50 100")));
  EXPECT_TRUE(Eventually([&] { return ReadLog(directory_).records.size() == 100; }));
  Fill();
  ASSERT_TRUE(AtomicWriteFile(go, "", 0600).ok());
  EXPECT_TRUE(Eventually([&] { return ::access((go + ".2").c_str(), F_OK) == 0; }));
  ASSERT_TRUE(RemoveTree(mount_ + "/filler").ok());
  ASSERT_TRUE(RemoveTree(go).ok());
  EXPECT_EQ(WaitForExit().code, 0);
  int64_t lines = 0;
  int64_t missing = 0;
  for (const spool::LogRecord& record : ReadLog(directory_).records) {
    if (record.source == LogSource::kStdout) ++lines;
    if (record.source == LogSource::kAgent) missing += std::stoll(record.text);
  }
  EXPECT_EQ(lines + missing, 20'150);
  EXPECT_GT(missing, 0);
}

TEST_F(SmallDisk, WithoutRoomNothingIsStarted) {
  Fill();
  const absl::Status status = runtime_->Start(TestTask({"note", note_}));
  EXPECT_EQ(ErrorReason(status), "DISK_FULL") << status;
  EXPECT_EQ(State(), Found::State::kNothing);
  ASSERT_TRUE(RemoveTree(mount_ + "/filler").ok());
  EXPECT_EQ(Run(TestTask({"note", note_})).code, 0);
  EXPECT_EQ(FileLines(note_).size(), 1);
}

}  // namespace
}  // namespace det::agent
