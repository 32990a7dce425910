#include "common/os/fs.h"

#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/lock_file.h"
#include "common/os/os_error.h"
#include "common/os/testing.h"

namespace det {
namespace {

using ::testing::HasSubstr;
using testing::TempDir;

bool Exists(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}
mode_t ModeOf(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
}
std::string Text(const absl::Status& status) {
  return std::string(status.message());
}

TEST(OsError, NamesOperationPathAndReason) {
  const absl::Status status = OsError(ENOSPC, "write", "/a/b");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(status.message(), "cannot write /a/b: No space left on device");
  EXPECT_EQ(ErrorReason(status), "DISK_FULL");
  EXPECT_TRUE(IsDiskFull(status));
  EXPECT_FALSE(IsDiskFull(OsError(EIO, "write", "/a/b")));
  EXPECT_EQ(OsError(ENOTTY, "ask", "x").code(), absl::StatusCode::kInternal);
}

TEST(Fs, ReadsWhatIsThereAndNoMore) {
  const TempDir dir;
  EXPECT_TRUE(absl::IsNotFound(ReadFile(dir / "none", 10).status()));
  ASSERT_TRUE(AtomicWriteFile(dir / "a", std::string(10'000, 'x'), 0640).ok());
  EXPECT_EQ(ReadFile(dir / "a", 10'000)->size(), 10'000);
  const absl::Status status = ReadFile(dir / "a", 9'999).status();
  EXPECT_EQ(ErrorReason(status), "FILE_TOO_LARGE");
  EXPECT_THAT(Text(status), HasSubstr(dir / "a"));
  EXPECT_FALSE(ReadFile(dir.path(), 10).ok());
  EXPECT_FALSE(ReadFile("/proc/self/stat", 4096)->empty());
}

TEST(Fs, WritesAtomicallyWithMode) {
  const TempDir dir;
  const mode_t before = ::umask(077);
  EXPECT_TRUE(AtomicWriteFile(dir / "a", "one", 0644).ok());
  ::umask(before);
  EXPECT_EQ(ModeOf(dir / "a"), 0644);
  EXPECT_TRUE(AtomicWriteFile(dir / "a", "two", 0600).ok());
  EXPECT_EQ(ModeOf(dir / "a"), 0600);
  EXPECT_EQ(*ReadFile(dir / "a", 10), "two");
  // A name as long as a name may be.
  const std::string longest = dir / std::string(255, 'n');
  EXPECT_TRUE(AtomicWriteFile(longest, "x", 0600).ok());
  EXPECT_EQ(*ReadFile(longest, 10), "x");
  // A directory in the way: the error names it and nothing is left behind.
  ASSERT_TRUE(MakeDirs(dir / "d/e", 0755).ok());
  EXPECT_THAT(Text(AtomicWriteFile(dir / "d", "x", 0600)), HasSubstr(dir / "d"));
  ASSERT_TRUE(RemoveTree(dir / "d").ok());
  ASSERT_TRUE(RemoveTree(longest).ok());
  ASSERT_TRUE(RemoveTree(dir / "a").ok());
  EXPECT_EQ(::rmdir(dir.path().c_str()), 0);
}

TEST(Fs, ReadersNeverSeeHalfAFile) {
  const TempDir dir;
  const std::string path = dir / "a";
  ASSERT_TRUE(AtomicWriteFile(path, std::string(5000, '0'), 0600).ok());
  std::thread writer([&] {
    for (int i = 1; i < 200; ++i) {
      const char c = static_cast<char>('0' + i % 10);
      EXPECT_TRUE(AtomicWriteFile(path, std::string(static_cast<size_t>(5000 + i), c), 0600).ok());
    }
  });
  for (int i = 0; i < 2000; ++i) {
    const absl::StatusOr<std::string> content = ReadFile(path, 10'000);
    ASSERT_TRUE(content.ok());
    ASSERT_GE(content->size(), 5000);
    EXPECT_EQ(content->find_first_not_of(content->front()), std::string::npos);
  }
  writer.join();
}

TEST(Fs, MakesDirectories) {
  const TempDir dir;
  EXPECT_TRUE(MakeDirs(dir / "a/b/c", 0750).ok());
  EXPECT_TRUE(MakeDirs(dir / "a/b/c/", 0750).ok());
  EXPECT_EQ(ModeOf(dir / "a/b/c"), 0750);
  ASSERT_TRUE(AtomicWriteFile(dir / "a/file", "", 0600).ok());
  EXPECT_EQ(ErrorReason(MakeDirs(dir / "a/file", 0750)), "NOT_A_DIRECTORY");
  EXPECT_EQ(ErrorReason(MakeDirs(dir / "a/file/x", 0750)), "NOT_A_DIRECTORY");
  EXPECT_FALSE(MakeDirs("", 0750).ok());
  // A link to a directory is one.
  ASSERT_EQ(::symlink((dir / "a").c_str(), (dir / "link").c_str()), 0);
  EXPECT_TRUE(MakeDirs(dir / "link/new", 0750).ok());
  EXPECT_TRUE(Exists(dir / "a/new"));
}

TEST(RemoveTree, TakesAnythingOfItsOwn) {
  const TempDir dir;
  EXPECT_TRUE(RemoveTree(dir / "none").ok());
  ASSERT_TRUE(MakeDirs(dir / "t/a/b/c", 0755).ok());
  ASSERT_TRUE(MakeDirs(dir / "t/x", 0755).ok());
  ASSERT_TRUE(AtomicWriteFile(dir / "t/a/b/file", "x", 0600).ok());
  ASSERT_EQ(::mkfifo((dir / "t/a/fifo").c_str(), 0600), 0);
  // Names that the lifting would use itself.
  ASSERT_TRUE(MakeDirs(dir / "t/.removed-0/.removed-1/.removed-0", 0755).ok());
  ASSERT_EQ(::chmod((dir / "t/a/b/c").c_str(), 0), 0);
  ASSERT_EQ(::chmod((dir / "t/a/b").c_str(), 0), 0);
  ASSERT_EQ(::chmod((dir / "t").c_str(), 0500), 0);
  const absl::Status status = RemoveTree(dir / "t");
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_FALSE(Exists(dir / "t"));
}

TEST(RemoveTree, NeverFollowsLinks) {
  const TempDir dir;
  ASSERT_TRUE(MakeDirs(dir / "kept/deep", 0755).ok());
  ASSERT_TRUE(AtomicWriteFile(dir / "kept/file", "x", 0600).ok());
  ASSERT_TRUE(MakeDirs(dir / "t/a", 0755).ok());
  ASSERT_EQ(::symlink((dir / "kept").c_str(), (dir / "t/a/link").c_str()), 0);
  ASSERT_EQ(::symlink((dir / "kept").c_str(), (dir / "t/link").c_str()), 0);
  ASSERT_EQ(::symlink((dir / "kept").c_str(), (dir / "top").c_str()), 0);
  EXPECT_TRUE(RemoveTree(dir / "t").ok());
  EXPECT_TRUE(RemoveTree(dir / "top").ok());
  EXPECT_FALSE(Exists(dir / "t"));
  EXPECT_FALSE(Exists(dir / "top"));
  EXPECT_TRUE(Exists(dir / "kept/deep"));
  EXPECT_TRUE(Exists(dir / "kept/file"));
}

TEST(RemoveTree, DeeperThanAnyPathAndWiderThanABatch) {
  const TempDir dir;
  ASSERT_TRUE(MakeDirs(dir / "t", 0755).ok());
  const std::string name(200, 'd');
  UniqueFd at(::open((dir / "t").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int i = 0; i < 300; ++i) {
    ASSERT_EQ(::mkdirat(at.get(), name.c_str(), 0755), 0);
    at.Reset(::openat(at.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_TRUE(at.valid());
  }
  at.Reset();
  for (int i = 0; i < 12'000; ++i) {
    const std::string file = dir / StrCat("t/", i);
    UniqueFd made(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    ASSERT_TRUE(made.valid());
  }
  const absl::Status status = RemoveTree(dir / "t");
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_FALSE(Exists(dir / "t"));
}

TEST(RemoveTree, StaysOnItsFileSystem) {
  if (::getuid() != 0) {
    GTEST_SKIP() << "mounting needs root: a tree with a mount point in it is not tried";
  }
  const TempDir dir;
  for (const std::string_view where : {"t/mnt", "t/a/mnt", "t/a/b/c/mnt"}) {
    const std::string mount = dir / where;
    ASSERT_TRUE(MakeDirs(mount, 0755).ok());
    if (::mount("tmpfs", mount.c_str(), "tmpfs", 0, "size=64k") != 0) {
      GTEST_SKIP() << "this root may not mount: a tree with a mount point in it is not tried";
    }
    ASSERT_TRUE(AtomicWriteFile(mount + "/kept", "x", 0600).ok());
    const absl::Status status = RemoveTree(dir / "t");
    EXPECT_EQ(ErrorReason(status), "OTHER_FILE_SYSTEM") << where << ": " << status;
    // It may have been lifted together with what it lies in, but it is never entered.
    bool found = false;
    std::string entries = "find " + (dir / "t") + " -name kept | grep -q kept";
    found = std::system(entries.c_str()) == 0;
    EXPECT_TRUE(found) << where;
    const std::string unmount = "umount $(find " + (dir / "t") + " -name mnt)";
    ASSERT_EQ(std::system(unmount.c_str()), 0);
    EXPECT_TRUE(RemoveTree(dir / "t").ok());
  }
}

TEST(LockFile, OneHolderAtATimeWhoIsNamed) {
  const TempDir dir;
  const std::string path = dir / "lock";
  EXPECT_FALSE(*LockFile::IsHeld(path));
  absl::StatusOr<LockFile> first = LockFile::Acquire(path, "the first");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_TRUE(*LockFile::IsHeld(path));
  const absl::Status refused = LockFile::Acquire(path, "the second").status();
  EXPECT_EQ(ErrorReason(refused), "LOCK_HELD");
  EXPECT_THAT(Text(refused), HasSubstr(StrCat("the first (pid ", ::getpid(), ")")));
  first->Release();
  EXPECT_FALSE(*LockFile::IsHeld(path));
  EXPECT_TRUE(LockFile::Acquire(path, "the second").ok());
}

TEST(LockFile, GoesOnInACopyAndEndsWithIt) {
  const TempDir dir;
  const std::string path = dir / "lock";
  absl::StatusOr<LockFile> lock = LockFile::Acquire(path, "giver");
  ASSERT_TRUE(lock.ok());
  UniqueFd copy(::dup(lock->fd()));
  lock->Release();
  EXPECT_TRUE(*LockFile::IsHeld(path));
  absl::StatusOr<LockFile> adopted = LockFile::Adopt(std::move(copy), path, "taker");
  ASSERT_TRUE(adopted.ok()) << adopted.status();
  EXPECT_THAT(Text(LockFile::Acquire(path, "other").status()), HasSubstr("taker"));
  adopted->Release();
  EXPECT_FALSE(*LockFile::IsHeld(path));
}

TEST(LockFile, ARemovedFileIsNoLock) {
  const TempDir dir;
  const std::string path = dir / "lock";
  absl::StatusOr<LockFile> old = LockFile::Acquire(path, "old");
  ASSERT_TRUE(old.ok());
  ASSERT_EQ(::unlink(path.c_str()), 0);
  EXPECT_TRUE(LockFile::Acquire(path, "new").ok());
  EXPECT_EQ(ErrorReason(LockFile::Adopt(UniqueFd(::dup(old->fd())), path, "late").status()),
            "LOCK_MOVED");
  EXPECT_FALSE(LockFile::Acquire(dir / "no/lock", "x").ok());
}

TEST(LockFile, EndsWithItsProcess) {
  const TempDir dir;
  const std::string path = dir / "lock";
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const absl::StatusOr<LockFile> lock = LockFile::Acquire(path, "child");
    (void)!::write(ends[1], "x", 1);
    ::pause();
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ends[0], &byte, 1), 1);
  EXPECT_TRUE(*LockFile::IsHeld(path));
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_FALSE(*LockFile::IsHeld(path));
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace det
