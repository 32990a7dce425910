#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/testing/fake_master.h"
#include "cli/testing/run_cli.h"
#include "cli/testing/sample_model.h"
#include "cli/testing/temp_dir.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// `det e create -f` and what the end of the experiment makes of it.
class FollowTest : public ::testing::Test {
 protected:
  CliResult CreateAndFollow(const std::string& end, const std::string& options = "") {
    const std::string config = dir_.Write("x.yaml", "name: x\n");
    std::thread search([&] {
      ASSERT_TRUE(master_.Await([](const Model& model) { return !model.created.empty(); }));
      master_.Edit([&](Model& model) {
        api::Experiment& experiment = model.experiments.rbegin()->second;
        experiment.set_state(end);
        experiment.set_progress(1);
        experiment.set_ended_unix_nanos(absl::ToUnixNanos(SampleNow()));
      });
    });
    CliResult result = runner_.Run(StrCat("e create ", config, " -f ", options));
    search.join();
    return result;
  }

  const TempDir dir_;
  FakeMaster master_{SampleModel()};
  CliRunner runner_{master_.address()};
};

TEST_F(FollowTest, TheEndIsTheExitCode) {
  EXPECT_EQ(CreateAndFollow("COMPLETED").code, ExitCode::kOk);
}

TEST_F(FollowTest, AnErrorIsSeven) {
  EXPECT_EQ(CreateAndFollow("ERROR").code, ExitCode::kWatchedFailed);
}

TEST_F(FollowTest, ACancelIsOne) {
  EXPECT_EQ(CreateAndFollow("CANCELED").code, ExitCode::kFailure);
}

TEST_F(FollowTest, WithoutATerminalChangesAreLines) {
  const CliResult result = CreateAndFollow("COMPLETED");
  EXPECT_THAT(result.out, HasSubstr("created experiment"));
  EXPECT_THAT(result.err, HasSubstr("state COMPLETED"));
  EXPECT_THAT(result.err, Not(HasSubstr("\x1b")));
}

TEST_F(FollowTest, OnATerminalTheViewVanishes) {
  runner_.UseTerminal(100, 30);
  runner_.SetEnv("TERM", "xterm");
  const CliResult result = CreateAndFollow("COMPLETED");
  EXPECT_EQ(result.code, ExitCode::kOk);
  // The last thing that happens to the live view is that it is erased.
  const size_t drawn = result.err.rfind("search");
  const size_t erased = result.err.rfind("\x1b[J");
  ASSERT_NE(erased, std::string::npos);
  EXPECT_TRUE(drawn == std::string::npos || drawn < erased);
}

TEST_F(FollowTest, JsonIsOneDocument) {
  const CliResult result = CreateAndFollow("COMPLETED", "-o json");
  EXPECT_EQ(result.out.find('{'), 0U);
  EXPECT_THAT(result.out, HasSubstr("\"state\": \"COMPLETED\""));
  EXPECT_THAT(result.out, Not(HasSubstr("created experiment")));
}

TEST_F(FollowTest, QuietSaysNothingOnTheWay) {
  EXPECT_EQ(CreateAndFollow("COMPLETED", "-q").err, "");
}

TEST_F(FollowTest, ABrokenStreamIsTakenUpAgain) {
  std::thread cut([&] {
    ASSERT_TRUE(master_.Await([](const Model& model) { return !model.created.empty(); }));
    master_.Edit([](Model& model) { ++model.streams_cut; });
  });
  const CliResult result = CreateAndFollow("COMPLETED");
  cut.join();
  EXPECT_EQ(result.code, ExitCode::kOk) << result.err;
}

TEST_F(FollowTest, TheEndIsNeverPaged) {
  runner_.UseTerminal(80, 5);
  runner_.SetEnv("TERM", "xterm");
  EXPECT_FALSE(CreateAndFollow("COMPLETED").paged);
  EXPECT_FALSE(runner_.Run("e watch 6").paged);
  EXPECT_TRUE(runner_.Run("e list").paged);
}

TEST_F(FollowTest, AFailureIsToldByTheLastLinesOfTheTrial) {
  master_.Edit([](Model& model) {
    api::Trial& trial = model.trials[17];
    trial.set_state("ERROR");
    trial.clear_slots();
    model.experiments[7].set_state("ERROR");
    for (int i = 1; i <= 9; ++i) {
      api::LogLine line;
      line.set_trial(17);
      line.set_source(i == 8 ? "stdout" : "stderr");
      line.set_text(StrCat("stderr line ", i));
      model.logs[17].push_back(line);
    }
  });
  const CliResult watched = runner_.Run("e watch 7");
  EXPECT_EQ(watched.code, ExitCode::kWatchedFailed);
  EXPECT_THAT(watched.out, HasSubstr("Last lines of trial 17\nstderr line 4\nstderr line 5\n"));
  EXPECT_THAT(watched.out, HasSubstr("stderr line 7\nstderr line 9\n"));
  EXPECT_THAT(watched.err, HasSubstr("det t logs 17"));
  EXPECT_THAT(watched.err, Not(HasSubstr("the best trial")));
  EXPECT_THAT(watched.err, Not(HasSubstr("all trials")));
  const CliResult waited = runner_.Run("e wait 7");
  EXPECT_EQ(waited.code, ExitCode::kWatchedFailed);
  EXPECT_THAT(waited.err, HasSubstr("stderr line 9\nnote: what failed:    det t logs 17"));
}

// What a trial prints while its log is followed, and a master that goes away in the middle.
class FollowLogsTest : public FollowTest {
 protected:
  static void Print(Model& model, int number) {
    api::LogLine line;
    line.set_trial(17);
    line.set_run(1);
    line.set_line(number);
    line.set_at_unix_nanos(number);
    line.set_source("stdout");
    line.set_text(StrCat("line ", number));
    model.logs[17].push_back(line);
  }

  std::string FollowAcrossACut(const std::string& options) {
    master_.Edit([](Model& model) {
      model.logs[17].clear();
      for (int i = 1; i <= 5; ++i) Print(model, i);
    });
    std::thread events([&] {
      const auto asked = [](size_t times) {
        return [times](const Model& model) { return model.tailed.size() == times; };
      };
      ASSERT_TRUE(master_.Await(asked(1)));
      master_.Edit([](Model& model) { Print(model, 6); });
      master_.Edit([](Model& model) { ++model.streams_cut; });
      ASSERT_TRUE(master_.Await(asked(2)));
      master_.Edit([](Model& model) { Print(model, 7); });
      master_.Edit([](Model& model) { model.trials[17].set_state("COMPLETED"); });
    });
    const CliResult result = runner_.Run(StrCat("t logs 17 -f ", options));
    events.join();
    EXPECT_EQ(result.code, ExitCode::kOk) << result.err;
    return result.out;
  }
};

TEST_F(FollowLogsTest, ARestartOfTheMasterLosesAndRepeatsNothing) {
  EXPECT_EQ(FollowAcrossACut(""), "line 1\nline 2\nline 3\nline 4\nline 5\nline 6\nline 7\n");
}

TEST_F(FollowLogsTest, NorDoesItWithATail) {
  const std::string out = FollowAcrossACut("--tail 2");
  EXPECT_EQ(out, "line 4\nline 5\nline 6\nline 7\n");
}

TEST_F(FollowLogsTest, AnEndedExperimentGivesAllItsLines) {
  master_.Edit([](Model& model) {
    model.logs[12] = model.logs[14];
    model.logs[12][0].set_trial(12);
  });
  const CliResult result = runner_.Run("e logs 6 -f");
  EXPECT_EQ(result.code, ExitCode::kOk) << result.err;
  EXPECT_EQ(result.out, "t12 | done\n");
}

}  // namespace
}  // namespace det::cli
