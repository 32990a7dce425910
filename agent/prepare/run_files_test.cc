#include "agent/prepare/run_files.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/session/context_fetch.h"
#include "agent/testing/fake_master.h"
#include "agent/testing/tar_builder.h"
#include "common/base/status.h"
#include "common/os/fs.h"
#include "common/os/testing.h"

namespace det::agent {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const AllocationId kId(7);

class RunFilesTest : public ::testing::Test {
 protected:
  RunFilesTest() : data_(dir_ / "data") {
    order_.set_trial(3);
    order_.set_hparams_json(R"({"lr":0.5})");
    order_.set_config_json("{}");
    order_.add_entrypoint("train ${hp.lr}");
    order_.set_checkpoint_directory(dir_ / "checkpoints/3");
  }

  RunFiles Open() {
    auto files = RunFiles::Open({.data_dir = data_,
                                 .agent_id = "agent",
                                 .master = master_.address(),
                                 .devices = {{0, "cpu", ""}, {1, "cpu", ""}}});
    EXPECT_TRUE(files.ok()) << files.status();
    return *std::move(files);
  }
  Held Run() const {
    return {.id = kId, .run = 2, .slots = {1}, .order = order_.SerializeAsString()};
  }
  // A context that the master has; its name.
  std::string Context(const std::vector<TarEntry>& entries) {
    const std::string tar = dir_ / "context.tar";
    WriteTar(tar, entries);
    const std::string sha256 = *Sha256OfFile(tar);
    master_.AddContext(sha256, *ReadFile(tar, 1 << 20));
    order_.set_context_sha256(sha256);
    return sha256;
  }
  static std::string Read(const std::string& path) {
    return ReadFile(path, 1 << 20).value_or("(nothing)");
  }

  testing::TempDir dir_;
  const std::string data_;
  FakeMaster master_;
  v1::RunOrder order_;
};

TEST_F(RunFilesTest, MakesWhatARunNeeds) {
  Context({{.name = "train.py", .content = "print()"}});
  RunFiles files = Open();
  const absl::Status status = files.Prepare(Run(), "cluster");
  ASSERT_TRUE(status.ok()) << status;
  const std::string directory = files.Directory(kId);
  EXPECT_EQ(Read(files.WorkDirectory(kId) + "/train.py"), "print()");
  EXPECT_EQ(Read(directory + "/hparams.json"), R"({"lr":0.5})");
  EXPECT_EQ(Read(directory + "/config.json"), "{}");
  EXPECT_TRUE(fs::is_directory(dir_ / "checkpoints/3"));
  const CommandLine line = *files.Command(Run(), "cluster");
  EXPECT_THAT(line.argv, ::testing::ElementsAre("train 0.5"));
  EXPECT_THAT(
      line.env,
      ::testing::IsSupersetOf({StrCat("DET_RELAY=", files.SocketPath(kId)),
                               StrCat("DET_TOKEN=", files.Token(kId)->Reveal()),
                               StrCat("DET_HPARAMS_FILE=", directory, "/hparams.json"),
                               StrCat("DET_EXPERIMENT_CONFIG_FILE=", directory, "/config.json"),
                               std::string("DET_SLOT_IDS=[1]"),
                               std::string("DET_TRIAL_RUN_ID=2")}));
  for (const char* name : {"", "/work", "/token", "/hparams.json", "/config.json"}) {
    struct stat info {};
    ASSERT_EQ(stat((directory + name).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 077, 0U) << name;
  }
}

TEST_F(RunFilesTest, AgainIsAnew) {
  Context({{.name = "a", .content = "1"}});
  RunFiles files = Open();
  ASSERT_TRUE(files.Prepare(Run(), "").ok());
  const std::string token = files.Token(kId)->Reveal();
  ASSERT_TRUE(AtomicWriteFile(files.WorkDirectory(kId) + "/left", "x", 0600).ok());
  ASSERT_TRUE(AtomicWriteFile(files.WorkDirectory(kId) + "/a", "changed", 0600).ok());
  ASSERT_TRUE(files.Prepare(Run(), "").ok());
  EXPECT_FALSE(fs::exists(files.WorkDirectory(kId) + "/left"));
  EXPECT_EQ(Read(files.WorkDirectory(kId) + "/a"), "1");
  EXPECT_NE(files.Token(kId)->Reveal(), token);
  EXPECT_EQ(master_.fetches(), 1);
  ASSERT_TRUE(files.Remove(kId).ok());
  EXPECT_FALSE(fs::exists(files.Directory(kId)));
  EXPECT_TRUE(files.Remove(kId).ok());
}

TEST_F(RunFilesTest, WhoseFaultItIs) {
  RunFiles files = Open();
  order_.set_context_sha256(std::string(64, '0'));
  EXPECT_TRUE(absl::IsNotFound(files.Prepare(Run(), "")));
  // Damaged on its way.
  master_.AddContext(order_.context_sha256(), "something else");
  EXPECT_EQ(ErrorReason(files.Prepare(Run(), "")), "CONTEXT_DAMAGED");
  EXPECT_TRUE(fs::is_empty(data_ + "/contexts"));
  Context({{.name = "../out", .content = "x"}});
  EXPECT_EQ(ErrorReason(files.Prepare(Run(), "")), "UNSAFE_CONTEXT");
  order_.clear_context_sha256();
  order_.set_entrypoint(0, "${hp.none}");
  EXPECT_TRUE(absl::IsInvalidArgument(files.Prepare(Run(), "")));
  order_.set_entrypoint(0, "true");
  order_.set_checkpoint_directory("/dev/null/x");
  EXPECT_THAT(std::string(files.Prepare(Run(), "").message()),
              HasSubstr("checkpoint_storage.host_path"));
  Held bad = Run();
  bad.order = "\xff";
  EXPECT_TRUE(absl::IsDataLoss(files.Prepare(bad, "")));
  master_.Stop();
  order_.set_context_sha256(std::string(64, '1'));
  EXPECT_TRUE(absl::IsUnavailable(files.Prepare(Run(), "")));
}

TEST_F(RunFilesTest, AnArchiveThatRottedOnDiskIsFetchedAnew) {
  const std::string sha256 = Context({{.name = "a", .content = "1"}});
  RunFiles files = Open();
  ASSERT_TRUE(AtomicWriteFile(StrCat(data_, "/contexts/", sha256, ".tar"), "rot", 0600).ok());
  const absl::Status status = files.Prepare(Run(), "");
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_EQ(ErrorReason(status), "CONTEXT_DAMAGED");
  EXPECT_TRUE(files.Prepare(Run(), "").ok());
}

TEST_F(RunFilesTest, WhatWasHalfFetchedGoes) {
  Open();
  const std::string partial = data_ + "/contexts/x.tar.uuid.partial";
  ASSERT_TRUE(AtomicWriteFile(partial, "x", 0600).ok());
  Open();
  EXPECT_FALSE(fs::exists(partial));
}

TEST_F(RunFilesTest, ListsItsOwnOnly) {
  RunFiles files = Open();
  ASSERT_TRUE(files.Prepare(Run(), "").ok());
  for (const char* name : {"7.bak", "x", "-3", "0", "07", "9"})
    ASSERT_TRUE(MakeDirs(StrCat(data_, "/tasks/", name), 0700).ok());
  std::map<int64_t, int64_t> found;
  for (const auto& leftover : files.List()) found[leftover.id.value()] = leftover.trial;
  EXPECT_THAT(found, ::testing::ElementsAre(std::pair(7, 3), std::pair(9, 0)));
}

TEST_F(RunFilesTest, ALongDataDirectoryHasItsSocketsElsewhere) {
  const std::string data = dir_ / std::string(120, 'd');
  const auto open = [&] {
    return RunFiles::Open({.data_dir = data, .agent_id = "a", .master = master_.address()});
  };
  const auto files = open();
  ASSERT_TRUE(files.ok()) << files.status();
  const std::string socket = files->SocketPath(AllocationId(INT64_MAX));
  EXPECT_LT(socket.size(), 108);
  EXPECT_THAT(socket, ::testing::StartsWith("/tmp/det-agent-"));
  EXPECT_EQ(open()->SocketPath(kId), files->SocketPath(kId));
  const std::string folder = ParentDirectory(socket);
  struct stat info {};
  ASSERT_EQ(stat(folder.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700U);
  // Somebody else was there first.
  ASSERT_TRUE(RemoveTree(folder).ok());
  ASSERT_EQ(symlink("/tmp", folder.c_str()), 0);
  EXPECT_EQ(ErrorReason(open().status()), "NOT_OURS");
  ASSERT_TRUE(RemoveTree(folder).ok());
  if (geteuid() != 0) return;
  ASSERT_EQ(mkdir(folder.c_str(), 0700), 0);
  ASSERT_EQ(chown(folder.c_str(), 12345, 12345), 0);
  EXPECT_EQ(ErrorReason(open().status()), "NOT_OURS");
  ASSERT_TRUE(RemoveTree(folder).ok());
}

TEST_F(RunFilesTest, OnlySoManyAreKeptAside) {
  RunFiles files = Open();
  for (size_t i = 1; i <= RunFiles::kAsideMax + 5; ++i) {
    const AllocationId id(static_cast<int64_t>(i));
    ASSERT_TRUE(MakeDirs(files.Directory(id), 0700).ok());
    const auto path = files.PutAside(id);
    ASSERT_TRUE(path.ok()) << path.status();
    EXPECT_TRUE(fs::is_directory(*path));
    EXPECT_FALSE(fs::exists(files.Directory(id)));
  }
  const auto kept = std::distance(fs::directory_iterator(data_ + "/damaged"), {});
  EXPECT_EQ(static_cast<size_t>(kept), RunFiles::kAsideMax);
}

}  // namespace
}  // namespace det::agent
