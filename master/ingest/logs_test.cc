#include <gtest/gtest.h>

#include "common/base/strings.h"
#include "master/store/partitions.h"
#include "master/testing/ingest_bench.h"

// Logs from the wire to the reader: filters, places, retention.
namespace det::ingest {
namespace {

using Direction = store::LogScan::Direction;

class LogsTest : public testing::Test {
 protected:
  void Print(std::vector<LogRecord> records) {
    const int64_t last = records.back().seq;
    bench.Ship(bench.Logs(std::move(records)), acks);
    ASSERT_TRUE(acks->Reaches(last));
  }
  // So many lines, "line 1" and on, one a second from 1001 s after 1970.
  void PrintMany(int64_t count) {
    std::vector<LogRecord> records;
    for (int64_t seq = 1; seq <= count; ++seq) records.push_back(Line(seq, StrCat("line ", seq)));
    Print(std::move(records));
  }
  std::vector<std::string> Read(store::LogScan scan, int64_t page = 100) {
    std::vector<store::LogRow> rows;
    absl::StatusOr<bool> more = true;
    while (more.ok() && *more) more = scan.Step(page, &rows);
    EXPECT_TRUE(more.ok()) << more.status();
    scanned = scan.scanned();
    std::vector<std::string> texts;
    for (const store::LogRow& row : rows) texts.push_back(row.line);
    return texts;
  }
  std::vector<std::string> Filtered(const store::LogFilter& filter) {
    return Read(store::LogScan(&bench.logs(), bench.trial(), filter, Direction::kForward));
  }
  static absl::Time At(int64_t seq) { return absl::FromUnixSeconds(1000 + seq); }

  test::TestDatabase database;
  Bench bench{database.conninfo()};
  const AcksPtr acks = NewAcks();
  int64_t scanned = 0;
};

TEST_F(LogsTest, EachFilterTakesItsLines) {
  std::vector<LogRecord> records = {
      Line(1, "INFO: begun"), Line(2, "WARNING: slow"), Line(3, "ERROR: gone"), Line(4, "plain")};
  records[1].source = LogSource::kStderr;
  records[2].source = LogSource::kAgent;
  Print(std::move(records));
  bench.Ship(bench.Reports({{.id = {.seq = 1}, .body = Unreadable{"no"}}}), acks);
  ASSERT_TRUE(Eventually([&] { return bench.Lines().size() == 5; }));
  using Texts = std::vector<std::string>;
  EXPECT_EQ(Filtered({.sources = {1}}), (Texts{"INFO: begun", "plain"}));
  EXPECT_EQ(Filtered({.sources = {2, 3}}), (Texts{"WARNING: slow", "ERROR: gone"}));
  EXPECT_EQ(Filtered({.sources = {4}}), Texts{"det: record 1 was not taken: no"});
  EXPECT_EQ(Filtered({.min_level = 5}), Texts{"ERROR: gone"});
  EXPECT_EQ(Filtered({.min_level = 4}).size(), 3U);
  EXPECT_EQ(Filtered({.pattern = *Pattern::Compile("^(INFO|plain)")}),
            (Texts{"INFO: begun", "plain"}));
  EXPECT_EQ(Filtered({.ranks = {1}}), Texts{});
  EXPECT_EQ(Filtered({.ranks = {0}, .runs = {1}}).size(), 5U);
  EXPECT_EQ(Filtered({.runs = {2}}), Texts{});
  EXPECT_EQ(Filtered({.since = At(2), .until = At(4)}), (Texts{"WARNING: slow", "ERROR: gone"}));
}

TEST_F(LogsTest, ATimeIsFoundWithoutReadingWhatIsBeforeIt) {
  PrintMany(10'000);
  EXPECT_EQ(Filtered({.since = At(9'990)}).size(), 11U);
  EXPECT_LT(scanned, 500);
  EXPECT_EQ(Filtered({.since = At(5'000), .until = At(5'003)}),
            (std::vector<std::string>{"line 5000", "line 5001", "line 5002"}));
  EXPECT_LT(scanned, 500);
}

TEST_F(LogsTest, ALineIsFoundByItsNumberAndAPositionGoesOnBehindIt) {
  PrintMany(3'000);
  store::LogScan by_number(&bench.logs(), bench.trial(), {}, Direction::kForward);
  by_number.StartAtLine(2'500);
  const std::vector<std::string> tail = Read(std::move(by_number));
  EXPECT_EQ(tail.size(), 501U);
  EXPECT_EQ(tail.front(), "line 2500");
  store::LogScan behind(&bench.logs(), bench.trial(), {}, Direction::kForward);
  behind.StartAfter({bench.run(), 0, {2'998, 0}});
  EXPECT_EQ(Read(std::move(behind)), (std::vector<std::string>{"line 2999", "line 3000"}));
  store::LogScan back(&bench.logs(), bench.trial(), {}, Direction::kBackward);
  back.StartAfter({bench.run(), 0, {3, 0}});
  EXPECT_EQ(Read(std::move(back)), (std::vector<std::string>{"line 2", "line 1"}));
}

TEST_F(LogsTest, FollowersAreToldOfEachCommit) {
  std::atomic<int> told{0};
  std::atomic<int> others{0};
  const auto news = bench.news().Subscribe(bench.trial().value(), [&] { ++told; });
  const auto other = bench.news().Subscribe(bench.trial().value() + 1, [&] { ++others; });
  Print({Line(1, "one")});
  EXPECT_TRUE(Eventually([&] { return told > 0; }));
  EXPECT_EQ(others, 0);
}

TEST_F(LogsTest, LogsPastTheirTimeGoWithTheirPartition) {
  const auto epoch = bench.engine().engine().epoch();
  database.Exec(
      "UPDATE submissions SET config = config || '{\"retention_policy\": {\"log_retention_days\": "
      "14}}'");
  Print({Line(1, "two weeks")});
  database.Exec("UPDATE experiments SET log_retention_days = 5");
  Print({Line(2, "a week")});
  database.Exec("UPDATE experiments SET log_retention_days = -1");
  Print({Line(3, "for ever")});
  EXPECT_EQ(bench.LogTexts(), (std::vector<std::string>{"two weeks", "a week", "for ever"}));
  const absl::Time now = absl::Now();
  EXPECT_TRUE(store::DropExpiredLogs(database.conninfo(), epoch, now)->empty());
  // The day of the line, seven days, and no more than a day beyond.
  EXPECT_FALSE(
      store::DropExpiredLogs(database.conninfo(), epoch, now + absl::Hours(24 * 8))->empty());
  EXPECT_EQ(bench.LogTexts(), (std::vector<std::string>{"two weeks", "for ever"}));
  EXPECT_FALSE(
      store::DropExpiredLogs(database.conninfo(), epoch, now + absl::Hours(24 * 21))->empty());
  EXPECT_EQ(bench.LogTexts(), std::vector<std::string>{"for ever"});
  EXPECT_EQ(store::DropExpiredLogs(database.conninfo(), epoch - 1, now + absl::Hours(24 * 90))
                .status()
                .code(),
            absl::StatusCode::kAborted);
  // What comes afterwards has its partitions made again.
  database.Exec("UPDATE experiments SET log_retention_days = 5");
  ASSERT_TRUE(store::EnsurePartitions(database.conninfo(), epoch).ok());
  Print({Line(4, "a week")});
  EXPECT_EQ(bench.LogTexts(), (std::vector<std::string>{"for ever", "a week"}));
}

// One line of 64 MB comes in pieces; nothing of it is lost, and nobody else waits.
TEST_F(LogsTest, ALineWithoutAnEndIsStoredInPieces) {
  std::vector<LogRecord> records;
  for (int64_t seq = 1; seq <= 1000; ++seq) {
    records.push_back(Line(seq, std::string(16'000, static_cast<char>('a' + seq % 26))));
    records.back().partial = true;
  }
  Print(std::move(records));
  const std::vector<std::string> texts = bench.LogTexts();
  ASSERT_EQ(texts.size(), 1000U);
  EXPECT_EQ(texts[27], std::string(16'000, 'c'));
}

TEST_F(LogsTest, LinesOfAnyBytesAndTimesOfAnyAgeAreKept) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
  LogRecord old = Line(1, bytes);
  old.at = absl::FromUnixNanos(INT64_MIN);
  LogRecord late = Line(2, "late");
  late.at = absl::FromUnixNanos(INT64_MAX);
  late.dropped = INT64_MAX;
  Print({old, late});
  EXPECT_EQ(bench.LogTexts(), (std::vector<std::string>{bytes, "late"}));
}

}  // namespace
}  // namespace det::ingest
