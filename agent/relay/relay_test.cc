#include "agent/relay/relay.h"

#include <atomic>
#include <future>

#include "det/agent/v1/agent.pb.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "agent/testing/relay_client.h"
#include "agent/testing/small_disk.h"
#include "common/base/status.h"

namespace det::agent {
namespace {

class RelayTest : public ::testing::Test {
 protected:
  RelayTest() { Start(); }

  void Start(const std::string& spool = "") {
    relay_.reset();
    Relay::Options options{.socket_path = dir_ / "relay.sock",
                           .spool_directory = spool.empty() ? dir_ / "reports" : spool,
                           .token = Secret("secret")};
    options.info.set_trial(5);
    options.info.set_hparams_json("{}");
    auto relay = Relay::Start(std::move(options),
                              {.on_report = [this] { ++reports_; },
                               .on_preemption_watched = [this] { ++watched_; },
                               .on_preemption_acked = [this] { ++acked_; }},
                              timer_);
    ASSERT_TRUE(relay.ok()) << relay.status();
    relay_ = *std::move(relay);
  }

  RelayClient Client(const std::string& authorization = "Bearer secret") const {
    return {dir_ / "relay.sock", authorization};
  }

  std::vector<v1::Report> OnDisk(const std::string& directory = "") const {
    spool::SegmentReader reader(directory.empty() ? dir_ / "reports" : directory);
    std::vector<v1::Report> reports;
    const std::vector<spool::LogEntry> entries = *reader.Read(1, 1000, 1 << 30);
    for (const spool::LogEntry& entry : entries) {
      v1::Report report;
      EXPECT_TRUE(report.ParseFromString(entry.payload));
      report.set_seq(entry.seq);
      reports.push_back(std::move(report));
    }
    return reports;
  }

  testing::TempDir dir_;
  Timer timer_;
  std::atomic<int> reports_{0};
  std::atomic<int> watched_{0};
  std::atomic<int> acked_{0};
  std::unique_ptr<Relay> relay_;
};

TEST_F(RelayTest, OnlyWhoHasTheTokenMayAsk) {
  for (const char* authorization : {"",
                                    "secret",
                                    "Bearer ",
                                    "Bearer secre",
                                    "Bearer secrets",
                                    "bearer secret",
                                    "Basic secret"}) {
    for (const Answer& answer :
         {Client(authorization).Get("/v1/info"), Client(authorization).Report(1)}) {
      EXPECT_EQ(answer.status, 401) << authorization;
      EXPECT_EQ(answer.reason(), "UNAUTHENTICATED");
    }
  }
  EXPECT_TRUE(OnDisk().empty());
  struct stat info {};
  ASSERT_EQ(stat((dir_ / "relay.sock").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(RelayTest, ReportsAreOnDiskWhenTheyAreAnswered) {
  for (int64_t seq = 1; seq <= 3; ++seq) {
    const Answer answer = Client().Report(seq, 0.25);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.json().Find("seq")->as_string(), std::to_string(seq));
    EXPECT_EQ(static_cast<int64_t>(OnDisk().size()), seq);
  }
  EXPECT_EQ(reports_, 3);
  EXPECT_EQ(OnDisk()[0].progress().fraction(), 0.25);
  EXPECT_GT(OnDisk()[0].at_unix_nanos(), 0);
}

TEST_F(RelayTest, ANumberCountsOnceAndLeavesNoGap) {
  EXPECT_EQ(Client().Report(2).reason(), "REPORT_GAP");
  EXPECT_EQ(Client().Report(2).status, 409);
  EXPECT_EQ(Client().Report(1).status, 200);
  EXPECT_EQ(Client().Report(1, 0.75).status, 200);
  EXPECT_EQ(Client().Report(INT64_MAX).status, 409);
  EXPECT_EQ(Client().Report(-1).status, 400);
  EXPECT_EQ(Client().Report(0).status, 200);  // the relay counts
  EXPECT_EQ(Client().Report(4).status, 409);
  EXPECT_EQ(Client().Report(3).status, 200);
  ASSERT_EQ(OnDisk().size(), 3);
  EXPECT_EQ(OnDisk()[0].progress().fraction(), 0.5);
}

TEST_F(RelayTest, NumbersGoOnAfterARestart) {
  EXPECT_EQ(Client().Report(1).status, 200);
  EXPECT_EQ(Client().Report(2).status, 200);
  Start();
  EXPECT_EQ(Client().Get("/v1/info").json().Find("last_seq")->as_string(), "2");
  EXPECT_EQ(Client().Report(2).status, 200);
  EXPECT_EQ(Client().Report(4).status, 409);
  EXPECT_EQ(Client().Report(3).status, 200);
  EXPECT_EQ(OnDisk().size(), 3);
}

TEST_F(RelayTest, SaysWhoTheTrialIs) {
  const Value info = Client().Get("/v1/info").json();
  EXPECT_EQ(info.Find("trial")->as_string(), "5");
  EXPECT_EQ(info.Find("hparams_json")->as_string(), "{}");
  EXPECT_EQ(info.Find("last_seq")->as_string(), "0");
}

TEST_F(RelayTest, WhatCantBeReadIsRefused) {
  for (const std::string& body : std::vector<std::string>{
           "",
           "x",
           "[]",
           "{}",
           R"({"seq":"x"})",
           R"({"unknown":1})",
           R"({"seq":1,"progress":{"fraction":2}})",
           R"({"seq":1,"progress":{"fraction":"NaN"}})",
           R"({"seq":1,"metrics":{"group":"g","metrics_json":"{"}})",
           R"({"seq":1,"metrics":{"metrics_json":"{}"}})",
           R"({"seq":1,"metrics":{"group":"g","metrics_json":"{}"},"progress":{"fraction":0}})",
           R"({"seq":1,"checkpoint":{"uuid":"../x"}})",
           std::string(100000, '['),
           std::string("\0\xff", 2)}) {
    const Answer answer = Client().Post("/v1/reports", body);
    EXPECT_EQ(answer.status, 400) << body.substr(0, 80) << ": " << answer.body;
    EXPECT_NE(answer.reason(), "") << answer.body;
  }
  EXPECT_TRUE(OnDisk().empty());
  EXPECT_EQ(Client().Get("/v1/reports").status, 404);
  EXPECT_EQ(Client().Get("/").reason(), "NO_SUCH_CALL");
}

TEST_F(RelayTest, BodiesHaveABound) {
  const auto body = [](size_t size) {
    return StrCat(R"({"seq":1,"metrics":{"group":"g","metrics_json":"{\"x\":\")",
                  std::string(size, 'x'),
                  R"(\"}"}})");
  };
  EXPECT_EQ(Client().Post("/v1/reports", body(8 << 20)).status, 413);
  EXPECT_EQ(Client().Post("/v1/reports", body(7 << 20)).status, 200);
  EXPECT_EQ(OnDisk().size(), 1);
}

TEST_F(RelayTest, PreemptionIsWaitedFor) {
  EXPECT_EQ(Client().Get("/v1/preemption").json().Find("preempt")->as_bool(), false);
  EXPECT_EQ(watched_, 1);
  auto first = std::async(std::launch::async,
                          [&] { return Client().Get("/v1/preemption?timeout_seconds=60"); });
  auto second = std::async(std::launch::async,
                           [&] { return Client().Get("/v1/preemption?timeout_seconds=60"); });
  ASSERT_TRUE(testing::Eventually([&] { return watched_ == 3; }));
  relay_->Preempt("make room");
  for (auto* waiting : {&first, &second}) {
    const Value answer = waiting->get().json();
    EXPECT_TRUE(answer.Find("preempt")->as_bool());
    EXPECT_EQ(answer.Find("reason")->as_string(), "make room");
  }
  EXPECT_TRUE(Client().Get("/v1/preemption?timeout_seconds=60").json().Find("preempt")->as_bool());
  EXPECT_EQ(acked_, 0);
  EXPECT_EQ(Client().Post("/v1/preemption/ack", "").status, 200);
  EXPECT_EQ(acked_, 1);
}

TEST_F(RelayTest, AWaitEndsByItself) {
  for (const char* query :
       {"?timeout_seconds=1", "?timeout_seconds=-7", "?timeout_seconds=x", ""}) {
    const Answer answer = Client().Get(StrCat("/v1/preemption", query));
    EXPECT_EQ(answer.status, 200) << query;
    EXPECT_FALSE(answer.json().Find("preempt")->as_bool());
  }
}

TEST_F(RelayTest, GoesWhileSomebodyWaits) {
  auto waiting = std::async(std::launch::async,
                            [&] { return Client().Get("/v1/preemption?timeout_seconds=60"); });
  ASSERT_TRUE(testing::Eventually([&] { return watched_ == 1; }));
  relay_.reset();
  EXPECT_NE(waiting.get().status, 200);
  EXPECT_EQ(Client().Get("/v1/info").status, 0);
}

TEST_F(RelayTest, AFullDiskIsToldAndLosesNothing) {
  const SmallDisk disk("256k");
  if (!disk.why_not().empty()) GTEST_SKIP() << disk.why_not();
  const std::string spool = disk / "reports";
  Start(spool);
  EXPECT_EQ(Client().Report(1).status, 200);
  disk.Fill();
  // The page that is there has room for some more.
  int64_t seq = 2;
  while (Client().Report(seq).status == 200) ++seq;
  const Answer refused = Client().Report(seq);
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.reason(), "DISK_FULL");
  // It is not taken, however often it comes.
  EXPECT_EQ(Client().Get("/v1/info").json().Find("last_seq")->as_string(), std::to_string(seq - 1));
  EXPECT_EQ(static_cast<int64_t>(OnDisk(spool).size()), seq - 1);
  disk.MakeRoom();
  EXPECT_EQ(Client().Report(seq).status, 200);
  EXPECT_EQ(static_cast<int64_t>(OnDisk(spool).size()), seq);
  EXPECT_EQ(Client().Report(seq + 1).status, 200);
  relay_.reset();
}

}  // namespace
}  // namespace det::agent
