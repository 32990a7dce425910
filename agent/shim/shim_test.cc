#include <csignal>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "agent/shim/cgroup.h"
#include "agent/shim/kill.h"
#include "agent/shim/line_splitter.h"
#include "agent/shim/task_log.h"
#include "agent/task/mark.h"
#include "agent/task/task_files.h"
#include "common/base/archive.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/clock/manual_clock.h"
#include "common/os/spawn.h"
#include "common/os/testing.h"

namespace det::agent {
namespace {

using spool::LogSource;
using ::testing::ElementsAre;
using testing::Eventually;
using testing::TempDir;

using Piece = std::pair<std::string, bool>;

class SplitterTest : public ::testing::Test {
 protected:
  void Feed(std::string_view bytes) { splitter_.Feed(bytes, Emit()); }
  std::vector<Piece> Finish() {
    splitter_.Finish(Emit());
    return std::exchange(pieces_, {});
  }

 private:
  std::function<void(std::string_view, bool)> Emit() {
    return [this](std::string_view text, bool partial) { pieces_.emplace_back(text, partial); };
  }

  LineSplitter splitter_;
  std::vector<Piece> pieces_;
};

TEST_F(SplitterTest, CutsAtLineEnds) {
  Feed("one\ntw");
  Feed("o\n\nthree\r\n");
  Feed(std::string("\0\xff\n", 3));
  Feed("last");
  EXPECT_THAT(Finish(),
              ElementsAre(Piece{"one", false},
                          Piece{"two", false},
                          Piece{"", false},
                          Piece{"three\r", false},
                          Piece{std::string("\0\xff", 2), false},
                          Piece{"last", false}));
  EXPECT_TRUE(Finish().empty());
}

TEST_F(SplitterTest, CutsLongLinesIntoPieces) {
  const size_t most = LineSplitter::kLineMax;
  const std::string full(most, 'x');
  Feed(full + "\n");
  EXPECT_THAT(Finish(), ElementsAre(Piece{full, false}));
  Feed(full);
  Feed("\n");
  EXPECT_THAT(Finish(), ElementsAre(Piece{full, false}));
  Feed(full + "y\n");
  EXPECT_THAT(Finish(), ElementsAre(Piece{full, true}, Piece{"y", false}));
  Feed(full + full + full);
  EXPECT_THAT(Finish(), ElementsAre(Piece{full, true}, Piece{full, true}, Piece{full, false}));
}

TEST_F(SplitterTest, HoweverTheBytesCome) {
  std::string text;
  for (size_t i = 0; i < 300; ++i) text += std::string(i * 7 % 400, 'a') + "\n";
  text += std::string(3 * LineSplitter::kLineMax + 5, 'b') + "\nend";
  Feed(text);
  const std::vector<Piece> at_once = Finish();
  for (const size_t step : {1U, 2U, 3U, 1000U, 16383U, 16385U}) {
    for (size_t i = 0; i < text.size(); i += step) Feed(std::string_view(text).substr(i, step));
    EXPECT_EQ(Finish(), at_once) << step;
  }
}

TEST(Mark, IsFoundOnlyWhole) {
  const std::string token = *NewToken();
  EXPECT_EQ(token.size(), 32);
  EXPECT_NE(token, *NewToken());
  const std::string mark = StrCat("DET_ALLOCATION_MARK=", token);
  const std::string nul(1, '\0');
  EXPECT_TRUE(HasMark(mark + nul, token));
  EXPECT_TRUE(HasMark(mark, token));
  EXPECT_TRUE(HasMark("A=1" + nul + mark + nul + "B=2" + nul, token));
  EXPECT_TRUE(HasMark(nul + nul + mark, token));
  EXPECT_FALSE(HasMark("", token));
  EXPECT_FALSE(HasMark("X" + mark + nul, token));
  EXPECT_FALSE(HasMark(mark + "0" + nul, token));
  EXPECT_FALSE(HasMark(mark.substr(0, mark.size() - 1) + nul, token));
  EXPECT_FALSE(HasMark("A=" + mark + nul, token));
  EXPECT_FALSE(HasMark("DET_ALLOCATION_MARK=" + nul, ""));
}

TEST(Mark, ReplacesAnotherOne) {
  EXPECT_THAT(WithMark({"A=1", "DET_ALLOCATION_MARK=x", "DET_ALLOCATION_MARKS=y"}, "t"),
              ElementsAre("A=1", "DET_ALLOCATION_MARKS=y", "DET_ALLOCATION_MARK=t"));
}

TEST(Mark, FindsProcessesByIt) {
  const std::string token = *NewToken();
  const pid_t marked = *Spawn({.argv = {"sleep", "1000"}, .env = WithMark({}, token)});
  const pid_t other = *Spawn({.argv = {"sleep", "1000"}, .env = WithMark({}, *NewToken())});
  const ProcessId id = *ReadProcessId(marked);
  EXPECT_THAT(*FindMarked(token, id.start_time), ElementsAre(id));
  EXPECT_THAT(*FindMarked(token, 0), ElementsAre(id));
  // Something older can't belong to it.
  EXPECT_TRUE(FindMarked(token, id.start_time + 1)->empty());
  EXPECT_TRUE(FindMarked("", 0)->empty());
  EXPECT_TRUE(Signal(id, SIGKILL).ok());
  EXPECT_TRUE(Eventually([&] { return FindMarked(token, 0)->empty(); })) << "a zombie counts";
  ::kill(other, SIGKILL);
  for (const pid_t pid : {marked, other}) EXPECT_EQ(::waitpid(pid, nullptr, 0), pid);
}

TEST(Mark, ItsCarriersAreStoppedAndKilled) {
  const std::string token = *NewToken();
  const pid_t pid =
      *Spawn({.argv = {"sh", "-c", "sleep 1000 & sleep 1001 & wait"}, .env = WithMark({}, token)});
  EXPECT_TRUE(Eventually([&] { return FindMarked(token, 0)->size() == 3; }));
  const absl::StatusOr<KillCount> count = StopAndKill([&] { return FindMarked(token, 0); });
  EXPECT_EQ(count->alive, 3);
  EXPECT_EQ(count->refused, 0);
  EXPECT_TRUE(Eventually([&] { return FindMarked(token, 0)->empty(); }));
  EXPECT_EQ(::waitpid(pid, nullptr, 0), pid);
  EXPECT_EQ(StopAndKill([&] { return FindMarked(token, 0); })->alive, 0);
}

TEST(Cgroup, FindsHierarchies) {
  const std::string v2 = "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";
  const auto find = internal::FindHierarchies;
  auto found = find(v2, "0::/user.slice/a\n");
  ASSERT_EQ(found.size(), 1);
  EXPECT_EQ(found[0].directory, "/sys/fs/cgroup/user.slice/a");
  EXPECT_TRUE(found[0].is_v2);
  EXPECT_EQ(find(v2, "0::/\n")[0].directory, "/sys/fs/cgroup");
  // Outside of what is mounted.
  EXPECT_TRUE(find(v2, "0::/../x\n").empty());
  const std::string part = "30 24 0:26 /pods/p1 /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
  EXPECT_EQ(find(part, "0::/pods/p1/c\n")[0].directory, "/sys/fs/cgroup/c");
  EXPECT_EQ(find(part, "0::/pods/p1\n")[0].directory, "/sys/fs/cgroup");
  EXPECT_TRUE(find(part, "0::/pods/p12\n").empty());
  const std::string v1 =
      "31 24 0:27 / /c/cpu rw - cgroup cgroup rw,cpu\n"
      "32 24 0:28 / /c/memory rw - cgroup cgroup rw,memory\n"
      "33 24 0:29 / /c/pids rw - cgroup cgroup rw,pids\n"
      "34 24 0:30 / /c/unified rw - cgroup2 cgroup2 rw\n";
  found = find(v1, "5:cpu:/a\n4:memory:/m\n3:pids:/p\n0::/u\n");
  ASSERT_EQ(found.size(), 3);
  EXPECT_EQ(found[0].directory, "/c/memory/m");
  EXPECT_EQ(found[1].directory, "/c/pids/p");
  EXPECT_EQ(found[2].directory, "/c/unified/u");
  // Two controllers in one, and lines of no sense.
  const std::string joint = "1 2 3\n - \n31 24 0:27 / /c/x rw - cgroup cgroup rw,pids,memory\n";
  EXPECT_EQ(find(joint, "x\n:\n2:memory,pids:/a\n").size(), 1);
  EXPECT_TRUE(find("", "").empty());
}

TEST(Cgroup, HoldsAndEndsItsMembers) {
  std::string why_none;
  const Cgroup group =
      Cgroup::Create(StrCat("det-test-", NewToken()->substr(0, 16)), 100, &why_none);
  if (group.none()) {
    GTEST_SKIP() << "no control group can be made here, so none is tried: " << why_none;
  }
  std::vector<UniqueFd> fds = *group.OpenToJoin();
  SpawnOptions options{.argv = {"sh", "-c", "sleep 1000 & sleep 1001 & wait"}};
  for (const UniqueFd& fd : fds) options.cgroup_fds.push_back(fd.get());
  const pid_t pid = *Spawn(options);
  EXPECT_TRUE(Eventually([&] { return group.Members().size() == 3; }));
  EXPECT_FALSE(group.Remove());
  EXPECT_EQ(Cgroup(group.directories()).Members().size(), 3);
  group.Kill();
  EXPECT_TRUE(Eventually([&] {
    for (const ProcessId& id : group.Members()) (void)Signal(id, SIGKILL).ok();
    return group.Members().empty();
  }));
  EXPECT_EQ(::waitpid(pid, nullptr, 0), pid);
  EXPECT_EQ(group.OomKills().value_or(0), 0);
  EXPECT_TRUE(Eventually([&] { return group.Remove(); }));
  EXPECT_TRUE(group.Remove());
  EXPECT_FALSE(group.OpenToJoin().ok());
}

TEST(TaskFiles, KeepsRecordsAndNoticesDamage) {
  const TempDir dir;
  const TaskFiles files(dir.path());
  EXPECT_TRUE(absl::IsNotFound(files.ReadOrder().status()));
  EXPECT_TRUE(absl::IsNotFound(files.ReadShim().status()));
  EXPECT_TRUE(absl::IsNotFound(files.ReadExit().status()));
  TaskOrder order{.spec = {.id = AllocationId(7), .directory = "/d", .argv = {"a", ""}}};
  order.spec.grace = absl::Milliseconds(1500);
  order.token = "token";
  ASSERT_TRUE(files.WriteOrder(order).ok());
  EXPECT_EQ(EncodeArchive(*files.ReadOrder()), EncodeArchive(order));
  const ShimRecord shim{*ReadProcessId(::getpid()), "token", {"/c/1"}};
  ASSERT_TRUE(files.WriteShim(shim).ok());
  EXPECT_EQ(EncodeArchive(*files.ReadShim()), EncodeArchive(shim));
  const ExitRecord record{{.kind = ExitKind::kSignaled, .signal = 9, .text = "x"},
                          absl::FromUnixNanos(5)};
  ASSERT_TRUE(files.WriteExit(record).ok());
  EXPECT_EQ(EncodeArchive(*files.ReadExit()), EncodeArchive(record));
  const std::string content = *ReadFile(files.exit(), 10'000);
  for (size_t i = 0; i < content.size(); ++i) {
    std::string damaged = content;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x20);
    ASSERT_TRUE(AtomicWriteFileUnsynced(files.exit(), damaged, 0600).ok());
    EXPECT_FALSE(files.ReadExit().ok()) << i;
    ASSERT_TRUE(AtomicWriteFileUnsynced(files.exit(), content.substr(0, i), 0600).ok());
    EXPECT_EQ(ErrorReason(files.ReadExit().status()), "RECORD_DAMAGED") << i;
  }
  ASSERT_TRUE(AtomicWriteFileUnsynced(files.exit(), "det exit 2\n" + content, 0600).ok());
  EXPECT_EQ(ErrorReason(files.ReadExit().status()), "RECORD_VERSION");
  // One record is not another.
  ASSERT_TRUE(AtomicWriteFileUnsynced(files.shim(), content, 0600).ok());
  EXPECT_FALSE(files.ReadShim().ok());
}

// A small file system of its own, when this user may have one.
class SmallDisk : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::mount("tmpfs", dir_.path().c_str(), "tmpfs", 0, "size=512k") != 0) {
      GTEST_SKIP() << "mounting needs root: a full disk is not tried";
    }
    mounted_ = true;
  }
  void TearDown() override {
    if (mounted_) {
      EXPECT_EQ(::umount2(dir_.path().c_str(), MNT_DETACH), 0);
    }
  }
  void Fill() {
    const UniqueFd fd(::open((dir_ / "filler").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    const std::string page(4096, 'f');
    while (::write(fd.get(), page.data(), page.size()) > 0) {
    }
  }
  void MakeRoom() { EXPECT_TRUE(RemoveTree(dir_ / "filler").ok()); }

  TempDir dir_;
  bool mounted_ = false;
};

TEST_F(SmallDisk, TheExitIsWrittenWithoutRoom) {
  const TaskFiles files(dir_.path());
  absl::StatusOr<ExitReserve> reserve = ExitReserve::Take(files);
  ASSERT_TRUE(reserve.ok()) << reserve.status();
  Fill();
  EXPECT_FALSE(files.WriteExit({}).ok());
  const absl::Status written = reserve->Write({.exit = {.text = std::string(100'000, 'x')}});
  ASSERT_TRUE(written.ok()) << written;
  EXPECT_EQ(files.ReadExit()->exit.text, std::string(2000, 'x'));
}

struct Told {
  int64_t lines = 0;
  int64_t missing = 0;
  int64_t next = 0;  // the number that the next line should have
};

// Reads numbered lines; each gap must be what the record in its place says.
Told CheckLog(const std::string& directory) {
  spool::SegmentReader reader(directory);
  Told told;
  const absl::StatusOr<std::vector<spool::LogEntry>> entries = reader.Read(1, 1'000'000, 1 << 30);
  for (const spool::LogEntry& entry : *entries) {
    spool::LogRecord record;
    EXPECT_TRUE(DecodeArchive(entry.payload, &record));
    if (record.source == LogSource::kAgent) {
      const int64_t missing = std::stoll(record.text);
      told.missing += missing;
      told.next += missing;
    } else {
      EXPECT_EQ(std::stoll(record.text), told.next);
      ++told.lines;
      ++told.next;
    }
  }
  return told;
}

TEST_F(SmallDisk, TheLogCountsWhatItHasNoRoomFor) {
  const ManualClock clock(absl::FromUnixSeconds(1'700'000'000));
  TaskLog log(dir_ / "log", 1 << 20, &clock);
  int64_t printed = 0;
  const auto print = [&](int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      log.Print(LogSource::kStdout, StrCat(printed++, std::string(100, '.'), "\n"));
    }
  };
  for (int round = 0; round < 3; ++round) {
    print(500);
    log.Flush();
    Fill();
    print(3000);
    // Still no room when it looks again.
    EXPECT_TRUE(Eventually([&] {
      print(1);
      log.FlushIfDue();
      return printed > 3600 * (round + 1);
    }));
    EXPECT_TRUE(log.waiting());
    EXPECT_GT(log.untold(), 0);
    MakeRoom();
    EXPECT_TRUE(Eventually([&] {
      log.FlushIfDue();
      return !log.waiting();
    }));
    EXPECT_EQ(log.untold(), 0);
  }
  print(10);
  log.Flush();
  const Told told = CheckLog(dir_ / "log");
  EXPECT_EQ(told.lines + told.missing, printed);
  EXPECT_GT(told.missing, 0);
}

TEST_F(SmallDisk, TheLogBeginsWhenThereIsRoom) {
  const ManualClock clock(absl::FromUnixSeconds(1'700'000'000));
  Fill();
  TaskLog log(dir_ / "log", 1 << 20, &clock);
  log.Print(LogSource::kStdout, "0\n1\n2\n");
  log.Flush();
  EXPECT_EQ(log.untold(), 3);
  MakeRoom();
  EXPECT_TRUE(Eventually([&] {
    log.FlushIfDue();
    return !log.waiting();
  }));
  log.Print(LogSource::kStdout, "3\n");
  log.Flush();
  const Told told = CheckLog(dir_ / "log");
  EXPECT_EQ(told.lines + told.missing, 4);
}

TEST(TaskLog, KeepsSourcesApart) {
  const TempDir dir;
  const ManualClock clock(absl::FromUnixNanos(1'700'000'000'000'000'123));
  TaskLog log(dir / "log", 1 << 20, &clock);
  log.Print(LogSource::kStdout, "out");
  log.Print(LogSource::kStderr, "err\n");
  log.Print(LogSource::kStdout, "put\n");
  log.Say("said");
  log.Print(LogSource::kStderr, "rest");
  log.End(LogSource::kStderr);
  EXPECT_TRUE(log.waiting());
  log.Flush();
  EXPECT_FALSE(log.waiting());
  spool::SegmentReader reader(dir / "log");
  std::vector<std::string> seen;
  const absl::StatusOr<std::vector<spool::LogEntry>> entries = reader.Read(1, 100, 1 << 20);
  for (const spool::LogEntry& entry : *entries) {
    spool::LogRecord record;
    ASSERT_TRUE(DecodeArchive(entry.payload, &record));
    EXPECT_EQ(record.at_ns, 1'700'000'000'000'000'123);
    seen.push_back(StrCat(static_cast<int>(record.source), record.text));
  }
  EXPECT_THAT(seen, ElementsAre("1err", "0output", "2said", "1rest"));
}

}  // namespace
}  // namespace det::agent
