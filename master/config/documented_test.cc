#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "master/config/experiment_config.h"

// tests/config: a file a topic, and beside it the configuration that takes effect.
namespace det::config {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = fs::path(DET_SOURCE_DIR) / "tests/config";

std::string Read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<fs::path> Files() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// What new experiments may not ask for: searches by length.
bool IsOld(const std::string& name) {
  return name.starts_with("older_");
}

absl::StatusOr<ParsedConfig> Parse(const std::string& text, const std::string& name) {
  return ParseExperimentConfig(
      {.text = text, .name = name, .secret_prefix = "kept", .parse_only = IsOld(name)},
      {.seed = 7, .checkpoint_host_path = "/ckpt"});
}

class Documented : public testing::TestWithParam<fs::path> {};

TEST_P(Documented, TakesEffectAsWritten) {
  const std::string name = GetParam().filename().string();
  const auto parsed = Parse(Read(GetParam()), name);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const std::string effective = spec::ToValue(parsed->spec).ToPrettyJson() + "\n";
  const fs::path beside = fs::path(GetParam()).replace_extension(".effective.json");
  if (std::getenv("DET_UPDATE_GOLDEN") != nullptr) std::ofstream(beside) << effective;
  EXPECT_EQ(effective, Read(beside));
  const auto again = Parse(effective, name);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->spec == parsed->spec);
  std::string fault;
  EXPECT_TRUE(spec::ParseRecorded(spec::ToValue(parsed->spec), &fault) == parsed->spec);
  EXPECT_EQ(fault, "");
}

INSTANTIATE_TEST_SUITE_P(Files, Documented, testing::ValuesIn(Files()), [](const auto& test) {
  return test.param.stem().string();
});

}  // namespace
}  // namespace det::config
