#include "agent/session/outbound.h"

#include <deque>
#include <filesystem>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <unistd.h>

#include "agent/shim/line_splitter.h"
#include "agent/spool/segment_file.h"
#include "agent/testing/ledger.h"
#include "agent/testing/run_spool.h"

namespace det::agent {
namespace {

constexpr int64_t kRun = RunSpool::kAllocation;

// A run's spools, what carries them, the line to the master and the master.
class Line {
 public:
  // Takes what is there to be sent; false: nothing.
  bool Next() {
    auto request = outbound_->Next();
    EXPECT_TRUE(request.ok()) << request.status();
    if (!request.ok() || !request->has_value()) return false;
    sent_.push_back(**std::move(request));
    return true;
  }
  // The master gets a message, and its answer is on its way.
  bool Deliver() {
    if (sent_.empty()) return false;
    replies_.push_back(ledger_.Take(sent_.front()));
    sent_.pop_front();
    return true;
  }
  bool Reply() {
    if (replies_.empty()) return false;
    outbound_->OnReply(replies_.front());
    replies_.pop_front();
    return true;
  }
  void Break() {
    sent_.clear();
    replies_.clear();
    outbound_->Rewind();
  }
  void Restart(bool is_final) {
    sent_.clear();
    replies_.clear();
    outbound_.emplace(spool_.options());
    if (is_final) outbound_->MarkFinal();
  }
  // Until nothing is left to be done. Bounded: something that is sent for ever is an error.
  void Pump() {
    for (int i = 0; i < 10000; ++i) {
      if (!Next() && !Deliver() && !Reply()) return;
    }
    FAIL() << "it never ends";
  }

  RunSpool& spool() { return spool_; }
  Outbound& outbound() { return *outbound_; }
  Ledger& ledger() { return ledger_; }
  std::deque<v1::ShipRequest>& sent() { return sent_; }

 private:
  RunSpool spool_;
  std::optional<Outbound> outbound_{spool_.options()};
  Ledger ledger_;
  std::deque<v1::ShipRequest> sent_;
  std::deque<v1::ShipReply> replies_;
};

std::string ReportOf(int64_t steps, size_t padding = 0) {
  return StrCat(R"({"det":{"validation":{"x":1,"pad":")",
                std::string(padding, 'p'),
                R"("},"steps":)",
                steps,
                "}}");
}

void PrintWhole(RunSpool& spool, const std::string& line) {
  LineSplitter splitter;
  splitter.Feed(line + "\n",
                [&](std::string_view text, bool partial) { spool.Print(text, partial); });
}

std::vector<int64_t> DerivedSteps(const Ledger& ledger) {
  std::vector<int64_t> steps;
  for (const v1::Report& report : ledger.Reports(kRun, kLogReportStream))
    if (!report.has_unreadable()) steps.push_back(report.metrics().steps_completed());
  return steps;
}

size_t Segments(const std::string& directory) {
  return spool::ListSegmentNames(directory)->size();
}

TEST(Outbound, NothingIsNothing) {
  Line line;
  EXPECT_FALSE(line.Next());
  EXPECT_FALSE(line.outbound().Drained());
  line.outbound().MarkFinal();
  EXPECT_FALSE(line.outbound().Drained());  // nobody has looked yet
  EXPECT_FALSE(line.Next());
  EXPECT_TRUE(line.outbound().Drained());
  EXPECT_TRUE(line.outbound().Empty());
}

v1::Report Sample(int64_t at) {
  v1::Report sample;
  sample.set_at_unix_nanos(at);
  sample.mutable_metrics()->set_group("cpu");
  return sample;
}

TEST(Outbound, SamplesAreSentUntilTheyAreThereAndNothingWaitsForThem) {
  RunSpool spool;
  Outbound outbound(spool.options());
  outbound.AddSamples({Sample(1'000'000'000), Sample(1'000'000'000), Sample(0)});
  auto first = outbound.Next();
  ASSERT_TRUE(first.ok() && first->has_value());
  EXPECT_EQ((*first)->stream(), kSampleStream);
  ASSERT_EQ((*first)->reports_size(), 3);
  // Each number is above the one before it, whatever the clock does.
  EXPECT_LT((*first)->reports(1).seq(), (*first)->reports(2).seq());
  EXPECT_FALSE(outbound.Next()->has_value());
  outbound.Rewind();
  EXPECT_EQ((*outbound.Next())->reports_size(), 3);
  v1::ShipReply reply;
  reply.set_stream(kSampleStream);
  reply.set_seq((*first)->reports(1).seq());
  outbound.OnReply(reply);
  outbound.Rewind();
  EXPECT_EQ((*outbound.Next())->reports_size(), 1);
  // The latest are kept while the master is away.
  for (int i = 0; i < 2000; ++i) outbound.AddSamples({Sample(2'000'000'000)});
  outbound.Rewind();
  EXPECT_EQ((*outbound.Next())->reports_size(), static_cast<int>(Outbound::kSamplesMax));
  outbound.MarkFinal();
  while (outbound.Next()->has_value()) continue;
  EXPECT_TRUE(outbound.Drained());
}

TEST(Outbound, ReportsGoBeforeLines) {
  Line line;
  line.spool().Print("hello");
  line.spool().Print(ReportOf(5));
  line.spool().Report(0.5);
  ASSERT_TRUE(line.Next() && line.Next() && line.Next());
  EXPECT_EQ(line.sent()[0].stream(), kRelayStream);
  EXPECT_EQ(line.sent()[1].stream(), kLogStream);
  EXPECT_EQ(line.sent()[2].stream(), kLogReportStream);
  EXPECT_EQ(line.sent()[2].reports(0).seq(), 2 * kReportsPerLineMax);
  EXPECT_EQ(line.sent()[2].reports(0).at_unix_nanos(), 1);
  EXPECT_EQ(line.sent()[0].trial(), 3);
}

TEST(Outbound, DrainedIsWhenReportsAreThereAndEmptyWhenLinesAre) {
  Line line;
  line.spool().Print(ReportOf(1));
  line.outbound().MarkFinal();
  while (line.Next()) continue;
  EXPECT_FALSE(line.outbound().Drained());
  line.outbound().OnReply(line.ledger().Take(line.sent()[1]));
  EXPECT_TRUE(line.outbound().Drained());
  EXPECT_FALSE(line.outbound().Empty());
  line.outbound().OnReply(line.ledger().Take(line.sent()[0]));
  EXPECT_TRUE(line.outbound().Empty());
}

// More lies on disk than may be on its way at a time.
TEST(Outbound, IsNotDrainedWhileReportsLieUnread) {
  Line line;
  for (int i = 0; i < 60; ++i) line.spool().RawReport(std::string(100 << 10, '\xff'));
  line.outbound().MarkFinal();
  while (line.Next()) continue;
  const size_t on_its_way = line.sent().size();
  while (line.Deliver() && line.Reply()) EXPECT_FALSE(line.outbound().Drained());
  EXPECT_LT(line.ledger().Reports(kRun, kRelayStream).size(), 60);
  EXPECT_GT(on_its_way, 10);
  line.Pump();
  EXPECT_TRUE(line.outbound().Drained());
  EXPECT_EQ(line.ledger().Reports(kRun, kRelayStream).size(), 60);
}

// Its first pieces are with the master when the connection breaks.
TEST(Outbound, ALongReportSurvivesABrokenConnection) {
  const std::string report = ReportOf(9, 3 * LineSplitter::kLineMax);
  for (int pieces = 0; pieces <= 4; ++pieces) {
    Line line;
    int printed = 0;
    LineSplitter splitter;
    splitter.Feed(report + "\n", [&](std::string_view text, bool partial) {
      line.spool().Print(text, partial);
      if (++printed != pieces) return;
      while (line.Next()) continue;
      // The log is acknowledged, what was read from it is lost.
      while (!line.sent().empty() && line.sent().front().stream() == kLogStream) {
        line.Deliver();
        line.Reply();
      }
      line.Break();
    });
    line.outbound().MarkFinal();
    line.Pump();
    EXPECT_THAT(DerivedSteps(line.ledger()), ::testing::ElementsAre(9)) << pieces;
    EXPECT_TRUE(line.outbound().Empty());
  }
}

TEST(Outbound, AConnectionThatBreaksAtOnceTakesNothingBack) {
  Line line;
  line.spool().Print(ReportOf(9));
  ASSERT_TRUE(line.Next() && line.Deliver() && line.Reply());
  line.Break();
  line.Break();
  line.Pump();
  EXPECT_THAT(DerivedSteps(line.ledger()), ::testing::ElementsAre(9));
}

// The master answers a restarted agent's first message with all that it has of the stream, which is
// more than this life of the agent has looked at.
TEST(Outbound, AnAnswerOfAnEarlierLifeFreesNothingUnread) {
  Line line;
  const std::string padding(60, '.');
  line.spool().PrintMany(5000, padding);
  line.spool().Print(ReportOf(77));
  line.spool().PrintMany(3000, padding);
  // Every line reaches the master, the report does not, and no answer comes back.
  while (line.Next()) {
    if (line.sent().back().stream() == kLogReportStream) line.sent().pop_back();
  }
  while (line.Deliver()) continue;
  ASSERT_EQ(line.ledger().Logs(kRun).size(), 8001);
  line.Restart(true);
  ASSERT_TRUE(line.Next());
  ASSERT_TRUE(line.Deliver() && line.Reply());
  line.Break();
  line.Pump();
  EXPECT_THAT(DerivedSteps(line.ledger()), ::testing::ElementsAre(77));
  EXPECT_TRUE(line.outbound().Empty());
}

TEST(Outbound, FreesWhatIsAcknowledgedAndNothingElse) {
  Line line;
  line.spool().PrintMany(1500, "a line of a certain length, so as to fill");
  const std::string log = line.spool().options().log_directory;
  const size_t before = Segments(log);
  ASSERT_GT(before, 10);
  while (line.Next()) continue;
  EXPECT_EQ(Segments(log), before);
  line.Pump();
  EXPECT_LT(Segments(log), before / 2);
}

// A report that waits for its answer keeps its line, and all after it, on disk.
TEST(Outbound, ALineStaysWhileItsReportIsOnItsWay) {
  Line line;
  PrintWhole(line.spool(), ReportOf(4, 2 * LineSplitter::kLineMax));
  line.spool().PrintMany(3000, "a line of a certain length, so as to fill");
  const std::string log = line.spool().options().log_directory;
  const size_t before = Segments(log);
  while (line.Next()) continue;
  std::deque<v1::ShipRequest> all = line.sent();
  for (const v1::ShipRequest& request : all) {
    if (request.stream() == kLogStream) line.outbound().OnReply(line.ledger().Take(request));
  }
  EXPECT_EQ(Segments(log), before);
  line.Restart(false);
  line.Pump();
  EXPECT_THAT(DerivedSteps(line.ledger()), ::testing::ElementsAre(4));
}

TEST(Outbound, WhatIsNoReportIsOnlyALine) {
  Line line;
  line.spool().Print(R"({"det":{"validation":1}})");
  line.spool().Print(ReportOf(1), false, spool::LogSource::kStderr);
  line.spool().Print(ReportOf(2), false, spool::LogSource::kAgent);
  line.spool().Print(ReportOf(3), true);  // cut
  line.spool().Print("and more of it");
  PrintWhole(line.spool(), ReportOf(4, 2 << 20));  // longer than any report
  PrintWhole(line.spool(), ReportOf(5) + std::string(2 << 20, ' '));
  line.spool().RawPrint("no record of ours");
  line.outbound().MarkFinal();
  line.Pump();
  EXPECT_THAT(DerivedSteps(line.ledger()), ::testing::IsEmpty());
  EXPECT_EQ(static_cast<int64_t>(line.ledger().Logs(kRun).size()), line.spool().printed());
  EXPECT_TRUE(line.outbound().Empty());
}

TEST(Outbound, ManyReportsOfOneLineHaveNumbersOfTheirOwn) {
  Line line;
  std::string text = R"({"det":{)";
  for (int i = 0; i < 100; ++i) text += StrCat(i == 0 ? "" : ",", "\"g", i, R"(":{"x":1})");
  line.spool().Print("first");
  line.spool().Print(text + "}}");
  line.spool().Print(ReportOf(8));
  line.Pump();
  const std::vector<v1::Report> reports = line.ledger().Reports(kRun, kLogReportStream);
  ASSERT_EQ(reports.size(), kReportsPerLineMax + 1);
  EXPECT_EQ(reports[0].seq(), 2 * kReportsPerLineMax);
  EXPECT_EQ(reports[0].metrics().steps_completed(), 2);
  EXPECT_EQ(reports.back().seq(), 3 * kReportsPerLineMax);
}

// A block of the disk went bad.
TEST(Outbound, LostReportsDontHoldUpTheRest) {
  Line line;
  for (int i = 0; i < 1500; ++i) line.spool().Report(0.25);
  const std::string directory = line.spool().options().reports_directory;
  const auto segments = *spool::ListSegments(directory);
  ASSERT_GT(segments.size(), 3);
  for (const size_t i : {size_t{0}, size_t{2}}) {
    const std::string path = spool::SegmentPath(directory, segments[i].first_seq);
    const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    ASSERT_EQ(pwrite(fd.get(), "????????????", 12, 200), 12);
  }
  line.outbound().MarkFinal();
  line.Pump();
  EXPECT_TRUE(line.outbound().Empty());
  const std::vector<v1::Report> reports = line.ledger().Reports(kRun, kRelayStream);
  EXPECT_EQ(reports.size(), 1500);
  const auto lost = std::count_if(reports.begin(), reports.end(), [](const v1::Report& report) {
    return report.body_case() == v1::Report::BODY_NOT_SET;
  });
  EXPECT_GT(lost, 10);
  EXPECT_LT(lost, 750);
}

TEST(Outbound, AnswersThatMeanNothingDoNoHarm) {
  Line line;
  line.spool().Report(0.5);
  for (const int stream : {kRelayStream, kLogStream, kLogReportStream, 9, -1}) {
    v1::ShipReply reply;
    reply.set_stream(stream);
    reply.set_seq(INT64_MAX);
    line.outbound().OnReply(reply);
    reply.set_seq(-5);
    line.outbound().OnReply(reply);
  }
  line.outbound().MarkFinal();
  line.Pump();
  EXPECT_EQ(line.ledger().Reports(kRun, kRelayStream).size(), 1);
  EXPECT_TRUE(line.outbound().Empty());
}

// Any order of what can happen, then the run ends and the faults stop.
class Disorder {
 public:
  void Do(uint32_t draw) {
    switch (draw % 12) {
      case 0:
        for (uint32_t i = 0; i < draw >> 25; ++i) line_.spool().Report(0.5);
        return;
      case 1:
        line_.spool().PrintMany(draw >> 21, "a line of a certain length, so as to fill");
        return;
      case 2:
        return PrintReport((draw >> 8) % 3 * LineSplitter::kLineMax);
      case 3:
        line_.Break();
        return;
      case 4:
        line_.Restart(false);
        return;
      case 5:
      case 6:
        line_.Deliver();
        return;
      case 7:
      case 8:
        line_.Reply();
        return;
      default:
        line_.Next();
    }
  }

  void Check() {
    line_.outbound().MarkFinal();
    line_.Pump();
    RC_ASSERT(line_.outbound().Empty());
    const std::vector<v1::Report> reports = line_.ledger().Reports(kRun, kRelayStream);
    RC_ASSERT(static_cast<int64_t>(reports.size()) == line_.spool().reported());
    RC_ASSERT(static_cast<int64_t>(line_.ledger().Logs(kRun).size()) == line_.spool().printed());
    RC_ASSERT(DerivedSteps(line_.ledger()) == steps_);
    RC_ASSERT(!::testing::Test::HasFailure());
  }

 private:
  void PrintReport(size_t padding) {
    steps_.push_back(static_cast<int64_t>(steps_.size()));
    PrintWhole(line_.spool(), ReportOf(steps_.back(), padding));
  }

  Line line_;
  std::vector<int64_t> steps_;
};

TEST(Outbound, WhateverHappensEverythingArrivesOnceAndInOrder) {
  EXPECT_TRUE(rc::check([] {
    const auto draws = *rc::gen::resize(
        80, rc::gen::container<std::vector<uint32_t>>(rc::gen::inRange<uint32_t>(0, 1U << 31)));
    Disorder disorder;
    for (const uint32_t draw : draws) disorder.Do(draw);
    disorder.Check();
  }));
}

}  // namespace
}  // namespace det::agent
