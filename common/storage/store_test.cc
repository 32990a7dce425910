#include "common/storage/store.h"

#include <fstream>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/fs.h"
#include "common/os/random.h"
#include "common/s3/testing/s3_server.h"
#include "common/testing/tmp_dir.h"

// One suite for every kind of place.
namespace det::storage {
namespace {

enum class Kind { kSharedFs, kDirectory, kS3 };

std::string KindName(const testing::TestParamInfo<Kind>& info) {
  switch (info.param) {
    case Kind::kSharedFs:
      return "SharedFs";
    case Kind::kDirectory:
      return "Directory";
    case Kind::kS3:
      return "S3";
  }
  return "";
}

class StoreTest : public testing::TestWithParam<Kind> {
 protected:
  static void SetUpTestSuite() { server_ = new s3::S3Server(); }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }

  StoreTest() {
    EXPECT_TRUE(MakeDirs(local_, 0700).ok());
    store_ = Open(MakePlace());
  }

  Place MakePlace() {
    switch (GetParam()) {
      case Kind::kSharedFs:
        return SharedFs{dir_ / "store"};
      case Kind::kDirectory:
        return Directory{dir_ / "store"};
      case Kind::kS3: {
        const std::string bucket = StrCat("b-", RandomUuid());
        server_->MakeBucket(bucket);
        return S3{.bucket = bucket,
                  .prefix = "some/prefix",
                  .endpoint_url = server_->url(),
                  .access_key_ref = "env:THE_KEY",
                  .secret_key_ref = "env:THE_SECRET"};
      }
    }
    return {};
  }

  std::unique_ptr<CheckpointStore> Open(const Place& place) {
    StoreOptions options{.clock = &clock_, .cancel = &cancel_, .patience = absl::Seconds(5)};
    options.environment = [](const char* name) -> std::optional<std::string> {
      if (std::string_view(name) == "THE_KEY") return s3::S3Server::kAccessKey;
      if (std::string_view(name) == "THE_SECRET") return s3::S3Server::kSecretKey;
      return std::nullopt;
    };
    options.part_bytes = 100'000;
    auto store = OpenStore(place, options);
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  }

  void MakeLocal(const std::string& path, const std::string& content) {
    const std::string full = StrCat(local_, "/", path);
    ASSERT_TRUE(MakeDirs(ParentDirectory(full), 0700).ok());
    std::ofstream(full) << content;
  }

  std::string ReadBack(const std::string& uuid, const std::string& path) {
    const std::string to = dir_ / "back";
    const absl::Status status = store_->Read(uuid, path, to, nullptr);
    EXPECT_TRUE(status.ok()) << status;
    return ReadFile(to, 1 << 26).value_or("unreadable");
  }

  void WriteSample() {
    MakeLocal("model.pt", std::string(250'000, 'm'));
    MakeLocal("optimizer/a.pt", "aa");
    MakeLocal("optimizer/b.pt", "bbb");
    MakeLocal("deep/er/\u00fc mlaut+", "");
    const auto files = store_->Write("one", local_, nullptr);
    ASSERT_TRUE(files.ok()) << files.status();
    EXPECT_EQ(*files, kSample);
  }

  const FileMap kSample = {{"deep/er/\u00fc mlaut+", 0},
                           {"model.pt", 250'000},
                           {"optimizer/a.pt", 2},
                           {"optimizer/b.pt", 3}};
  static s3::S3Server* server_;
  TmpDir dir_;
  const std::string local_ = dir_ / "local";
  SystemClock clock_;
  std::atomic<bool> cancel_ = false;
  std::unique_ptr<CheckpointStore> store_;
};
s3::S3Server* StoreTest::server_ = nullptr;

INSTANTIATE_TEST_SUITE_P(All,
                         StoreTest,
                         testing::Values(Kind::kSharedFs, Kind::kDirectory, Kind::kS3),
                         KindName);

TEST_P(StoreTest, WritesListsAndReads) {
  WriteSample();
  EXPECT_EQ(store_->List("one").value_or(FileMap{}), kSample);
  const auto size = store_->Stat("one");
  ASSERT_TRUE(size.ok());
  EXPECT_EQ(size->files, 4);
  EXPECT_EQ(size->bytes, 250'005);
  EXPECT_EQ(ReadBack("one", "model.pt"), std::string(250'000, 'm'));
  EXPECT_EQ(ReadBack("one", "deep/er/\u00fc mlaut+"), "");
  EXPECT_FALSE(ReadFile(dir_ / "back.part", 10).ok());
}

TEST_P(StoreTest, FetchesWhole) {
  WriteSample();
  const std::string to = dir_ / "fetched/here";
  std::atomic<int64_t> moved = 0;
  const absl::Status status = store_->Fetch("one", {}, to, [&](int64_t bytes) { moved += bytes; });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(moved.load(), 250'005);
  EXPECT_EQ(ReadFile(to + "/optimizer/b.pt", 10).value_or("?"), "bbb");
  ASSERT_TRUE(store_->Fetch("one", {{"optimizer/a.pt", 2}}, dir_ / "some", nullptr).ok());
  EXPECT_FALSE(ReadFile(dir_ / "some/model.pt", 1 << 20).ok());
}

TEST_P(StoreTest, FetchRefusesWhatIsNotWhatWasReported) {
  WriteSample();
  const std::string to = dir_ / "fetched";
  for (const FileMap& wanted : {FileMap{{"model.pt", 7}}, FileMap{{"missing", 1}}}) {
    const absl::Status status = store_->Fetch("one", wanted, to, nullptr);
    EXPECT_EQ(ErrorReason(status), "CHECKPOINT_DAMAGED") << status;
    EXPECT_NE(::access(to.c_str(), F_OK), 0);
  }
}

TEST_P(StoreTest, WhatIsNotThere) {
  WriteSample();
  for (const auto& status : {store_->List("two").status(),
                             store_->Stat("two").status(),
                             store_->Fetch("two", {}, dir_ / "x", nullptr),
                             store_->DeleteMatching("two", {"*"}).status()}) {
    EXPECT_EQ(ErrorReason(status), "CHECKPOINT_NOT_THERE") << status;
  }
  EXPECT_TRUE(absl::IsNotFound(store_->Read("one", "none", dir_ / "x", nullptr)));
  EXPECT_NE(::access((dir_ / "x.part").c_str(), F_OK), 0);
}

TEST_P(StoreTest, WhatIsNotCompleteDoesNotCount) {
  MakeLocal("a", "1");
  const auto added = store_->Add("one", local_, nullptr);
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_EQ(ErrorReason(store_->List("one").status()), "CHECKPOINT_NOT_THERE");
  ASSERT_TRUE(store_->Complete("one", *added).ok());
  EXPECT_TRUE(store_->List("one").ok());
  MakeLocal("b", "1");
  ASSERT_TRUE(store_->Add("two", local_, nullptr).ok());
  ASSERT_TRUE(store_->Abandon("two").ok());
  EXPECT_FALSE(store_->Complete("two", {{"a", 1}, {"b", 1}}).ok());
}

TEST_P(StoreTest, RanksAddTheirOwn) {
  FileMap all;
  for (const char* rank : {"0", "1", "2"}) {
    ASSERT_TRUE(RemoveTree(local_).ok());
    MakeLocal(StrCat("rank", rank), rank);
    MakeLocal(StrCat("shared/", rank), rank);
    const auto added = store_->Add("one", local_, nullptr);
    ASSERT_TRUE(added.ok()) << added.status();
    ASSERT_TRUE(MergeShard(*added, &all).ok());
  }
  ASSERT_TRUE(store_->Complete("one", all).ok());
  EXPECT_EQ(store_->List("one").value_or(FileMap{}), all);
  EXPECT_EQ(ReadBack("one", "shared/2"), "2");
}

TEST_P(StoreTest, CompleteChecksWhatIsThere) {
  MakeLocal("a", "1");
  ASSERT_TRUE(store_->Add("one", local_, nullptr).ok());
  EXPECT_EQ(ErrorReason(store_->Complete("one", {{"a", 2}})), "CHECKPOINT_DAMAGED");
  EXPECT_EQ(ErrorReason(store_->Complete("one", {{"a", 1}, {"b", 1}})), "CHECKPOINT_DAMAGED");
  EXPECT_TRUE(store_->Complete("one", {{"a", 1}}).ok());
}

TEST_P(StoreTest, AnotherOfTheSameNameIsRefused) {
  WriteSample();
  EXPECT_EQ(ErrorReason(store_->Write("one", local_, nullptr).status()), "CHECKPOINT_EXISTS");
  EXPECT_EQ(store_->List("one").value_or(FileMap{}), kSample);
}

TEST_P(StoreTest, DeletesWhole) {
  WriteSample();
  ASSERT_TRUE(store_->Write("other", local_, nullptr).ok());
  ASSERT_TRUE(store_->Delete("one").ok());
  EXPECT_EQ(ErrorReason(store_->List("one").status()), "CHECKPOINT_NOT_THERE");
  EXPECT_TRUE(store_->List("other").ok());
  EXPECT_TRUE(store_->Delete("one").ok());  // again
  EXPECT_TRUE(store_->Delete("other").ok());
  EXPECT_TRUE(store_->Delete("other").ok());  // the last one: the place is empty now
}

TEST_P(StoreTest, NamesThatBeginAlikeAreOthers) {
  MakeLocal("f", "x");
  for (const char* uuid : {"ab", "abc", "a"})
    ASSERT_TRUE(store_->Write(uuid, local_, nullptr).ok());
  ASSERT_TRUE(store_->Delete("ab").ok());
  EXPECT_TRUE(store_->List("abc").ok());
  EXPECT_TRUE(store_->List("a").ok());
}

TEST_P(StoreTest, DeletesByPattern) {
  WriteSample();
  auto left = store_->DeleteMatching("one", {"optimizer*", "nothing*"});
  ASSERT_TRUE(left.ok()) << left.status();
  EXPECT_EQ(*left, (FileMap{{"deep/er/\u00fc mlaut+", 0}, {"model.pt", 250'000}}));
  EXPECT_EQ(store_->List("one").value_or(FileMap{}), *left);
  left = store_->DeleteMatching("one", {"**"});
  ASSERT_TRUE(left.ok()) << left.status();
  EXPECT_TRUE(left->empty());
  EXPECT_TRUE(store_->List("one").ok());  // it is there, with no files
}

TEST_P(StoreTest, NamesThatLeadOutAreRefused) {
  WriteSample();
  for (const char* uuid : {"..", ".", "a/b", "", ".tmp-one"}) {
    EXPECT_EQ(ErrorReason(store_->List(uuid).status()), "UNSAFE_NAME") << uuid;
    EXPECT_EQ(ErrorReason(store_->Delete(uuid)), "UNSAFE_NAME") << uuid;
    EXPECT_EQ(ErrorReason(store_->Add(uuid, local_, nullptr).status()), "UNSAFE_NAME") << uuid;
    EXPECT_EQ(ErrorReason(store_->Complete(uuid, {})), "UNSAFE_NAME") << uuid;
    EXPECT_EQ(ErrorReason(store_->Abandon(uuid)), "UNSAFE_NAME") << uuid;
  }
  for (const char* path : {"../x", "/etc/passwd", "a//b", "."}) {
    EXPECT_EQ(ErrorReason(store_->Read("one", path, dir_ / "x", nullptr)), "UNSAFE_NAME");
    EXPECT_EQ(ErrorReason(store_->DeleteFiles("one", {path})), "UNSAFE_NAME") << path;
  }
  EXPECT_EQ(ErrorReason(store_->DeleteMatching("one", {"../*"}).status()), "INVALID_GLOB");
  EXPECT_EQ(store_->List("one").value_or(FileMap{}), kSample);
}

TEST_P(StoreTest, OnlyFilesAndFoldersGoIn) {
  MakeLocal("a", "1");
  ASSERT_EQ(::symlink("/etc/passwd", StrCat(local_, "/link").c_str()), 0);
  EXPECT_EQ(ErrorReason(store_->Write("one", local_, nullptr).status()), "NOT_A_FILE");
  EXPECT_FALSE(store_->List("one").ok());
  ASSERT_EQ(::unlink(StrCat(local_, "/link").c_str()), 0);
  EXPECT_TRUE(
      store_->Write("one", local_, nullptr).ok());  // nothing of the first try is in the way
}

TEST_P(StoreTest, CancelEndsWhatIsUnderWay) {
  MakeLocal("a", std::string(300'000, 'x'));
  cancel_ = true;
  EXPECT_FALSE(store_->Write("one", local_, nullptr).ok());
  cancel_ = false;
  EXPECT_FALSE(store_->List("one").ok());
}

TEST_P(StoreTest, ManyFiles) {
  // Of a bucket, more than a page of its listing.
  const int count = GetParam() == Kind::kSharedFs ? 100'000 : 450;
  for (int i = 0; i < count; ++i) {
    const std::string name = StrCat(local_, "/", i % 10);
    ASSERT_TRUE(i >= 10 || ::mkdir(name.c_str(), 0700) == 0);
    ASSERT_TRUE(OpenFile(StrCat(name, "/", i), O_WRONLY | O_CREAT, 0600).ok());
  }
  if (GetParam() == Kind::kSharedFs) {
    // Each file is brought to disk when it is added: so many take minutes on some disks.
    ASSERT_TRUE(MakeDirs(dir_ / "store", 0700).ok());
    ASSERT_EQ(::rename(local_.c_str(), (dir_ / "store/one").c_str()), 0);
  } else {
    ASSERT_TRUE(store_->Write("one", local_, nullptr).ok());
  }
  EXPECT_EQ(store_->Stat("one")->files, count);
  const auto left = store_->DeleteMatching("one", {"[0-4]/**"});
  ASSERT_TRUE(left.ok()) << left.status();
  EXPECT_EQ(static_cast<int>(left->size()), count / 2);
  ASSERT_TRUE(store_->Delete("one").ok());
  EXPECT_FALSE(store_->List("one").ok());
}

TEST(FileStore, LinksAreNeverFollowed) {
  const TmpDir dir;
  const SystemClock clock;
  const auto store = *OpenStore(SharedFs{dir / "store"}, {.clock = &clock});
  ASSERT_TRUE(MakeDirs(dir / "store/one/sub", 0700).ok());
  ASSERT_TRUE(MakeDirs(dir / "outside", 0700).ok());
  ASSERT_TRUE(AtomicWriteFile(dir / "outside/secret", "s", 0600).ok());
  ASSERT_EQ(::symlink((dir / "outside").c_str(), (dir / "store/one/link").c_str()), 0);
  ASSERT_EQ(::symlink((dir / "outside").c_str(), (dir / "store/two").c_str()), 0);
  EXPECT_EQ(store->List("one").value_or(FileMap{{"?", 1}}), (FileMap{{"link", 0}}));
  EXPECT_FALSE(store->Read("one", "link/secret", dir / "x", nullptr).ok());
  EXPECT_FALSE(store->Read("one", "link", dir / "x", nullptr).ok());
  EXPECT_FALSE(store->DeleteFiles("one", {"link/secret"}).ok());
  EXPECT_FALSE(store->List("two").ok());
  ASSERT_TRUE(store->DeleteFiles("one", {"link"}).ok());
  ASSERT_TRUE(store->Delete("two").ok());
  ASSERT_TRUE(store->Delete("one").ok());
  EXPECT_EQ(ReadFile(dir / "outside/secret", 10).value_or("?"), "s");
}

constexpr char kUuid[] = "0b6e1f3a-5a63-4a3f-9d0c-1c2b3a4d5e6f";

class ReportedTest : public testing::Test {
 protected:
  void MakeCheckpoint(const std::string& uuid) {
    ASSERT_TRUE(MakeDirs(StrCat(root_, "/", uuid, "/sub"), 0700).ok());
    ASSERT_TRUE(AtomicWriteFile(StrCat(root_, "/", uuid, "/model"), "1234567", 0600).ok());
    ASSERT_TRUE(AtomicWriteFile(StrCat(root_, "/", uuid, "/sub/more"), "12", 0600).ok());
  }
  absl::StatusOr<FileMap> Delete(const std::string& uuid,
                                 const Reported& reported,
                                 const std::vector<std::string>& globs = {}) {
    StoreOptions options{.clock = &clock_};
    options.off_limits = off_limits_;
    return (*OpenStore(SharedFs{root_}, options))->DeleteReported({uuid, globs}, reported);
  }
  bool IsThere(const std::string& path) const {
    return ::access(StrCat(root_, "/", path).c_str(), F_OK) == 0;
  }

  TmpDir dir_;
  const std::string root_ = dir_ / "store";
  SystemClock clock_;
  OffLimits off_limits_;
  const Reported whole_{{{"model", 7}, {"sub/more", 2}}, absl::InfinitePast()};
};

TEST_F(ReportedTest, WhatIsAsItWasReportedGoes) {
  MakeCheckpoint("c1");
  EXPECT_EQ(Delete("c1", whole_, {"sub"}).value(), (FileMap{{"model", 7}}));
  EXPECT_FALSE(IsThere("c1/sub"));
  ASSERT_TRUE(MakeDirs(StrCat(root_, "/c1/empty/too"), 0700).ok());
  EXPECT_EQ(Delete("c1", whole_).value(), FileMap{});
  EXPECT_FALSE(IsThere("c1"));
  EXPECT_FALSE(IsThere(".gone-c1"));
  EXPECT_TRUE(Delete("c1", whole_).ok());
  EXPECT_EQ(ErrorReason(Delete("c1", whole_, {"*"}).status()), "CHECKPOINT_NOT_THERE");
}

TEST_F(ReportedTest, NothingElseDoes) {
  MakeCheckpoint("precious");
  const auto refused = [&](const FileMap& files) {
    const absl::Status status = Delete("precious", {files, absl::InfinitePast()}).status();
    EXPECT_EQ(ErrorReason(status), "CHECKPOINT_NOT_PROVEN") << status;
    EXPECT_EQ(Delete("precious", {files, absl::InfinitePast()}, {"**"}).status(), status);
    EXPECT_TRUE(IsThere("precious/model") && IsThere("precious/sub/more"));
    return std::string(status.message());
  };
  EXPECT_NE(refused({}).find("no UUID"), std::string::npos);
  EXPECT_NE(refused({{"model", 7}}).find("\"sub/more\", which was not reported"),
            std::string::npos);
  EXPECT_NE(refused({{"model", 8}, {"sub/more", 2}}).find("7 bytes instead of 8"),
            std::string::npos);
  ASSERT_EQ(::symlink("/etc", StrCat(root_, "/precious/link").c_str()), 0);
  EXPECT_NE(refused(whole_.files).find("\"link\" is no file"), std::string::npos);
  // Nor what only bears the name of a deletion that was begun.
  ASSERT_EQ(::rename(StrCat(root_, "/precious").c_str(), StrCat(root_, "/.gone-c1").c_str()), 0);
  EXPECT_EQ(ErrorReason(Delete("c1", {{{"a", 1}}, {}}).status()), "CHECKPOINT_NOT_PROVEN");
  EXPECT_TRUE(IsThere(".gone-c1/model"));
  ASSERT_EQ(::symlink(StrCat(root_, "/.gone-c1").c_str(), StrCat(root_, "/two").c_str()), 0);
  EXPECT_EQ(ErrorReason(Delete("two", whole_).status()), "CHECKPOINT_NOT_PROVEN");
  EXPECT_TRUE(IsThere(".gone-c1/model"));
}

TEST_F(ReportedTest, WithoutAListTheNameAndTheAgeTell) {
  MakeCheckpoint(kUuid);
  EXPECT_EQ(ErrorReason(Delete(kUuid, {{}, absl::Now() + absl::Hours(1)}).status()),
            "CHECKPOINT_NOT_PROVEN");
  EXPECT_TRUE(IsThere(StrCat(kUuid, "/model")));
  EXPECT_TRUE(Delete(kUuid, {{}, absl::Now() - absl::Hours(1)}).ok());
  EXPECT_FALSE(IsThere(kUuid));
}

TEST_F(ReportedTest, TheMastersOwnFoldersAreNoPlace) {
  MakeCheckpoint("c1");
  const auto tried = [&](const std::string& data, const std::string& checkpoints) {
    off_limits_ = {data, checkpoints};
    return ErrorReason(Delete("c1", {{{"other", 1}}, {}}).status());
  };
  EXPECT_EQ(tried(root_, ""), "STORAGE_PROTECTED");
  EXPECT_EQ(tried(dir_.path(), dir_ / "checkpoints"), "STORAGE_PROTECTED");
  EXPECT_EQ(tried(dir_ / "store/data", ""), "STORAGE_PROTECTED");
  EXPECT_EQ(tried(dir_ / "store/c1", root_), "STORAGE_PROTECTED");
  ASSERT_EQ(::symlink(root_.c_str(), (dir_ / "link").c_str()), 0);
  EXPECT_EQ(tried(dir_ / "link", ""), "STORAGE_PROTECTED");
  EXPECT_EQ(tried(dir_.path(), root_), "CHECKPOINT_NOT_PROVEN");
  EXPECT_EQ(tried(dir_ / "storehouse", ""), "CHECKPOINT_NOT_PROVEN");
  EXPECT_TRUE(IsThere("c1/model"));
}

TEST(FileStore, OneFolderIsKnownByAnyOfItsPaths) {
  const TmpDir dir;
  ASSERT_TRUE(MakeDirs(dir / "a/b", 0700).ok());
  ASSERT_EQ(::symlink((dir / "a").c_str(), (dir / "link").c_str()), 0);
  EXPECT_TRUE(IsSameFolder(dir / "a/b", dir / "a/./b"));
  EXPECT_TRUE(IsSameFolder(dir / "a/b", dir / "a//b"));
  EXPECT_TRUE(IsSameFolder(dir / "a/b", dir / "link/b"));
  EXPECT_TRUE(IsSameFolder("/not/there/./x", "/not//there/x"));
  EXPECT_FALSE(IsSameFolder(dir / "a", dir / "a/b"));
  EXPECT_FALSE(IsSameFolder("s3://a/b", "s3://a/./b"));
}

TEST(FileStore, APlaceThatIsNotThereIsNoEmptyPlace) {
  const TmpDir dir;
  const SystemClock clock;
  const auto store = *OpenStore(Directory{dir / "store"}, {.clock = &clock});
  EXPECT_EQ(ErrorReason(store->Delete("one")), "STORAGE_NOT_VISIBLE");
  EXPECT_EQ(ErrorReason(store->List("one").status()), "STORAGE_NOT_VISIBLE");
  ASSERT_TRUE(MakeDirs(dir / "store", 0700).ok());  // mounted later
  EXPECT_EQ(ErrorReason(store->Delete("one")), "STORAGE_NOT_VISIBLE");
  ASSERT_TRUE(MakeDirs(dir / "store/two", 0700).ok());
  EXPECT_TRUE(store->Delete("one").ok());
}

TEST(FileStore, WhatAnEarlierTryLeftGoes) {
  const TmpDir dir;
  const SystemClock clock;
  const auto store = *OpenStore(SharedFs{dir / "store"}, {.clock = &clock});
  for (const char* left : {"store/.gone-one/a", "store/.tmp-one/b", "store/one/c"}) {
    ASSERT_TRUE(MakeDirs(dir / left, 0700).ok());
  }
  ASSERT_TRUE(store->Delete("one").ok());
  for (const char* gone : {"store/.gone-one", "store/.tmp-one", "store/one"}) {
    EXPECT_NE(::access((dir / gone).c_str(), F_OK), 0) << gone;
  }
}

TEST(FileStore, AFullDiskIsSaidAndLeavesNothing) {
  const TmpDir dir;
  ASSERT_TRUE(MakeDirs(dir / "store", 0700).ok());
  if (::mount("det", (dir / "store").c_str(), "tmpfs", 0, "size=256k") != 0) {
    GTEST_SKIP() << "only root may mount a small file system";
  }
  const SystemClock clock;
  const auto store = *OpenStore(SharedFs{dir / "store"}, {.clock = &clock});
  ASSERT_TRUE(MakeDirs(dir / "local", 0700).ok());
  ASSERT_TRUE(AtomicWriteFile(dir / "local/a", std::string(1 << 20, 'x'), 0600).ok());
  const absl::Status status = store->Write("one", dir / "local", nullptr).status();
  EXPECT_EQ(ErrorReason(status), "DISK_FULL") << status;
  EXPECT_FALSE(store->List("one").ok());
  EXPECT_NE(::access((dir / "store/.tmp-one").c_str(), F_OK), 0);
  // Nor does a download that finds no room.
  const auto source = *OpenStore(SharedFs{dir.path()}, {.clock = &clock});
  const absl::Status fetched = source->Fetch("local", {}, dir / "store/down", nullptr);
  EXPECT_EQ(ErrorReason(fetched), "DISK_FULL") << fetched;
  EXPECT_NE(::access((dir / "store/down").c_str(), F_OK), 0);
  EXPECT_EQ(::umount2((dir / "store").c_str(), MNT_DETACH), 0);
}

}  // namespace
}  // namespace det::storage
