#include "cli/follow/frame.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/follow/changes.h"
#include "cli/format/width.h"
#include "cli/testing/golden.h"
#include "cli/testing/sample_model.h"
#include "common/base/strings.h"

namespace det::cli::follow {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

Snapshot Search() {
  return {
      .experiment = 7,
      .name = "digits",
      .state = "ACTIVE",
      .searcher = "adaptive_asha",
      .metric = "validation_accuracy",
      .progress = 0.483,
      .trials_created = 24,
      .trials_closed = 11,
      .trials_waiting = 2,
      .running = {{.id = 14,
                   .state = "RUNNING",
                   .latest = 0.9612,
                   .best = 0.9701,
                   .steps = 1200,
                   .progress = 0.25,
                   .agent = "host-1",
                   .hparams = "batch_size=32 channels=7 optimizer.lr=0.0053 optimizer.name=adam"},
                  {.id = 17, .state = "STARTING", .agent = "host-1"}},
      .best_trial = 9,
      .best_metric = 0.98123456,
      .best_steps = 4000,
      .seconds_left = 83,
      .created = SampleNow() - absl::Seconds(41)};
}

std::string Frame(const Snapshot& snapshot, int width, int height, bool utf8 = true) {
  const FrameOptions options{
      .terminal = {.tty = true, .utf8 = utf8, .redraw = true, .width = width, .height = height},
      .now = SampleNow()};
  std::string text;
  for (const std::string& line : RenderFrame(snapshot, options)) {
    EXPECT_LE(DisplayWidth(line), std::max(40, width)) << line;
    StrAppend(text, line, "\n");
  }
  EXPECT_LT(std::count(text.begin(), text.end(), '\n'), height) << text;
  return text;
}

TEST(FrameTest, Golden) {
  std::string text;
  Snapshot waiting = Search();
  waiting.running.clear();
  waiting.best_metric.reset();
  waiting.seconds_left.reset();
  waiting.progress = 0;
  waiting.reason = "no agent of the pool default is connected";
  Snapshot many = Search();
  for (int64_t i = 20; i < 60; ++i) many.running.push_back({.id = i, .state = "RUNNING"});
  for (const int width : {80, 120}) {
    StrAppend(text, "--- ", width, " columns\n", Frame(Search(), width, 24));
    StrAppend(text, "--- ", width, " columns, nothing runs\n", Frame(waiting, width, 24));
    StrAppend(text, "--- ", width, " columns, 12 lines\n", Frame(many, width, 12));
  }
  StrAppend(text, "--- ASCII\n", Frame(Search(), 80, 24, false));
  StrAppend(text, "--- narrow\n", Frame(Search(), 20, 24));
  ExpectGolden("frame", text);
}

TEST(FrameTest, HostileNamesStayOnTheirLine) {
  Snapshot snapshot = Search();
  snapshot.name = "a\nb\x1b[2J\xff";
  snapshot.running[0].hparams = "x=\x1b]0;t\x07";
  EXPECT_THAT(Frame(snapshot, 120, 24), Not(HasSubstr("\x1b")));
}

TEST(FrameTest, BarsStayWithinTheirEnds) {
  EXPECT_EQ(Bar(0.5, 4, false), "##--");
  EXPECT_EQ(Bar(-1, 4, false), "----");
  EXPECT_EQ(Bar(7, 4, false), "####");
  EXPECT_EQ(Bar(std::nan(""), 4, false), "----");
  EXPECT_EQ(Bar(1, 2, true), "\u2588\u2588");
}

TEST(ChangesTest, IntroducesThenTellsWhatIsNew) {
  const std::vector<std::string> first = NoteworthyChanges(std::nullopt, Search());
  EXPECT_THAT(first, Each(::testing::StartsWith("experiment 7: ")));
  EXPECT_THAT(first, Contains(HasSubstr("state ACTIVE, digits, searcher adaptive_asha")));
  EXPECT_THAT(first, Contains(HasSubstr("best validation_accuracy 0.981235 by trial 9")));
  EXPECT_THAT(first, Contains(HasSubstr("trial 14 RUNNING on host-1, batch_size=32")));
  EXPECT_THAT(NoteworthyChanges(Search(), Search()), IsEmpty());
}

TEST(ChangesTest, OneLineForEachThing) {
  const Snapshot before = Search();
  Snapshot after = before;
  after.progress = 0.499;
  after.running[0].latest = 0.5;
  EXPECT_THAT(NoteworthyChanges(before, after), IsEmpty());
  after.progress = 0.51;
  EXPECT_THAT(NoteworthyChanges(before, after),
              ElementsAre("experiment 7: 51% of the search, 11 of 24 trials done"));
  after = before;
  after.running[1].state = "RUNNING";
  EXPECT_THAT(NoteworthyChanges(before, after),
              ElementsAre("experiment 7: trial 17 RUNNING on host-1"));
  after = before;
  after.running.pop_back();
  EXPECT_THAT(NoteworthyChanges(before, after),
              ElementsAre("experiment 7: trial 17 has left its slots"));
  after = before;
  after.state = "COMPLETED";
  EXPECT_THAT(NoteworthyChanges(before, after), ElementsAre("experiment 7: state COMPLETED"));
}

}  // namespace
}  // namespace det::cli::follow
