#include <filesystem>
#include <fstream>
#include <future>

#include "det/agent/v1/agent.pb.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/relay/relay.h"
#include "agent/testing/relay_client.h"
#include "common/s3/testing/s3_server.h"
#include "common/testing/tmp_dir.h"

namespace det::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kUuid[] = "7c1f0000-0000-4000-8000-000000000001";
// A relay whose run stores its checkpoints in a bucket.
class RelayCheckpointsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { server_ = new s3::S3Server; }
  static void TearDownTestSuite() { delete server_; }
  RelayCheckpointsTest() : client_(server_->MakeBucket(bucket_)) {
    Start(s3::S3Server::kSecretKey);
  }

  void Start(const std::string& secret_key) {
    relay_.reset();
    Relay::Options options{.socket_path = dir_ / "relay.sock",
                           .spool_directory = dir_ / "reports",
                           .token = Secret("secret"),
                           .transfers = &transfers_};
    options.checkpoints = std::make_shared<RunCheckpoints>(RunCheckpoints::Options{
        .folder = dir_ / "checkpoints",
        .records = dir_ / "uploads",
        .url = StrCat("s3://",
                      bucket_,
                      "?endpoint_url=",
                      server_->url(),
                      "&access_key_ref=access&secret_key_ref=secret"),
        .secrets = {{"access", Secret(s3::S3Server::kAccessKey)}, {"secret", Secret(secret_key)}},
        .clock = &clock_,
        .patience = absl::Seconds(2)});
    auto relay = Relay::Start(
        std::move(options),
        {.on_report = [] {}, .on_preemption_watched = [] {}, .on_preemption_acked = [] {}},
        timer_);
    ASSERT_TRUE(relay.ok()) << relay.status();
    relay_ = *std::move(relay);
  }

  void Write() const {
    std::filesystem::create_directories(Local());
    std::ofstream(Local() + "/model.pt") << "weights";
  }
  std::string Local() const { return StrCat(dir_ / "checkpoints", "/", kUuid); }
  // What the program says of sizes is not asked for.
  Answer Report(int64_t seq) const {
    return RelayClient(dir_ / "relay.sock", "Bearer secret")
        .Post("/v1/reports",
              StrCat(R"({"seq":)",
                     seq,
                     R"(,"checkpoint":{"uuid":")",
                     kUuid,
                     R"(","steps_completed":7}})"));
  }
  std::vector<v1::Report> OnDisk() const {
    spool::SegmentReader reader(dir_ / "reports");
    std::vector<v1::Report> reports;
    const std::vector<spool::LogEntry> entries = *reader.Read(1, 1000, 1 << 30);
    for (const spool::LogEntry& entry : entries) {
      EXPECT_TRUE(reports.emplace_back().ParseFromString(entry.payload));
    }
    return reports;
  }
  std::vector<s3::Object> Stored() const { return client_->List({})->objects; }

  static inline s3::S3Server* server_ = nullptr;
  static inline int buckets_ = 0;
  TmpDir dir_;
  const std::string bucket_ = StrCat("checkpoints-", ++buckets_);
  std::unique_ptr<s3::Client> client_;
  SystemClock clock_;
  ThreadPool transfers_{2, 100};
  Timer timer_;
  std::unique_ptr<Relay> relay_;
};

TEST_F(RelayCheckpointsTest, ACheckpointIsStoredWhenItsReportIsAnswered) {
  Write();
  const Answer answer = Report(1);
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_THAT(Stored(), SizeIs(2));
  ASSERT_THAT(OnDisk(), SizeIs(1));
  EXPECT_EQ(OnDisk()[0].checkpoint().files_json(), R"({"model.pt":7})");
  EXPECT_EQ(OnDisk()[0].checkpoint().bytes(), 7);
  EXPECT_FALSE(std::filesystem::exists(Local()));
  // The answer was lost.
  EXPECT_EQ(Report(1).status, 200);
  EXPECT_THAT(OnDisk(), SizeIs(1));
  EXPECT_EQ(Report(3).reason(), "REPORT_GAP");
}

TEST_F(RelayCheckpointsTest, WhoAsksAgainMeanwhileJoins) {
  Write();
  auto first = std::async(std::launch::async, [&] { return Report(1); });
  auto second = std::async(std::launch::async, [&] { return Report(1); });
  EXPECT_EQ(first.get().status, 200);
  EXPECT_EQ(second.get().status, 200);
  EXPECT_THAT(OnDisk(), SizeIs(1));
  EXPECT_THAT(Stored(), SizeIs(2));
}

TEST_F(RelayCheckpointsTest, WhatCantBeStoredIsNotReported) {
  Start("not-the-key");
  Write();
  const Answer answer = Report(1);
  EXPECT_EQ(answer.status, 424);
  EXPECT_EQ(answer.reason(), "S3_DENIED");
  EXPECT_THAT(answer.body, HasSubstr(kUuid));
  EXPECT_THAT(answer.body, HasSubstr(R"("hint":)"));
  EXPECT_THAT(OnDisk(), IsEmpty());
  // With the right keys, the same report is taken.
  Start(s3::S3Server::kSecretKey);
  EXPECT_EQ(Report(1).status, 200);
  EXPECT_THAT(OnDisk(), SizeIs(1));
}

TEST_F(RelayCheckpointsTest, AFolderThatIsNotThereIsTold) {
  const Answer answer = Report(1);
  EXPECT_EQ(answer.status, 404) << answer.body;
  EXPECT_THAT(OnDisk(), IsEmpty());
  EXPECT_THAT(Stored(), IsEmpty());
}

}  // namespace
}  // namespace det::agent
