#include "cli/download/copy_tree.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "cli/testing/temp_dir.h"
#include "common/base/status.h"

namespace det::cli {
namespace {

using testing::HasSubstr;

size_t EntriesIn(const std::string& directory) {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory)) ++count;
  return count;
}

class CopyTreeTest : public testing::Test {
 protected:
  CopyTreeTest() {
    dir_.Write("from/model.pt", std::string(3 << 20, 'm'));
    dir_.Write("from/sub/state.json", "{}");
    std::filesystem::create_symlink("sub/state.json", dir_.File("from/latest"));
  }

  TempDir dir_;
};

TEST_F(CopyTreeTest, CopiesAll) {
  int64_t last = 0;
  CopyOptions options{.expected = {{"model.pt", 3 << 20}, {"sub/state.json", 2}}};
  options.progress = [&](int64_t bytes) {
    EXPECT_GE(bytes, last);
    last = bytes;
    return true;
  };
  const auto copied = CopyTree(dir_.File("from"), dir_.File("new/place"), options);
  ASSERT_TRUE(copied.ok()) << copied.status();
  EXPECT_EQ(copied->files, 2);
  EXPECT_EQ(copied->bytes, (3 << 20) + 2);
  EXPECT_EQ(last, copied->bytes);
  EXPECT_EQ(ReadAll(dir_.File("new/place/model.pt")), std::string(3 << 20, 'm'));
  EXPECT_EQ(ReadAll(dir_.File("new/place/latest")), "{}");
  EXPECT_EQ(EntriesIn(dir_.File("new")), 1U);
  struct stat info = {};
  ASSERT_EQ(stat(dir_.File("new/place").c_str(), &info), 0);
  EXPECT_NE(info.st_mode & 0077, 0U);  // as open as other new directories
}

TEST_F(CopyTreeTest, StopsWithoutATrace) {
  const auto copied =
      CopyTree(dir_.File("from"), dir_.File("to"), {.progress = [](int64_t) { return false; }});
  EXPECT_TRUE(absl::IsCancelled(copied.status()));
  EXPECT_EQ(EntriesIn(dir_.path()), 1U);
}

TEST_F(CopyTreeTest, RefusesADamagedSource) {
  const auto missing = CopyTree(dir_.File("from"), dir_.File("to"), {.expected = {{"gone", 1}}});
  EXPECT_THAT(missing.status().message(), HasSubstr("gone is missing"));
  const auto shorter =
      CopyTree(dir_.File("from"), dir_.File("to"), {.expected = {{"sub/state.json", 3}}});
  EXPECT_THAT(shorter.status().message(), HasSubstr("has 2 bytes instead of 3"));
  EXPECT_EQ(EntriesIn(dir_.path()), 1U);
}

TEST_F(CopyTreeTest, RefusesAPlaceThatIsTaken) {
  dir_.Write("taken/file", "");
  const auto taken = CopyTree(dir_.File("from"), dir_.File("taken"), {});
  EXPECT_EQ(ErrorReason(taken.status()), "DESTINATION_EXISTS");
  std::filesystem::create_directory(dir_.File("empty"));
  EXPECT_TRUE(CopyTree(dir_.File("from"), dir_.File("empty"), {}).ok());
  std::filesystem::create_symlink("nowhere", dir_.File("dangling"));
  EXPECT_FALSE(CopyTree(dir_.File("from"), dir_.File("dangling"), {}).ok());
}

TEST_F(CopyTreeTest, RefusesLinksThatLeadOut) {
  std::filesystem::create_symlink("/etc/passwd", dir_.File("from/passwd"));
  const auto copied = CopyTree(dir_.File("from"), dir_.File("to"), {});
  EXPECT_THAT(copied.status().message(), HasSubstr("/etc/passwd"));
  EXPECT_EQ(EntriesIn(dir_.path()), 1U);
}

}  // namespace
}  // namespace det::cli
