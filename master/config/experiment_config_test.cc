#include "master/config/experiment_config.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>

#include <gtest/gtest.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/config/yaml.h"
#include "common/rng/counter_rng.h"

namespace det::config {
namespace {

namespace fs = std::filesystem;

const spec::ParseDefaults kDefaults{.seed = 7, .checkpoint_host_path = "/ckpt"};
#ifdef __SANITIZE_THREAD__
constexpr double kPatienceMs = 20000;
#else
constexpr double kPatienceMs = 2000;
#endif
const fs::path kGolden = fs::path(DET_SOURCE_DIR) / "tests/golden/config";

constexpr char kMinimal[] = "entrypoint: ./train\nsearcher: {name: single, metric: loss}\n";

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Files of versions before 0.38 are named so.
absl::StatusOr<ParsedConfig> ParseFile(const fs::path& path) {
  const std::string name = path.filename().string();
  return ParseExperimentConfig(
      {.text = ReadFile(path), .name = name, .parse_only = name.starts_with("older_")}, kDefaults);
}

absl::StatusOr<ParsedConfig> Parse(std::string text, std::vector<std::string> overrides = {}) {
  return ParseExperimentConfig({std::move(text), "t.yaml", std::move(overrides)}, kDefaults);
}

// What is told: the errors, or else the warnings.
std::string Told(const absl::StatusOr<ParsedConfig>& parsed) {
  if (parsed.ok()) return StrJoin(parsed->warnings, "\n");
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorReason(parsed.status()), "INVALID_CONFIG");
  return std::string(parsed.status().message());
}

std::vector<fs::path> YamlFiles(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// Compares with the file beside it. DET_UPDATE_GOLDEN=1 writes the file instead, to be read over
// before it is kept.
void ExpectGolden(const fs::path& path, const std::string& actual) {
  const std::string text = actual.empty() ? "" : actual + "\n";
  if (std::getenv("DET_UPDATE_GOLDEN") != nullptr) std::ofstream(path, std::ios::binary) << text;
  EXPECT_EQ(text, ReadFile(path)) << path;
}

class GoldenConfig : public testing::TestWithParam<fs::path> {};

std::string TestName(const testing::TestParamInfo<fs::path>& info) {
  return info.param.stem().string();
}

TEST_P(GoldenConfig, ParsesWithTheExpectedWarnings) {
  const absl::StatusOr<ParsedConfig> parsed = ParseFile(GetParam());
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  ExpectGolden(fs::path(GetParam()).replace_extension(".warnings"),
               StrJoin(parsed->warnings, "\n"));
  // The effective configuration says the same as the file.
  const absl::StatusOr<ParsedConfig> again = ParseExperimentConfig(
      {.text = ToValue(parsed->spec).ToJson(), .parse_only = true}, kDefaults);
  ASSERT_TRUE(again.ok()) << again.status().message();
  EXPECT_TRUE(again->spec == parsed->spec) << ToValue(parsed->spec).ToPrettyJson();
}
INSTANTIATE_TEST_SUITE_P(Files, GoldenConfig, testing::ValuesIn(YamlFiles(kGolden)), TestName);

class BadGoldenConfig : public testing::TestWithParam<fs::path> {};
TEST_P(BadGoldenConfig, IsRefusedWithTheExpectedErrors) {
  const absl::StatusOr<ParsedConfig> parsed = ParseFile(GetParam());
  ASSERT_FALSE(parsed.ok());
  ExpectGolden(fs::path(GetParam()).replace_extension(".errors"), Told(parsed));
}
INSTANTIATE_TEST_SUITE_P(Files,
                         BadGoldenConfig,
                         testing::ValuesIn(YamlFiles(kGolden / "bad")),
                         TestName);

TEST(ExperimentConfig, ReadsWhatIsWritten) {
  const absl::StatusOr<ParsedConfig> parsed = Parse(ReadFile(kGolden / "every_key.yaml"));
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  const spec::ExperimentSpec& spec = parsed->spec;
  EXPECT_EQ(spec.name, "every key");
  EXPECT_EQ(spec.description, "More than one line,\nas it stands.\n");
  EXPECT_EQ(spec.entrypoint, (std::vector<std::string>{"python3", "-m", "train", "--fast"}));
  EXPECT_FALSE(spec.entrypoint_is_shell);
  EXPECT_EQ(spec.data.Find("shuffle")->as_string(), "yes");
  EXPECT_EQ(spec.searcher.source_trial_id, 17);
  EXPECT_FALSE(spec.searcher.smaller_is_better);
  EXPECT_EQ(spec.resources.slots_per_trial, 4);
  EXPECT_EQ(spec.resources.priority, 7);
  EXPECT_EQ(spec.environment.rocm,
            (std::vector<std::string>{"DATA_DIR=/data", "EMPTY=", "UNSET", "EQUATION=a=b"}));
  EXPECT_EQ(spec.checkpoint_storage.Directory(), "/checkpoints/digits/big");
  EXPECT_EQ(spec.checkpoint_storage.save_trial_latest, 3);
  EXPECT_EQ(spec.preemption_timeout_seconds, 600);
  EXPECT_EQ(spec.seed, 4294967295U);
}

TEST(ExperimentConfig, MarksAndLineEndsOfOtherSystems) {
  const auto parsed = Parse(
      "\xEF\xBB\xBF"
      "entrypoint: ./train\r\nsearcher:\r\n  name: single\r\n"
      "  metric: loss\r\nslurm: {gpu_type: a}\r\n");
  EXPECT_EQ(Told(parsed),
            R"(t.yaml:5:8: warning: slurm: is accepted but has no effect in this version
    5 | slurm: {gpu_type: a}
      |        ^)");
}

TEST(Overrides, GoOverTheFile) {
  const auto parsed = Parse(kMinimal,
                            {"searcher={name: random, metric: m, max_trials: 2}",
                             "searcher.max_trials=8",
                             "hyperparameters.optimizer.lr=1e-3",
                             "hyperparameters.optimizer.name=adam",
                             "name=a=b c",
                             "max_restarts=",
                             "entrypoint=[a, \"b c\"]"});
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  EXPECT_EQ(std::get<spec::RandomSpec>(parsed->spec.searcher.method).max_trials, 8);
  EXPECT_EQ(
      spec::HparamsToValue(parsed->spec.hparams).ToJson(),
      R"({"optimizer":{"lr":{"type":"const","val":0.001},"name":{"type":"const","val":"adam"}}})");
  EXPECT_EQ(parsed->spec.name, "a=b c");
  EXPECT_EQ(parsed->spec.max_restarts, 5);
  EXPECT_EQ(parsed->spec.entrypoint, (std::vector<std::string>{"a", "b c"}));
}

TEST(Overrides, AreEnoughWithoutAFile) {
  const auto parsed =
      Parse("", {"entrypoint=./train", "searcher.name=single", "searcher.metric=m"});
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  EXPECT_EQ(Told(Parse("", {"entrypoint=./train", "searcher.name=single"})),
            "--config searcher.name=single: error: searcher: the key \"metric\" is required");
}

TEST(Overrides, BadOnesAreNamed) {
  EXPECT_EQ(Told(Parse(kMinimal,
                       {"max_restarts",
                        "=1",
                        "a..b=1",
                        ".a=1",
                        "a.=1",
                        "name=[1",
                        "name=!x y",
                        "name.x.y=1",
                        "\xff=1",
                        "searcher.metric.x=1",
                        "name=\x01"})),
            R"(--config max_restarts: error: has no "="
hint: write path=value, as in searcher.max_trials=8
--config =1: error: the path has an empty key
hint: write path=value, as in searcher.max_trials=8
--config a..b=1: error: the path has an empty key
hint: write path=value, as in searcher.max_trials=8
--config .a=1: error: the path has an empty key
hint: write path=value, as in searcher.max_trials=8
--config a.=1: error: the path has an empty key
hint: write path=value, as in searcher.max_trials=8
--config name=[1: error: this list is not closed
hint: add "," between its items and "]" at its end; put other text in quotes
--config name=!x y: error: the tag !x is not allowed here
hint: only !!str, !!int, !!float, !!bool, !!null, !!map and !!seq are known
--config \xFF=1: error: the path is no UTF-8 text
hint: write path=value, as in searcher.max_trials=8
--config name=\x01: error: the control character \x01 is not allowed
--config searcher.metric.x=1: error: searcher.metric is a string, not a map)");
}

TEST(Overrides, ProblemsOfTheirValuesAreTheirs) {
  EXPECT_EQ(Told(Parse("entrypoint: ./train\nsearcher: {name: random, metric: loss}\nx: 1\n",
                       {"max_restart=3",
                        "searcher.max_trials=many",
                        "resources.slots=2",
                        "hyperparameters={a: {type: int, minval: 3, maxval: 1}}"})),
            R"(t.yaml:3:1: error: unknown key "x"
    3 | x: 1
      | ^
--config hyperparameters={a: {type: int, minval: 3, maxval: 1}}: error: hyperparameters.a.minval: is 3, must be less than maxval (1)
--config searcher.max_trials=many: error: searcher.max_trials: must be a whole number, not a string
--config resources.slots=2: error: resources.slots: is not for experiments
hint: use resources.slots_per_trial
--config max_restart=3: error: unknown key "max_restart"
hint: did you mean "max_restarts"?)");
  EXPECT_EQ(Told(Parse(kMinimal, {"resources.shm_size=4g"})),
            "--config resources.shm_size=4g: warning: resources.shm_size: is accepted but has no "
            "effect in this version");
}

TEST(Overrides, AreBounded) {
  EXPECT_EQ(Told(Parse(kMinimal, std::vector<std::string>(257, "name=x"))),
            "--config: error: is given more than 256 times");
  EXPECT_EQ(Told(Parse(kMinimal, {"name=" + std::string(300000, 'x')})).substr(0, 99),
            "--config name=" + std::string(75, 'x') + "...: error");
  std::string deep = "a";
  for (int i = 0; i < 50; ++i) deep += ".a";
  EXPECT_NE(Told(Parse(kMinimal, {deep + "=1"})).find("the path has more than 50 keys"),
            std::string::npos);
}

TEST(ExperimentConfig, ErrorsAreBounded) {
  std::string text = kMinimal;
  for (int i = 0; i < 5000; ++i) StrAppend(text, std::string(30, 'k'), i, ": 1\n");
  const std::string told = Told(Parse(text));
  EXPECT_LT(told.size(), 6100U);
  EXPECT_NE(told.find("and 180 more errors"), std::string::npos) << told;
  std::string wide = "entrypoint: ./train\nsearcher: {name: single, metric: loss}\n";
  for (int i = 0; i < 100; ++i) StrAppend(wide, "? ", std::string(1200, 'k'), i, "\n: 1\n");
  EXPECT_LT(Told(Parse(wide)).size(), 6100U);
}

double CpuMilliseconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

std::string Many(int count, const std::function<std::string(int)>& line) {
  std::string out;
  for (int i = 0; i < count; ++i) out += line(i);
  return out;
}

TEST(ExperimentConfig, WhatLinuxCantStartIsRefusedWhereItStands) {
  const std::string searcher = "searcher: {name: single, metric: loss}\n";
  const auto begins = [](const std::string& text, const std::string& line) {
    EXPECT_EQ(Told(Parse(text)).substr(0, line.size()), line);
  };
  begins(
      StrCat(searcher, "entrypoint: ", std::string(131072, 'x'), "\n"),
      "t.yaml:2:13: error: entrypoint: is up to 131072 bytes with hyperparameters in it, at most "
      "131071 are allowed");
  begins(StrCat(searcher,
                "entrypoint: x\nenvironment:\n  environment_variables: [\"A=",
                std::string(131070, 'x'),
                "\"]\n"),
         "t.yaml:4:26: error: environment.environment_variables: has the variable \"A\" of 131072 "
         "bytes, at most 131071 are allowed");
}

// As in yaml_test, with room for sanitizers: what passes the reader must not cost much later.
TEST(ExperimentConfig, HostileConfigurationsEndSoon) {
  const std::string texts[] = {
      Many(20000, [](int i) { return StrCat("max_rest", i, ": 1\n"); }),
      "hyperparameters:\n" +
          Many(6000,
               [](int i) {
                 return StrCat(" p", i, ": {type: int, minval: 0, maxval: 1, when: {q: [1]}}\n");
               }),
      "hyperparameters:\n" +
          Many(6000, [](int i) { return StrCat(" p", i, ": {tpe: int, type: itn}\n"); }),
      "data:\n ? " + std::string(100000, 'x') + "\n : [" +
          Many(40000, [](int) { return ".nan,"; }) + "]\n",
      "data: {" + Many(20000, [](int i) { return StrCat("k", i, ": \"\\0\","); }) + "}\n",
      "data:\n" +
          Many(100, [](int i) { return StrCat(" ? ", std::string(1000, '.'), i, "\n : .nan\n"); }),
      "environment: {environment_variables: [" + Many(20000, [](int) { return "=1,"; }) + "]}\n",
      "entrypoint: [" + Many(30000, [](int) { return "\"\\0\","; }) + "]\n",
      "hyperparameters: {a: {type: categorical, vals: [" +
          Many(30000, [](int) { return ".inf,"; }) + "]}}\n",
  };
  for (const std::string& text : texts) {
    const double begin = CpuMilliseconds();
    const absl::StatusOr<ParsedConfig> parsed = Parse(text);
    EXPECT_FALSE(parsed.ok());
    EXPECT_LT(parsed.status().message().size(), 6100U);
    EXPECT_LT(CpuMilliseconds() - begin, kPatienceMs) << text.substr(0, 40);
  }
}

// Draws in order from one stream.
class Draws {
 public:
  explicit Draws(uint64_t stream) : rng_(20220623, stream) {}
  size_t Below(size_t n) { return rng_.Below(n, index_++); }

 private:
  CounterRng rng_;
  uint64_t index_ = 0;
};

// One change of the kind that fuzzers make: a byte, a piece gone, twice or from elsewhere, or a
// token that means something to YAML.
void Mutate(Draws& draws, const std::vector<std::string>& corpus, std::string* text) {
  static constexpr std::string_view kTokens[] = {"[",       "]",
                                                 "{",       "}",
                                                 ": ",      "- ",
                                                 "? ",      ", ",
                                                 "\n",      "\n  ",
                                                 "\t",      "#",
                                                 "'",       "\"",
                                                 "&a ",     "*a",
                                                 "<<: ",    "!!str ",
                                                 "!x ",     "|\n",
                                                 ">-\n",    "---\n",
                                                 "...\n",   "%",
                                                 "~",       ".nan",
                                                 ".inf",    "-1",
                                                 "1e999",   "99999999999999999999",
                                                 "\\u0000", "\\ud83d\\ude00",
                                                 "\r\n",    "\xC3\xA9",
                                                 "\xff",    "\x01",
                                                 "null",    "type: ",
                                                 "when: ",  "vals: "};
  const size_t at = draws.Below(text->size() + 1);
  const size_t length = std::min(draws.Below(40), text->size() - at);
  switch (draws.Below(6)) {
    case 0:
      if (at < text->size()) (*text)[at] = static_cast<char>(draws.Below(256));
      break;
    case 1:
      text->erase(at, length);
      break;
    case 2:
      text->insert(at, text->substr(at, length));
      break;
    case 3: {
      const std::string& other = corpus[draws.Below(corpus.size())];
      const size_t from = draws.Below(other.size() + 1);
      text->insert(at, other.substr(from, draws.Below(200)));
      break;
    }
    default:
      text->insert(at, kTokens[draws.Below(std::size(kTokens))]);
  }
}

TEST(ExperimentConfig, MutatedFilesNeverCrashOrHang) {
  std::vector<std::string> corpus;
  for (const fs::path& folder : {kGolden, kGolden / "bad"}) {
    for (const fs::path& path : YamlFiles(folder)) corpus.push_back(ReadFile(path));
  }
  constexpr uint64_t kRounds = 20000;
  uint64_t accepted = 0;
  double slowest = 0;
  for (uint64_t round = 0; round < kRounds; ++round) {
    Draws draws(round);
    std::string text = corpus[draws.Below(corpus.size())];
    const size_t changes = 1 + draws.Below(3);
    for (size_t i = 0; i < changes; ++i) Mutate(draws, corpus, &text);
    const double begin = CpuMilliseconds();
    const absl::StatusOr<ParsedConfig> parsed = Parse(text, {text.substr(0, draws.Below(60))});
    const absl::StatusOr<ParsedConfig> alone = Parse(text);
    slowest = std::max(slowest, CpuMilliseconds() - begin);
    if (!alone.ok()) {
      EXPECT_EQ(ErrorReason(alone.status()), "INVALID_CONFIG");
      continue;
    }
    ++accepted;
    const absl::StatusOr<ParsedConfig> again = Parse(ToValue(alone->spec).ToJson());
    ASSERT_TRUE(again.ok()) << again.status().message() << "\n" << text;
    ASSERT_TRUE(again->spec == alone->spec) << text;
  }
  EXPECT_LT(slowest, 2000);
  EXPECT_GT(accepted, kRounds / 50);
}

}  // namespace
}  // namespace det::config
