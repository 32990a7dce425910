#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>

#include "common/base/strings.h"
#include "common/json/json.h"

// The examples without a library, run by hand: what they print are reports as the trial contract
// has them.
namespace det {
namespace {

struct Output {
  int status = -1;
  std::vector<std::string> lines;
};

Output RunScript(const std::string& command) {
  const std::string all =
      StrCat("cd ", DET_SOURCE_DIR, "/examples/anyprogram && ", command, " 2>/dev/null");
  Output output;
  FILE* pipe = popen(all.c_str(), "r");
  if (pipe == nullptr) return output;
  char line[4096];
  while (std::fgets(line, sizeof(line), pipe) != nullptr) output.lines.emplace_back(line);
  output.status = pclose(pipe);
  return output;
}

// The numbers at `path` in the reports.
std::vector<double> Reported(const Output& output, std::string_view path) {
  std::vector<double> values;
  for (const std::string& line : output.lines) {
    if (!line.starts_with(R"({"det":)")) continue;
    const absl::StatusOr<Value> report = ParseJson(line);
    EXPECT_TRUE(report.ok()) << line;
    if (!report.ok()) continue;
    const Value* value = report->FindPath(path);
    if (value != nullptr && value->is_number()) values.push_back(value->as_number());
  }
  return values;
}

void ExpectLearns(const Output& output, size_t validations) {
  EXPECT_EQ(output.status, 0);
  const std::vector<double> losses = Reported(output, "det.validation.loss");
  ASSERT_EQ(losses.size(), validations);
  EXPECT_LT(losses.back(), losses.front());
  EXPECT_EQ(Reported(output, "det.progress").back(), 1.0);
  EXPECT_FALSE(Reported(output, "det.training.loss").empty());
  EXPECT_FALSE(Reported(output, "det.steps").empty());
}

TEST(AnyProgram, Shell) {
  ExpectLearns(RunScript("HP_MOMENTUM=0.5 sh train.sh --lr 0.05"), 4);
  const Output output = RunScript("sh train.sh --lr 0.05 --nonsense");
  EXPECT_EQ(WEXITSTATUS(output.status), 2);
}

TEST(AnyProgram, Python) {
  if (std::system("python3 --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "there is no python3";
  const std::string file = testing::TempDir() + "/anyprogram-hparams.json";
  std::ofstream(file) << R"({"lr": 0.1, "momentum": 0.5, "model": {"noise": 0.2}})";
  const std::string command =
      StrCat("DET_HPARAMS_FILE=", file, " HP_MOMENTUM=0.5 DET_TRIAL_SEED=3 python3 train.py --lr ");
  ExpectLearns(RunScript(command + "0.1"), 5);
  EXPECT_EQ(RunScript(command + "0.1").lines, RunScript(command + "0.1").lines);
  EXPECT_EQ(RunScript(command + "1e60").status, 0);  // it diverges, and says so
}

}  // namespace
}  // namespace det
