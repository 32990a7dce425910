#include "cli/testing/golden.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "common/base/strings.h"

namespace det::cli {
namespace {

// A fake master's port is another one each time.
std::string WithoutPorts(std::string text) {
  constexpr std::string_view kHost = "127.0.0.1:";
  for (size_t at = text.find(kHost); at != std::string::npos; at = text.find(kHost, at)) {
    const size_t port = at + kHost.size();
    const size_t end = std::min(text.find_first_not_of("0123456789", port), text.size());
    text.replace(at, end - at, "MASTER");
  }
  return text;
}

}  // namespace

void ExpectGolden(const std::string& name, std::string text) {
  text = WithoutPorts(std::move(text));
  const std::string path = StrCat(DET_SOURCE_DIR, "/cli/testing/golden/", name, ".txt");
  const char* update = std::getenv("DET_UPDATE_GOLDEN");
  if (update != nullptr && std::string_view(update) == "1") {
    std::ofstream(path, std::ios::binary) << text;
    return;
  }
  std::ifstream file(path, std::ios::binary);
  ASSERT_TRUE(file.good()) << path << " is missing; DET_UPDATE_GOLDEN=1 writes it";
  std::stringstream expected;
  expected << file.rdbuf();
  EXPECT_EQ(expected.str(), text) << "differs from " << path;
}

}  // namespace det::cli
