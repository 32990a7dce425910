#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "harness/cpp/testing/fake_relay.h"
#include "harness/cpp/testing/program.h"

// The example as a trial: what an agent sees of it.
namespace det::harness {
namespace {

namespace fs = std::filesystem;

// Long enough that the trial is asked to leave in the middle.
constexpr char kHparams[] =
    R"({"optimizer": {"name": "sgd", "lr": 0.05, "momentum": 0.9, "weight_decay": 0.0001},)"
    R"( "channels": 2, "dropout": 0.1, "batch_size": 128, "epochs": 40})";

class DigitsTrialTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/det-digits-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
    setenv("DET_RELAY", (directory_ / "relay").c_str(), 1);
    setenv("DET_TOKEN", kFakeToken, 1);
    setenv("OMP_NUM_THREADS", "1", 1);
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
  }
  void TearDown() override { fs::remove_all(directory_); }

  FakeRelay::Info Info() const {
    return {.hparams_json = kHparams,
            .checkpoint_directory = (directory_ / "checkpoints").string()};
  }
  std::string RelayPath() const { return (directory_ / "relay").string(); }
  std::vector<std::string> Command() const {
    return {
        DET_BINARY_DIR "/bin/digits", "--data", DET_SOURCE_DIR "/examples/digits/digits.csv.gz"};
  }

  fs::path directory_;
};

// The metrics that were reported, in order.
std::vector<std::string> Metrics(const FakeRelay& relay) {
  std::vector<std::string> metrics;
  for (const Value& report : relay.reports()) {
    if (const Value* found = report.Find("metrics")) metrics.push_back(found->ToJson());
  }
  return metrics;
}

TEST_F(DigitsTrialTest, PausedTrialEndsAsOneThatWasNot) {
  FakeRelay whole(RelayPath(), Info());
  whole.Start();
  EXPECT_EQ(Program(Command(), directory_).Wait(), 0);
  whole.Stop();
  EXPECT_EQ(Metrics(whole).size(), 80U);

  FakeRelay first(RelayPath(), Info());
  first.Start();
  {
    Program program(Command(), directory_);
    ASSERT_TRUE(first.Wait([&] { return Metrics(first).size() >= 4; }));
    first.Preempt();
    EXPECT_EQ(program.Wait(), 0) << program.err();
  }
  first.Stop();
  EXPECT_EQ(first.acks(), 1);
  std::vector<std::string> metrics = Metrics(first);
  EXPECT_LT(metrics.size(), 80U);
  const Value last = first.reports().back();
  ASSERT_NE(last.Find("checkpoint"), nullptr) << last.ToJson();

  FakeRelay::Info info = Info();
  info.latest_checkpoint = last.FindPath("checkpoint.uuid")->as_string();
  info.steps_completed = last.FindPath("checkpoint.steps_completed")->as_int();
  FakeRelay second(RelayPath(), info);
  second.Start();
  EXPECT_EQ(Program(Command(), directory_).Wait(), 0);
  second.Stop();
  for (const std::string& line : Metrics(second)) metrics.push_back(line);
  EXPECT_EQ(metrics, Metrics(whole));
}

}  // namespace
}  // namespace det::harness
