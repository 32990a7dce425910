#include <gtest/gtest.h>

#include "cli/testing/fake_master.h"
#include "cli/testing/golden.h"
#include "cli/testing/run_cli.h"
#include "cli/testing/sample_model.h"

namespace det::cli {
namespace {

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
TEST_F(VerbsTest, TrialLogs) {
  ExpectAllFormats("trial_logs", "trial logs 17");
}
TEST_F(VerbsTest, ExperimentLogs) {
  ExpectAllFormats("experiment_logs", "experiment logs 7 --timestamps");
}
TEST_F(VerbsTest, CheckpointList) {
  ExpectAllFormats("checkpoint_list", "checkpoint list 7");
}
TEST_F(VerbsTest, AgentList) {
  ExpectAllFormats("agent_list", "agent list");
}
TEST_F(VerbsTest, SlotList) {
  ExpectAllFormats("slot_list", "slot list");
}
TEST_F(VerbsTest, JobList) {
  ExpectAllFormats("job_list", "job list");
}
TEST_F(VerbsTest, ExperimentWait) {
  ExpectAllFormats("experiment_wait", "experiment wait 6");
}

}  // namespace
}  // namespace det::cli
