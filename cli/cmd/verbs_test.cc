#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/testing/fake_master.h"
#include "cli/testing/golden.h"
#include "cli/testing/run_cli.h"
#include "cli/testing/sample_model.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

using testing::HasSubstr;

// The output of every verb, in every format that there is.
class VerbsTest : public testing::Test {
 protected:
  void ExpectAllFormats(const std::string& name, const std::string& line) {
    ExpectGolden(name,
                 Transcript(runner_,
                            {line,
                             line + " -o json",
                             line + " -o yaml",
                             line + " -o csv",
                             line + " -o tsv",
                             line + " -o name"}));
  }

  FakeMaster master_{SampleModel()};
  CliRunner runner_{master_.address()};
};

TEST_F(VerbsTest, Status) {
  ExpectAllFormats("status", "status");
}
TEST_F(VerbsTest, Version) {
  ExpectAllFormats("version", "version");
}
TEST_F(VerbsTest, Why) {
  ExpectAllFormats("why", "why t19");
}
TEST_F(VerbsTest, ExperimentList) {
  ExpectAllFormats("experiment_list", "experiment list");
}
TEST_F(VerbsTest, ExperimentDescribe) {
  ExpectAllFormats("experiment_describe", "experiment describe 7");
}
TEST_F(VerbsTest, TrialList) {
  ExpectAllFormats("trial_list", "trial list 7 --best");
}
TEST_F(VerbsTest, TrialDescribe) {
  ExpectAllFormats("trial_describe", "trial describe 17");
}
TEST_F(VerbsTest, TrialMetrics) {
  ExpectAllFormats("trial_metrics", "trial metrics 17");
}
TEST_F(VerbsTest, TrialMetricsComePageByPageUpToTheLimit) {
  const auto lines = [](const std::string& text) {
    return std::count(text.begin(), text.end(), '\n');
  };
  const CliResult all = runner_.Run("t metrics 17 --limit 0 -o csv --no-headers");
  EXPECT_EQ(all.err, "");
  ASSERT_EQ(lines(all.out), 3);
  const CliResult some = runner_.Run("t metrics 17 --limit 2 -o csv --no-headers");
  EXPECT_EQ(lines(some.out), 2);
  EXPECT_EQ(some.out, all.out.substr(0, some.out.size()));
  EXPECT_THAT(some.err, HasSubstr("the first 2 points; --limit 0 shows all"));
  EXPECT_EQ(runner_.Run("t metrics 17 --limit -1").code, ExitCode::kUsage);
}
TEST_F(VerbsTest, TrialLogs) {
  ExpectAllFormats("trial_logs", "trial logs 17");
}
TEST_F(VerbsTest, ExperimentLogs) {
  ExpectAllFormats("experiment_logs", "experiment logs 7 --timestamps");
}
TEST_F(VerbsTest, CheckpointDescribe) {
  const std::string uuid = master_.Look().checkpoints[0].uuid();
  ExpectAllFormats("checkpoint_describe", "checkpoint describe " + uuid);
}
TEST_F(VerbsTest, CheckpointList) {
  ExpectAllFormats("checkpoint_list", "checkpoint list 7");
}
TEST_F(VerbsTest, CheckpointDownloadTakesTheTrialBeforeTheName) {
  const std::string uuid = "7c1f0000-0000-4000-8000-000000000001";
  for (const std::string& name : {uuid, "17/" + uuid, "t17/" + uuid}) {
    const CliResult found = runner_.Run("c download " + name);
    EXPECT_THAT(found.err, HasSubstr("can't be seen from this machine")) << name;
  }
  EXPECT_THAT(runner_.Run("c download 18/" + uuid).err, HasSubstr("does not exist"));
  for (const char* name : {"x/u", "17/", "17/..", "17/a/b"})
    EXPECT_EQ(runner_.Run(std::string("c download ") + name).code, ExitCode::kUsage) << name;
}
TEST_F(VerbsTest, AgentList) {
  ExpectAllFormats("agent_list", "agent list");
}
TEST_F(VerbsTest, SlotList) {
  ExpectAllFormats("slot_list", "slot list");
}
TEST_F(VerbsTest, AgentsAndSlotsAreTakenOutAndIn) {
  const CliResult drained = runner_.Run(
      "agent disable gpu-1 --drain --deadline 2h --reason disks -o csv --no-headers "
      "--columns id,state,why");
  EXPECT_EQ(drained.out, "gpu-1,DRAINING,disks\n") << drained.err;
  EXPECT_EQ(runner_.Run("agent enable --all -o csv --no-headers --columns id,state").out,
            "gpu-1,CONNECTED\ngpu-2,CONNECTED\n");
  const CliResult slot =
      runner_.Run("slot disable gpu-1 1 -o csv --no-headers --columns index,state");
  EXPECT_EQ(slot.out, "0,HELD\n1,DISABLED\n") << slot.err;
  const CliResult some = runner_.Run("slot enable gpu-1 1 9");
  EXPECT_EQ(some.code, ExitCode::kPartial);
  EXPECT_EQ(runner_.Run("agent disable gpu-9").code, ExitCode::kNotFound);
  for (const char* line : {"agent disable",
                           "agent disable gpu-1 --all",
                           "agent disable gpu-1 --deadline 2h",
                           "agent disable gpu-1 --drain --deadline soon",
                           "slot disable gpu-1",
                           "slot disable gpu-1 x"}) {
    EXPECT_EQ(runner_.Run(line).code, ExitCode::kUsage) << line;
  }
}
TEST_F(VerbsTest, JobList) {
  ExpectAllFormats("job_list", "job list");
}
TEST_F(VerbsTest, ListsThatAreCutShortSayIt) {
  master_.Edit([](Model& model) { model.jobs.push_back(model.jobs.front()); });
  for (const char* verb : {"agent", "job"}) {
    const CliResult all = runner_.Run(StrCat(verb, " list -o name"));
    EXPECT_EQ(all.err, "") << verb;
    const CliResult first = runner_.Run(StrCat(verb, " list -o name --limit 1"));
    EXPECT_EQ(first.out, all.out.substr(0, all.out.find('\n') + 1)) << verb;
    EXPECT_THAT(first.err, HasSubstr("the first 1; --limit N shows more")) << verb;
    EXPECT_EQ(runner_.Run(StrCat(verb, " list --limit 0")).code, ExitCode::kUsage) << verb;
  }
}
TEST_F(VerbsTest, ExperimentWait) {
  ExpectAllFormats("experiment_wait", "experiment wait 6");
}

}  // namespace
}  // namespace det::cli
