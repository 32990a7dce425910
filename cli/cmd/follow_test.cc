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

}  // namespace
}  // namespace det::cli
