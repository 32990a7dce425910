#include "cli/upload/pack.h"

#include <filesystem>
#include <map>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/base/cause.h"
#include "cli/testing/temp_dir.h"
#include "common/base/status.h"
#include "common/digest/sha256.h"

namespace det::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Packed {
  std::string bytes;
  std::vector<std::string> names;
  std::map<std::string, std::string> contents;  // of files; of links the target
};

std::string Contents(const PackedTree& tree) {
  std::string bytes(static_cast<size_t>(tree.archive_bytes), '\0');
  const auto got = ReadFull(tree.archive, "archive", bytes.data(), bytes.size());
  EXPECT_EQ(*got, bytes.size());
  return bytes;
}

Packed Unpack(const PackedTree& tree) {
  Packed packed{.bytes = Contents(tree)};
  archive* reader = archive_read_new();
  archive_read_support_format_tar(reader);
  EXPECT_EQ(archive_read_open_memory(reader, packed.bytes.data(), packed.bytes.size()), ARCHIVE_OK);
  archive_entry* entry = nullptr;
  while (archive_read_next_header(reader, &entry) == ARCHIVE_OK) {
    const std::string name = archive_entry_pathname(entry);
    packed.names.push_back(name);
    EXPECT_EQ(archive_entry_uid(entry), 0);
    EXPECT_EQ(archive_entry_gid(entry), 0);
    if (archive_entry_filetype(entry) == AE_IFLNK) {
      packed.contents[name] = archive_entry_symlink(entry);
    } else if (archive_entry_filetype(entry) == AE_IFREG) {
      std::string& content = packed.contents[name];
      content.resize(static_cast<size_t>(archive_entry_size(entry)));
      EXPECT_EQ(archive_read_data(reader, content.data(), content.size()),
                static_cast<la_ssize_t>(content.size()));
    }
  }
  archive_read_free(reader);
  return packed;
}

// The tree of the tests, with the same times wherever it is made.
void FillTree(const TempDir& dir, bool backwards) {
  std::vector<std::pair<std::string, std::string>> files = {
      {"train.py", "print(1)"},
      {"a/b/deep.txt", "deep"},
      {"a-b", "dash"},
      {"data.bin", std::string(300'000, 'x')}};
  if (backwards) std::reverse(files.begin(), files.end());
  for (const auto& [name, content] : files) dir.Write(name, content);
  std::filesystem::create_symlink("train.py", dir.File("link"));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir.path())) {
    const timespec times[2] = {{1'700'000'000, 0}, {1'700'000'000, backwards ? 5 : 0}};
    utimensat(AT_FDCWD, entry.path().c_str(), times, AT_SYMLINK_NOFOLLOW);
  }
}

TEST(Sha256Test, KnownAnswers) {
  Sha256 empty;
  EXPECT_EQ(empty.Finish(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  Sha256 abc;
  abc.Update("a");
  abc.Update("bc");
  EXPECT_EQ(abc.Finish(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(PackTest, PacksWhatIsThere) {
  const TempDir dir;
  FillTree(dir, false);
  const auto tree = PackTree(dir.path());
  ASSERT_TRUE(tree.ok()) << tree.status();
  const Packed packed = Unpack(*tree);
  EXPECT_THAT(packed.names,
              ElementsAre("a/", "a-b", "a/b/", "a/b/deep.txt", "data.bin", "link", "train.py"));
  EXPECT_EQ(packed.contents.at("a/b/deep.txt"), "deep");
  EXPECT_EQ(packed.contents.at("link"), "train.py");
  EXPECT_EQ(packed.contents.at("data.bin"), std::string(300'000, 'x'));
  EXPECT_EQ(tree->files, 4);
  EXPECT_EQ(tree->bytes, 300'000 + 8 + 4 + 4);
  Sha256 hash;
  hash.Update(packed.bytes);
  EXPECT_EQ(tree->sha256, hash.Finish());
}

TEST(PackTest, SameTreeSameBytes) {
  const TempDir one;
  const TempDir two;
  FillTree(one, false);
  FillTree(two, true);
  const auto first = PackTree(one.path());
  const auto second = PackTree(two.path() + "/");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->sha256, second->sha256);
  EXPECT_EQ(Contents(*first), Contents(*second));
  two.Write("train.py", "print(2)");
  EXPECT_NE(PackTree(two.path())->sha256, first->sha256);
}

TEST(PackTest, EmptyDirectory) {
  const TempDir dir;
  const auto tree = PackTree(dir.path());
  ASSERT_TRUE(tree.ok()) << tree.status();
  EXPECT_EQ(tree->files, 0);
  EXPECT_GT(tree->archive_bytes, 0);
}

TEST(PackTest, NamesOfAnyKind) {
  const TempDir dir;
  const std::string longer(120, 'n');
  dir.Write(longer + "/" + longer + "/" + longer, "far");
  dir.Write("Grüße\xff\n", "bytes");
  const auto tree = PackTree(dir.path());
  ASSERT_TRUE(tree.ok()) << tree.status();
  const Packed packed = Unpack(*tree);
  EXPECT_EQ(packed.contents.at(longer + "/" + longer + "/" + longer), "far");
  EXPECT_EQ(packed.contents.at("Grüße\xff\n"), "bytes");
}

TEST(PackTest, HonoursDetignore) {
  const TempDir dir;
  dir.Write("train.py", "");
  dir.Write(".git/config", "");
  dir.Write("data/big.bin", "");
  dir.Write("data/keep.txt", "");
  dir.Write("notes.log", "");
  dir.Write(".detignore", "*.log\ndata/*\n!data/keep.txt\n");
  const auto tree = PackTree(dir.path());
  ASSERT_TRUE(tree.ok()) << tree.status();
  EXPECT_THAT(Unpack(*tree).names, ElementsAre("data/", "data/keep.txt", "train.py"));
}

TEST(PackTest, LinksStayInside) {
  const auto refused = [](const std::string& link, const std::string& target) {
    const TempDir dir;
    dir.Write("sub/file", "");
    std::filesystem::create_directory_symlink(".", dir.File("sub/same"));
    std::filesystem::create_symlink(target, dir.File(link));
    const auto tree = PackTree(dir.path());
    if (tree.ok()) return std::string();
    EXPECT_THAT(tree.status().message(), HasSubstr(dir.File(link)));
    return ErrorReason(tree.status());
  };
  EXPECT_EQ(refused("ok", "sub/file"), "");
  EXPECT_EQ(refused("sub/ok", "../sub/file"), "");
  EXPECT_EQ(refused("dangling", "nowhere/at/all"), "");
  EXPECT_EQ(refused("absolute", "/etc/passwd"), "MODEL_DIRECTORY_REFUSED");
  EXPECT_EQ(refused("up", ".."), "MODEL_DIRECTORY_REFUSED");
  EXPECT_EQ(refused("sub/up", "../../x"), "MODEL_DIRECTORY_REFUSED");
  // By its text it stays inside; but sub/same is sub, so ".." twice is above.
  EXPECT_EQ(refused("through", "sub/same/../../x"), "MODEL_DIRECTORY_REFUSED");
}

TEST(PackTest, RefusesWhatIsNoFile) {
  const TempDir dir;
  ASSERT_EQ(mkfifo(dir.File("pipe").c_str(), 0600), 0);
  auto tree = PackTree(dir.path());
  EXPECT_THAT(tree.status().message(), HasSubstr("/pipe is a socket, pipe or device"));
  EXPECT_THAT(ErrorHint(tree.status()), HasSubstr(".detignore"));
  dir.Write(".detignore", "pipe\n");
  EXPECT_TRUE(PackTree(dir.path()).ok());
}

TEST(PackTest, NamesWhatCantBeRead) {
  const TempDir dir;
  const auto missing = PackTree(dir.File("missing"));
  EXPECT_THAT(missing.status().message(), HasSubstr("/missing"));
  EXPECT_EQ(ErrorCause(missing.status()), "No such file or directory");
  const auto file = PackTree(dir.Write("file", ""));
  EXPECT_EQ(ErrorCause(file.status()), "Not a directory");

  dir.Write("sub/secret", "x");
  chmod(dir.File("sub/secret").c_str(), 0);
  chmod(dir.path().c_str(), 0755);
  // The superuser reads everything: be somebody else for a moment.
  const bool root = geteuid() == 0;
  ASSERT_EQ(root ? seteuid(65534) : 0, 0);
  const auto secret = PackTree(dir.path());
  ASSERT_EQ(root ? seteuid(0) : 0, 0);
  EXPECT_THAT(secret.status().message(), HasSubstr("/sub/secret"));
  EXPECT_EQ(ErrorCause(secret.status()), "Permission denied");
}

}  // namespace
}  // namespace det::cli
