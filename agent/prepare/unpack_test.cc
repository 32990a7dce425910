#include "common/tar/unpack.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/testing/small_disk.h"
#include "agent/testing/tar_builder.h"
#include "common/base/status.h"
#include "common/base/utf8.h"
#include "common/os/fs.h"
#include "common/os/testing.h"

namespace det::agent {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class UnpackTest : public ::testing::Test {
 protected:
  UnpackTest() {
    EXPECT_TRUE(MakeDirs(work_, 0700).ok());
    EXPECT_TRUE(AtomicWriteFile(secret_, "secret", 0600).ok());
  }
  ~UnpackTest() override {
    // Whatever is unpacked, nothing around it changes.
    EXPECT_EQ(*ReadFile(secret_, 100), "secret");
    EXPECT_EQ(fs::hard_link_count(secret_), 1U);
    for (const auto& entry : fs::directory_iterator(dir_.path())) {
      EXPECT_THAT(entry.path().filename().string(),
                  ::testing::AnyOf("work", "secret", "context.tar", "by"));
    }
  }

  absl::Status Unpack(const std::vector<TarEntry>& entries,
                      const UnpackLimits& limits = {},
                      const char* format = "gnutar") {
    WriteTar(tar_, entries, format);
    return UnpackTar(tar_, work_, limits);
  }
  // Refused, with the reason that is the author's.
  void Refused(const std::vector<TarEntry>& entries,
               std::string_view why,
               const UnpackLimits& limits = {}) {
    const absl::Status status = Unpack(entries, limits);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_EQ(ErrorReason(status), "UNSAFE_CONTEXT");
    EXPECT_THAT(std::string(status.message()), HasSubstr(std::string(why)));
  }
  std::string Read(const std::string& name) const {
    return ReadFile(StrCat(work_, "/", name), 1 << 20).value_or("(nothing)");
  }
  static TarEntry Link(const std::string& name, const std::string& target) {
    return {.name = name, .type = AE_IFLNK, .symlink = target};
  }

  testing::TempDir dir_;
  const std::string work_ = dir_ / "work";
  const std::string secret_ = dir_ / "secret";
  const std::string tar_ = dir_ / "context.tar";
};

TEST_F(UnpackTest, UnpacksWhatIsFine) {
  const std::string deep = "a/b/c/d/e/f/g/file.txt";
  EXPECT_TRUE(Unpack({{.name = "./", .type = AE_IFDIR, .perm = 0755},
                      {.name = "train.py", .content = "print()", .perm = 0755},
                      {.name = "empty"},
                      {.name = "model/", .type = AE_IFDIR, .perm = 0700},
                      {.name = "./model//net.py", .content = "net"},
                      {.name = deep, .content = "deep"},
                      {.name = "gr\xc3\xb6\xc3\x9f"
                               "e",
                       .content = "utf8"},
                      {.name = "not\xff"
                               "utf8",
                       .content = "bytes"},
                      Link("model/up", "../train.py"),
                      Link("here", "model/net.py"),
                      {.name = "hard", .hardlink = "train.py"}})
                  .ok());
  EXPECT_EQ(Read("train.py"), "print()");
  EXPECT_EQ(Read("model/net.py"), "net");
  EXPECT_EQ(Read(deep), "deep");
  EXPECT_EQ(Read("gr\xc3\xb6\xc3\x9f"
                 "e"),
            "utf8");
  EXPECT_EQ(Read("not\xff"
                 "utf8"),
            "bytes");
  EXPECT_EQ(Read("model/up"), "print()");
  EXPECT_EQ(Read("here"), "net");
  EXPECT_EQ(Read("hard"), "print()");
  struct stat info {};
  ASSERT_EQ(stat((work_ + "/train.py").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0755U);
  EXPECT_EQ(info.st_uid, geteuid());
}

TEST_F(UnpackTest, NamesOfEveryFormatAreBytes) {
  for (const char* format : {"gnutar", "pax", "ustar"}) {
    const std::string name = StrCat(
        "gr\xc3\xb6\xc3\x9f"
        "e-",
        format);
    EXPECT_TRUE(Unpack({{.name = name, .content = "x"}}, {}, format).ok()) << format;
    EXPECT_EQ(Read(name), "x") << format;
  }
}

TEST_F(UnpackTest, ALongNameIsCutBetweenCharacters) {
  std::string name = "x";
  for (int i = 0; i < 204; ++i) name += "\xc3\xa9/";
  const absl::Status status = Unpack({{.name = name, .type = AE_IFDIR}});
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  const std::string text(status.message());
  EXPECT_EQ(ToUtf8(text), text);
  EXPECT_THAT(text, HasSubstr("whose path is too long"));
}

TEST_F(UnpackTest, NamesThatLeadOutAreRefused) {
  for (const std::string& name : {secret_,
                                  std::string("../secret"),
                                  std::string("a/../../secret"),
                                  std::string(".."),
                                  std::string("a/.."),
                                  std::string("./../secret")}) {
    Refused({{.name = name, .content = "x"}}, "leads out");
    Refused({{.name = name, .type = AE_IFDIR}}, "leads out");
  }
}

TEST_F(UnpackTest, LinksThatLeadOutAreRefused) {
  for (const TarEntry& link : {Link("l", "/etc"),
                               Link("l", ".."),
                               Link("l", "../secret"),
                               Link("a/l", "../../secret"),
                               Link("l", "a/../../secret"),
                               // Counted with what means nothing.
                               Link("a//l", "../../secret"),
                               Link("./l", "../secret"),
                               Link("././././l", "../../../secret"),
                               Link("a/./l", "../../secret"),
                               Link("l/", "../secret")}) {
    Refused({link}, "leads out");
    EXPECT_FALSE(fs::exists(fs::symlink_status(StrCat(work_, "/l")))) << link.symlink;
  }
}

// Each link alone stays inside; the second goes up from where the first leads.
TEST_F(UnpackTest, LinksOverLinksAreRefused) {
  Refused(
      {{.name = "x/y/", .type = AE_IFDIR}, Link("x/y/top", "../.."), Link("x/y/l", "top/../..")},
      "leads out");
  EXPECT_TRUE(Unpack({Link("x/y/top", "../.."), Link("x/y/l", "top/x")}).ok());
}

TEST_F(UnpackTest, HardLinksThatLeadOutAreRefused) {
  for (const std::string& target :
       {secret_, std::string("../secret"), std::string("a/../../secret")})
    Refused({{.name = "h", .hardlink = target}}, "leads out");
  // To nothing, and by way of a link.
  Refused({{.name = "h", .hardlink = "missing"}}, "can't be unpacked");
  EXPECT_FALSE(
      Unpack({Link("d", "."), {.name = "f"}, {.name = "h", .hardlink = "d/d/d/../f"}}).ok());
}

TEST_F(UnpackTest, NothingIsWrittenThroughALink) {
  ASSERT_EQ(symlink(dir_.path().c_str(), (work_ + "/out").c_str()), 0);
  (void)Unpack({{.name = "out/secret", .content = "overwritten"}}).ok();
  ASSERT_TRUE(RemoveTree(work_ + "/out").ok());
  ASSERT_EQ(symlink(secret_.c_str(), (work_ + "/file").c_str()), 0);
  (void)Unpack({{.name = "file", .content = "overwritten"}}).ok();
  (void)Unpack({Link("d", "e"), {.name = "e/", .type = AE_IFDIR}, {.name = "d/x", .content = "x"}})
      .ok();
}

TEST_F(UnpackTest, DevicesPipesAndSocketsAreRefused) {
  for (const mode_t type : {AE_IFCHR, AE_IFBLK, AE_IFIFO}) {
    Refused({{.name = "special", .type = type, .perm = 0666}}, "neither a file");
    EXPECT_FALSE(fs::exists(work_ + "/special"));
  }
}

TEST_F(UnpackTest, SetUidBitsAreLeftOut) {
  EXPECT_TRUE(Unpack({{.name = "suid", .content = "x", .perm = 06755},
                      {.name = "dir/", .type = AE_IFDIR, .perm = 03777},
                      {.name = "h", .content = "y", .perm = 06755, .hardlink = "suid"}})
                  .ok());
  for (const char* name : {"suid", "dir", "h"}) {
    struct stat info {};
    ASSERT_EQ(stat(StrCat(work_, "/", name).c_str(), &info), 0) << name;
    EXPECT_EQ(info.st_mode & 07000, 0U) << name;
  }
}

TEST_F(UnpackTest, WhatIsTooMuchIsRefused) {
  const UnpackLimits limits{.bytes_max = 1000, .files_max = 3};
  EXPECT_TRUE(Unpack({{.name = "a", .content = std::string(1000, 'x')}}, limits).ok());
  Refused({{.name = "a", .content = std::string(1001, 'x')}}, "larger than 1000 bytes", limits);
  Refused({{.name = "a", .content = std::string(600, 'x')},
           {.name = "a", .content = std::string(600, 'x')}},
          "larger than",
          limits);
  Refused({{.name = "a"}, {.name = "b"}, {.name = "c"}, {.name = "d"}}, "beyond 3 entries", limits);
  // It says so and holds nothing.
  WriteTar(tar_, {{.name = "huge"}});
  ClaimSize(tar_, "77777777777");
  EXPECT_TRUE(UnpackTar(tar_, work_, limits).message().find("larger than") != std::string::npos);
  EXPECT_FALSE(fs::exists(work_ + "/huge"));
}

TEST_F(UnpackTest, TheLastOfANameWins) {
  EXPECT_TRUE(Unpack({{.name = "a", .content = "first"},
                      {.name = "b", .hardlink = "a"},
                      {.name = "a", .content = "second"},
                      Link("l", "a"),
                      {.name = "l", .content = "a file"}})
                  .ok());
  EXPECT_EQ(Read("a"), "second");
  EXPECT_EQ(Read("b"), "first");
  EXPECT_EQ(Read("l"), "a file");
}

TEST_F(UnpackTest, NamesThatAreTooLongAreRefused) {
  Refused({{.name = std::string(300, 'n')}}, "can't be unpacked");
  std::string deep;
  for (int i = 0; i < 3000; ++i) deep += "d/";
  Refused({{.name = deep + "f"}}, "too long");
  Refused({{.name = deep.substr(0, 2 * 200) + "f"}}, "too long");
  deep.resize(2 * 199);
  const fs::path before = fs::current_path();
  EXPECT_TRUE(Unpack({{.name = deep + "f", .content = "x"}}).ok());
  EXPECT_EQ(fs::current_path(), before);
}

TEST_F(UnpackTest, WhatIsCutOffOrNoArchiveIsRefused) {
  WriteTar(tar_, {{.name = "a", .content = std::string(100000, 'x')}, {.name = "b"}});
  const auto size = static_cast<int64_t>(fs::file_size(tar_));
  for (const int64_t bytes : {int64_t{100}, int64_t{512}, int64_t{700}, int64_t{50000}}) {
    ASSERT_LT(bytes, size);
    ASSERT_EQ(truncate(tar_.c_str(), bytes), 0);
    WriteTar(tar_, {{.name = "a", .content = std::string(100000, 'x')}});
    ASSERT_EQ(truncate(tar_.c_str(), bytes), 0);
    const absl::Status status = UnpackTar(tar_, work_);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << bytes << ": " << status;
  }
  ASSERT_TRUE(AtomicWriteFile(tar_, std::string(5000, 'z'), 0600).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(UnpackTar(tar_, work_)));
  EXPECT_TRUE(absl::IsUnavailable(UnpackTar(dir_ / "missing.tar", work_)));
}

// Links on the way to the folder belong to whoever runs the machine.
TEST_F(UnpackTest, TheWayToTheFolderMayLeadOverLinks) {
  ASSERT_EQ(symlink(dir_.path().c_str(), (dir_ / "by").c_str()), 0);
  WriteTar(tar_, {{.name = "sub/f", .content = "x"}, {.name = "h", .hardlink = "sub/f"}});
  EXPECT_TRUE(UnpackTar(tar_, dir_ / "by/work").ok());
  EXPECT_TRUE(fs::is_symlink(dir_ / "by"));
  EXPECT_EQ(Read("sub/f"), "x");
}

TEST_F(UnpackTest, AFullDiskIsTheMachinesFault) {
  const SmallDisk disk("256k");
  if (!disk.why_not().empty()) GTEST_SKIP() << disk.why_not();
  WriteTar(tar_, {{.name = "a", .content = std::string(1 << 20, 'x')}});
  const absl::Status status = UnpackTar(tar_, disk.path());
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
}

}  // namespace
}  // namespace det::agent
