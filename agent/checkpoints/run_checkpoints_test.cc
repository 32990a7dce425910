#include "agent/checkpoints/run_checkpoints.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/fs.h"
#include "common/s3/testing/s3_server.h"
#include "common/testing/tmp_dir.h"

namespace det::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char kUuid[] = "7c1f0000-0000-4000-8000-000000000001";
constexpr char kBucket[] = "checkpoints";

class RunCheckpointsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    server_ = new s3::S3Server;
    client_ = server_->MakeBucket(kBucket).release();
  }
  static void TearDownTestSuite() {
    delete client_;
    delete server_;
  }
  void TearDown() override { ASSERT_TRUE(client_->DeleteObjects(Keys()).ok()); }

  RunCheckpoints::Options Options(const std::string& url = "") const {
    return {.folder = dir_ / "checkpoints",
            .records = dir_ / "uploads",
            .url = StrCat("s3://",
                          kBucket,
                          "/a/b?endpoint_url=",
                          url.empty() ? server_->url() : url,
                          "&access_key_ref=access&secret_key_ref=secret"),
            .secrets = {{"access", Secret(s3::S3Server::kAccessKey)},
                        {"secret", Secret(s3::S3Server::kSecretKey)}},
            .clock = &clock_,
            .patience = absl::Seconds(2),
            .last_patience = absl::Seconds(2)};
  }
  // As a program writes a checkpoint.
  void Write(const std::string& uuid, const std::string& text = "weights") const {
    const std::string folder = StrCat(dir_ / "checkpoints", "/", uuid, "/sub");
    std::filesystem::create_directories(folder);
    std::ofstream(StrCat(folder, "/model.pt")) << text;
  }
  std::vector<std::string> Keys() const {
    std::vector<std::string> keys;
    const auto listing = client_->List({});
    for (const s3::Object& object : listing->objects) keys.push_back(object.key);
    return keys;
  }
  bool Exists(const std::string& path) const { return std::filesystem::exists(dir_ / path); }

  static inline s3::S3Server* server_ = nullptr;
  static inline s3::Client* client_ = nullptr;
  TmpDir dir_;
  SystemClock clock_;
};

TEST_F(RunCheckpointsTest, GoesUpWholeAndComesBack) {
  RunCheckpoints run(Options());
  Write(kUuid);
  const auto files = run.Upload(kUuid);
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(*files, (storage::FileMap{{"sub/model.pt", 7}}));
  ASSERT_TRUE(run.HandOver(kUuid).ok());
  run.RemoveLocal(kUuid);
  EXPECT_FALSE(Exists(StrCat("checkpoints/", kUuid)));
  EXPECT_EQ(Keys().size(), 2U);

  // Of another run, on another host perhaps.
  RunCheckpoints::Options options = Options();
  options.folder = dir_ / "elsewhere";
  options.records = dir_ / "elsewhere-uploads";
  RunCheckpoints other(options);
  ASSERT_TRUE(other.Fetch(kUuid).ok());
  EXPECT_EQ(*ReadFile(StrCat(options.folder, "/", kUuid, "/sub/model.pt"), 100), "weights");
  // Neither of them leaves anything to be cleaned up.
  for (RunCheckpoints* one : {&run, &other}) {
    one->Cancel();
    EXPECT_TRUE(one->CleanUp().ok());
  }
  EXPECT_EQ(Keys().size(), 2U);
}

TEST_F(RunCheckpointsTest, WhatWasStoredIsStoredStill) {
  RunCheckpoints run(Options());
  Write(kUuid);
  ASSERT_TRUE(run.Upload(kUuid).ok());
  EXPECT_TRUE(run.Upload(kUuid).ok());  // the agent died before the report was on disk
  ASSERT_TRUE(run.HandOver(kUuid).ok());
  EXPECT_TRUE(RunCheckpoints(Options()).Upload(kUuid).ok());
  run.RemoveLocal(kUuid);
  EXPECT_EQ(*run.Upload(kUuid), (storage::FileMap{{"sub/model.pt", 7}}));  // reported again
}

TEST_F(RunCheckpointsTest, ATryThatBrokeOffIsReplaced) {
  RunCheckpoints run(Options());
  Write(kUuid);
  ASSERT_TRUE(run.Upload(kUuid).ok());
  Write(kUuid, "other weights");
  EXPECT_EQ(*run.Upload(kUuid), (storage::FileMap{{"sub/model.pt", 13}}));
}

TEST_F(RunCheckpointsTest, SomebodyElsesNameIsRefusedAndLeftAlone) {
  RunCheckpoints first(Options());
  Write(kUuid);
  ASSERT_TRUE(first.Upload(kUuid).ok());
  RunCheckpoints::Options options = Options();
  options.records = dir_ / "other-uploads";
  RunCheckpoints second(options);
  const absl::Status status = second.Upload(kUuid).status();
  EXPECT_EQ(ErrorReason(status), "CHECKPOINT_EXISTS") << status;
  second.Cancel();
  EXPECT_TRUE(second.CleanUp().ok());
  EXPECT_EQ(Keys().size(), 2U);
}

TEST_F(RunCheckpointsTest, WhatIsNotHandedOverIsTakenBackAtTheEnd) {
  Write(kUuid);
  {
    RunCheckpoints run(Options());
    ASSERT_TRUE(run.Upload(kUuid).ok());
  }
  // The agent died, and the trial: the next life finds it by the record.
  RunCheckpoints run(Options());
  run.Cancel();
  EXPECT_TRUE(absl::IsCancelled(run.Upload(kUuid).status()));
  ASSERT_TRUE(run.CleanUp().ok());
  EXPECT_THAT(Keys(), IsEmpty());
  EXPECT_FALSE(Exists(StrCat("uploads/", kUuid)));
}

TEST_F(RunCheckpointsTest, WrongKeysAreToldAndNeverQuoted) {
  RunCheckpoints::Options options = Options();
  options.secrets["secret"] = Secret("a-wrong-secret-key");
  RunCheckpoints run(options);
  Write(kUuid);
  const absl::Status status = run.Upload(kUuid).status();
  EXPECT_EQ(ErrorReason(status), "S3_DENIED") << status;
  EXPECT_FALSE(MayPass(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr(kUuid));
  EXPECT_THAT(status.ToString(), Not(HasSubstr("a-wrong-secret-key")));
  run.RemoveLocal(kUuid);
  EXPECT_EQ(ErrorReason(run.Fetch(kUuid)), "S3_DENIED");
  EXPECT_FALSE(Exists(StrCat("uploads/", kUuid)));
}

TEST_F(RunCheckpointsTest, SecretsThatCantBeHadSayWhy) {
  RunCheckpoints::Options options = Options();
  options.secrets.clear();
  options.secrets_fault = "there is no secret \"access\" that you may use";
  Write(kUuid);
  const absl::Status status = RunCheckpoints(options).Upload(kUuid).status();
  EXPECT_EQ(ErrorReason(status), "S3_NO_CREDENTIALS") << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("no secret \"access\""));
}

TEST_F(RunCheckpointsTest, ABucketThatIsNotThereIsTold) {
  RunCheckpoints::Options options = Options();
  options.url.replace(options.url.find(kBucket), sizeof(kBucket) - 1, "nowhere");
  RunCheckpoints run(options);
  Write(kUuid);
  const absl::Status status = run.Upload(kUuid).status();
  EXPECT_EQ(ErrorReason(status), "S3_NO_SUCH_BUCKET") << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("nowhere"));
  run.Cancel();
  EXPECT_TRUE(run.CleanUp().ok());
}

TEST_F(RunCheckpointsTest, AServerOutOfReachIsGivenUpAfterAWhile) {
  RunCheckpoints run(Options("http://127.0.0.1:1"));
  Write(kUuid);
  const absl::Status status = run.Upload(kUuid).status();
  EXPECT_EQ(ErrorReason(status), "S3_UNREACHABLE") << status;
  EXPECT_TRUE(MayPass(status));
}

TEST_F(RunCheckpointsTest, NamesAndFoldersOfAnyOtherKindAreRefused) {
  RunCheckpoints run(Options());
  EXPECT_EQ(ErrorReason(run.Upload("../x").status()), "UNSAFE_NAME");
  EXPECT_EQ(ErrorReason(run.Fetch("../x")), "UNSAFE_NAME");
  EXPECT_TRUE(absl::IsNotFound(run.Upload(kUuid).status()));
  Write(kUuid);
  std::filesystem::create_symlink("/etc/passwd", dir_ / StrCat("checkpoints/", kUuid, "/link"));
  EXPECT_EQ(ErrorReason(run.Upload(kUuid).status()), "NOT_A_FILE");
  EXPECT_THAT(Keys(), IsEmpty());
}

}  // namespace
}  // namespace det::agent
