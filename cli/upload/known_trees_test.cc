#include "cli/upload/known_trees.h"

#include <filesystem>
#include <fstream>

#include "absl/time/clock.h"
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "cli/testing/temp_dir.h"
#include "cli/upload/pack.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

namespace fs = std::filesystem;

class KnownTreesTest : public testing::Test {
 protected:
  KnownTreesTest() {
    fs::create_directory(model_);
    Write("a.py", "one");
    Write("b.py", "two");
  }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(model_ + "/" + name) << text;
  }
  std::vector<TreeEntry> Walk(std::string* rules) const {
    const auto read = ReadRules(model_, rules);
    return *WalkTree(model_, *read);
  }
  std::string Print() const {
    std::string rules;
    const std::vector<TreeEntry> entries = Walk(&rules);
    return Fingerprint(entries, rules);
  }
  void Keep(absl::Time now) const {
    std::string rules;
    const std::vector<TreeEntry> entries = Walk(&rules);
    known_.Keep(model_, entries, Fingerprint(entries, rules), {sha_, 2, 6}, now);
  }

  TempDir dir_;
  const std::string model_ = StrCat(dir_.path(), "/model");
  const std::string folder_ = StrCat(dir_.path(), "/cache/det/trees");
  const std::string sha_ = std::string(64, 'a');
  const KnownTrees known_{folder_};
};

TEST_F(KnownTreesTest, AnUnchangedDirectoryIsKnown) {
  EXPECT_FALSE(known_.Find(model_, Print()).has_value());
  Keep(absl::Now() + absl::Hours(1));
  const auto found = known_.Find(model_, Print());
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->sha256, sha_);
  EXPECT_EQ(found->files, 2);
  EXPECT_EQ(found->bytes, 6);
  EXPECT_TRUE(known_.Find(model_ + "/../model", Print()).has_value());
}

TEST_F(KnownTreesTest, AnyChangeMakesItUnknown) {
  Keep(absl::Now() + absl::Hours(1));
  const std::string before = Print();
  // The same size and, on purpose, the same time of modification: the time of change tells.
  struct stat info {};
  ASSERT_EQ(stat((model_ + "/a.py").c_str(), &info), 0);
  Write("a.py", "eno");
  const timespec times[2] = {info.st_atim, info.st_mtim};
  ASSERT_EQ(utimensat(AT_FDCWD, (model_ + "/a.py").c_str(), times, 0), 0);
  EXPECT_NE(Print(), before);
  const std::string changed = Print();
  fs::permissions(model_ + "/a.py", fs::perms::owner_all);
  EXPECT_NE(Print(), changed);
  const std::string mode = Print();
  Write(".detignore", "b.py\n");
  EXPECT_NE(Print(), mode);
  EXPECT_FALSE(known_.Find(model_, Print()).has_value());
}

TEST_F(KnownTreesTest, WhatChangedJustNowIsNotKept) {
  Keep(absl::Now());
  EXPECT_FALSE(known_.Find(model_, Print()).has_value());
}

TEST_F(KnownTreesTest, ADamagedFileIsNoHarm) {
  Keep(absl::Now() + absl::Hours(1));
  const fs::path file = fs::directory_iterator(folder_)->path();
  std::ifstream in(file);
  const std::string whole((std::istreambuf_iterator<char>(in)), {});
  for (size_t cut = 0; cut < whole.size() - 1; ++cut) {
    std::ofstream(file) << whole.substr(0, cut);
    EXPECT_FALSE(known_.Find(model_, Print()).has_value()) << cut;
  }
  std::ofstream(file) << std::string(100'000, 'x');
  EXPECT_FALSE(known_.Find(model_, Print()).has_value());
  EXPECT_FALSE(KnownTrees("").Find(model_, Print()).has_value());
  EXPECT_FALSE(KnownTrees("/proc/none").Find(model_, Print()).has_value());
}

}  // namespace
}  // namespace det::cli
