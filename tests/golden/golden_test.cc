#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "tests/golden/repl.h"

// Scripts in tests/golden/core/*.txt: lines that begin with "> " are commands, what follows each is
// what the core answers. DET_UPDATE_GOLDEN=1 writes the answers anew, to be read before a commit.
namespace det::golden {
namespace {

namespace fs = std::filesystem;

std::string ReadAll(const fs::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// The script with every answer replaced by the core's own.
std::string Replay(const std::string& script) {
  Repl repl;
  std::istringstream in(script);
  std::string out;
  for (std::string line; std::getline(in, line);) {
    const bool command = line.starts_with("> ");
    if (!command && !line.empty() && line[0] != '#') continue;
    out += line + "\n";
    if (!command) continue;
    const std::string answer = repl.Run(line.substr(2));
    if (!answer.empty()) out += answer + "\n";
  }
  return out;
}

class Golden : public testing::TestWithParam<fs::path> {};

TEST_P(Golden, AnswersAreAsWritten) {
  const std::string script = ReadAll(GetParam());
  const std::string replayed = Replay(script);
  if (std::getenv("DET_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(GetParam()) << replayed;
  } else {
    EXPECT_EQ(replayed, script);
  }
}

std::vector<fs::path> Scripts() {
  std::vector<fs::path> scripts;
  for (const auto& entry : fs::directory_iterator(DET_SOURCE_DIR "/tests/golden/core")) {
    scripts.push_back(entry.path());
  }
  std::sort(scripts.begin(), scripts.end());
  return scripts;
}

std::string NameOf(const testing::TestParamInfo<fs::path>& script) {
  return script.param.stem().string();
}

INSTANTIATE_TEST_SUITE_P(Core, Golden, testing::ValuesIn(Scripts()), NameOf);

}  // namespace
}  // namespace det::golden
