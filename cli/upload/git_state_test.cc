#include "cli/upload/git_state.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/time/clock.h"
#include <gtest/gtest.h>

#include "cli/testing/temp_dir.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

namespace fs = std::filesystem;

const std::string kCommit = "0123456789abcdef0123456789abcdef01234567";

class GitStateTest : public testing::Test {
 protected:
  void Write(const std::string& name, const std::string& text) const {
    const fs::path path = root_ / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  std::optional<GitState> Read(const std::string& path = "/nowhere") const {
    return ReadGitState((root_ / "work/model").string(), path);
  }
  void MakeWork() const { fs::create_directories(root_ / "work/model"); }

  TempDir dir_;
  const fs::path root_ = dir_.path();
};

TEST_F(GitStateTest, OutsideOfAWorkTreeThereIsNone) {
  MakeWork();
  // Whatever the temporary directory itself is in.
  Write("work/.git", "nothing that git wrote");
  EXPECT_FALSE(Read().has_value());
}

TEST_F(GitStateTest, ABranchIsFoundLooseOrPacked) {
  MakeWork();
  Write("work/.git/HEAD", "ref: refs/heads/feature/x\n");
  EXPECT_FALSE(Read().has_value());  // no commit yet
  Write("work/.git/packed-refs",
        StrCat("# pack-refs with: peeled\n",
               std::string(40, 'b'),
               " refs/heads/feature/xy\n",
               kCommit,
               " refs/heads/feature/x\n"));
  ASSERT_TRUE(Read().has_value());
  EXPECT_EQ(Read()->commit, kCommit);
  EXPECT_EQ(Read()->branch, "feature/x");
  EXPECT_TRUE(Read()->dirty);  // nobody could be asked
  Write("work/.git/refs/heads/feature/x", std::string(40, 'c') + "\n");
  EXPECT_EQ(Read()->commit, std::string(40, 'c'));
}

TEST_F(GitStateTest, ADetachedHeadHasNoBranch) {
  MakeWork();
  Write("work/.git/HEAD", kCommit + "\n");
  ASSERT_TRUE(Read().has_value());
  EXPECT_EQ(Read()->branch, "");
}

TEST_F(GitStateTest, ALinkedWorkTreeIsFollowed) {
  MakeWork();
  Write("main/.git/worktrees/w/HEAD", "ref: refs/heads/side\n");
  Write("main/.git/worktrees/w/commondir", "../..\n");
  Write("main/.git/refs/heads/side", kCommit + "\n");
  Write("work/.git", StrCat("gitdir: ", (root_ / "main/.git/worktrees/w").string(), "\n"));
  ASSERT_TRUE(Read().has_value());
  EXPECT_EQ(Read()->commit, kCommit);
  EXPECT_EQ(Read()->branch, "side");
}

TEST_F(GitStateTest, ARefThatLeadsOutIsNotFollowed) {
  MakeWork();
  Write("secret", kCommit + "\n");
  Write("work/.git/HEAD", "ref: refs/../../../secret\n");
  EXPECT_FALSE(Read().has_value());
  Write("work/.git/HEAD", "ref: refs/heads/a\n");
  Write("work/.git/refs/heads/a", "ref: refs/heads/a\n");
  EXPECT_FALSE(Read().has_value());  // it names itself
}

TEST_F(GitStateTest, TheProgramSaysWhetherSomethingDiffers) {
  MakeWork();
  Write("work/.git/HEAD", kCommit + "\n");
  const auto with = [&](const std::string& script) {
    Write("bin/git", StrCat("#!/bin/sh\n", script, "\n"));
    fs::permissions(root_ / "bin/git", fs::perms::owner_all);
    return ReadGitState((root_ / "work/model").string(),
                        StrCat((root_ / "bin").string(), ":/usr/bin:/bin"),
                        absl::Seconds(20));
  };
  EXPECT_FALSE(with("exit 0")->dirty);
  EXPECT_TRUE(with("echo ' M a.py'")->dirty);
  EXPECT_TRUE(with("exit 128")->dirty);
}

TEST_F(GitStateTest, AProgramThatHangsIsNotWaitedFor) {
  MakeWork();
  Write("work/.git/HEAD", kCommit + "\n");
  Write("bin/git", "#!/bin/sh\nexec sleep 1000\n");
  fs::permissions(root_ / "bin/git", fs::perms::owner_all);
  const absl::Time start = absl::Now();
  const auto state = ReadGitState((root_ / "work/model").string(),
                                  StrCat((root_ / "bin").string(), ":/usr/bin:/bin"),
                                  absl::Milliseconds(200));
  EXPECT_TRUE(state->dirty);
  EXPECT_LT(absl::Now() - start, absl::Seconds(100));
}

}  // namespace
}  // namespace det::cli
