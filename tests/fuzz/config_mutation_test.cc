#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/rng/counter_rng.h"
#include "tests/fuzz/config_input.h"

// The fuzzer's promises on inputs that are the same in every run.
namespace det::fuzz {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> Corpus() {
  std::vector<fs::path> paths;
  const fs::path tests = fs::path(DET_SOURCE_DIR) / "tests";
  for (const char* folder : {"config", "golden/config", "golden/config/bad"}) {
    for (const auto& entry : fs::directory_iterator(tests / folder)) {
      if (entry.path().extension() == ".yaml") paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> texts;
  for (const fs::path& path : paths) {
    std::ifstream file(path, std::ios::binary);
    texts.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return texts;
}

// Lines go from one file to another, are cut, doubled and joined as overrides; bytes change.
std::string Mutated(const std::vector<std::string>& corpus, uint64_t round) {
  const CounterRng rng(20250319, round);
  uint64_t draws = 0;
  const auto below = [&](size_t n) { return static_cast<size_t>(rng.Below(n, draws++)); };
  std::string text = corpus[below(corpus.size())];
  for (size_t changes = 1 + below(4); changes > 0; --changes) {
    const std::string& other = corpus[below(corpus.size())];
    const size_t at = below(text.size() + 1);
    const size_t from = other.find('\n', below(other.size() + 1));
    const std::string line = from == std::string::npos ? "" : other.substr(from, below(120));
    switch (below(5)) {
      case 0:
        if (at < text.size()) text[at] = static_cast<char>(below(256));
        break;
      case 1:
        text.erase(at, below(30));
        break;
      case 2:
        text += line;
        break;
      case 3:
        text += std::string(1, '\0') + line;
        break;
      default:
        text.insert(std::min(text.find('\n', at), text.size()), line);
    }
  }
  return text;
}

TEST(ConfigFuzz, PromisesHoldForMutatedFiles) {
  const std::vector<std::string> corpus = Corpus();
  ASSERT_FALSE(corpus.empty());
  for (const std::string& text : corpus) TryConfig(text);
  for (uint64_t round = 0; round < 3000; ++round) TryConfig(Mutated(corpus, round));
}

}  // namespace
}  // namespace det::fuzz
