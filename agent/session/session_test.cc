#include <algorithm>
#include <atomic>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/session/control_link.h"
#include "agent/session/convert.h"
#include "agent/session/shipper.h"
#include "agent/testing/fake_master.h"
#include "agent/testing/run_spool.h"
#include "common/log/log.h"
#include "common/os/process.h"
#include "common/os/testing.h"
#include "common/os/unique_fd.h"

// The connections to a master that behaves well and badly.
namespace det::agent {
namespace {

using testing::Eventually;

constexpr int64_t kRun = RunSpool::kAllocation;

TEST(Backoff, GrowsToItsBoundsAndStartsAnew) {
  Backoff backoff;
  for (int round = 0; round < 2; ++round) {
    absl::Duration waited;
    for (int i = 0; i < 1000; ++i) {
      const absl::Duration next = backoff.Next();
      EXPECT_GE(next, absl::Milliseconds(100));
      EXPECT_LE(next, i == 0 ? absl::Milliseconds(500) : absl::Seconds(10));
      if (waited < absl::Minutes(4)) {
        EXPECT_LE(next, absl::Seconds(2));
      }
      waited += next;
    }
    EXPECT_GT(waited, absl::Minutes(30));
    backoff.Reset();
  }
}

TEST(Convert, StatesAndLevelsThatDontExist) {
  EXPECT_EQ(FromProto(static_cast<v1::AllocationState>(99)), Phase::kExited);
  EXPECT_EQ(FromProto(static_cast<v1::AllocationState>(-9)), Phase::kAccepted);
  for (const Phase phase : {Phase::kAccepted, Phase::kStarting, Phase::kExited})
    EXPECT_EQ(FromProto(ToProto(phase)), phase);
  v1::DesiredSet desired;
  desired.add_allocations()->set_level(static_cast<v1::StopLevel>(77));
  desired.add_allocations();
  EXPECT_EQ(FromProto(desired).allocations[0].level, StopLevel::kKill);
  EXPECT_EQ(FromProto(desired).allocations[1].level, StopLevel::kRun);
  EXPECT_TRUE(FromProto(desired).allocations[1].order.empty());
}

// A port that something listens on which never says a word, not even that there is HTTP/2.
class DumbServer {
 public:
  DumbServer() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(fd_, 100), 0);
    EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~DumbServer() { close(fd_); }
  int port() const { return port_; }
  // Until somebody is there.
  void AwaitClient() {
    const int client = accept(fd_, nullptr, nullptr);
    EXPECT_GE(client, 0);
    clients_.emplace_back(client);
  }

 private:
  std::vector<UniqueFd> clients_;
  int fd_;
  int port_ = 0;
};

// What is logged goes into a file that can be read.
class LinkTest : public ::testing::Test {
 protected:
  LinkTest() { EXPECT_TRUE(InitLog({.file = log_}).ok()); }
  ~LinkTest() override {
    link_.reset();
    (void)InitLog({}).ok();
  }

  void Connect(const MasterAddress& address, absl::Duration patience = absl::Seconds(10)) {
    link_ = std::make_unique<ControlLink>(
        address,
        ControlLink::Events{.hello =
                                [this] {
                                  ++hellos_;
                                  v1::Hello hello;
                                  hello.set_agent_id("agent");
                                  hello.add_slots()->set_name("a CPU \xae");
                                  return hello;
                                },
                            .on_welcome = [this](const v1::Welcome&) { ++welcomes_; },
                            .on_desired = [this](const v1::DesiredSet&) { ++desired_; },
                            .on_status_ack = [this](const v1::StatusAck&) { ++acks_; },
                            .on_disconnected = [this] { ++disconnects_; },
                            .generation = [] { return int64_t{5}; }},
        patience);
    link_->Start();
  }
  void SendStatus() {
    v1::Status status;
    status.set_allocation(3);
    link_->Send(status);
  }
  bool Logged(const std::string& text) const {
    return ReadFile(log_, 1 << 20).value_or("").find(text) != std::string::npos;
  }

  testing::TempDir dir_;
  const std::string log_ = dir_ / "log";
  std::atomic<int> hellos_{0};
  std::atomic<int> welcomes_{0};
  std::atomic<int> desired_{0};
  std::atomic<int> acks_{0};
  std::atomic<int> disconnects_{0};
  std::unique_ptr<ControlLink> link_;
};

TEST_F(LinkTest, CarriesWhatBothSay) {
  FakeMaster master;
  master.acks = 3;  // more than once
  Connect(master.address());
  ASSERT_TRUE(Eventually([&] { return welcomes_ == 1; }));
  EXPECT_EQ(master.hellos()[0].agent_id(), "agent");
  SendStatus();
  EXPECT_TRUE(Eventually([&] { return acks_ == 3; }));
  EXPECT_EQ(master.statuses()[0].allocation(), 3);
  master.Desire({});
  EXPECT_TRUE(Eventually([&] { return desired_ == 1; }));
}

// A master that can't read a message ends the connection, and the agent would say the same again.
TEST_F(LinkTest, TextOfAnyBytesArrives) {
  FakeMaster master;
  Connect(master.address());
  ASSERT_TRUE(Eventually([&] { return welcomes_ == 1; }));
  EXPECT_EQ(master.hellos()[0].slots(0).name(), "a CPU \xEF\xBF\xBD");
  v1::Status status;
  status.set_allocation(3);
  status.mutable_exit()->set_text("half of \xc3");
  link_->Send(status);
  ASSERT_TRUE(Eventually([&] { return acks_ == 1; }));
  EXPECT_EQ(master.statuses()[0].exit().text(), "half of \xEF\xBF\xBD");
  EXPECT_EQ(disconnects_, 0);
}

TEST_F(LinkTest, ComesBackToAMasterThatWasAway) {
  std::optional<FakeMaster> master(std::in_place);
  const int port = master->port();
  const MasterAddress address = master->address();
  master.reset();
  Connect(address);
  ASSERT_TRUE(Eventually([&] { return hellos_ >= 2; }));
  SendStatus();  // goes nowhere
  for (int life = 1; life <= 2; ++life) {
    master.emplace(port);
    ASSERT_TRUE(Eventually([&] { return welcomes_ == life; }));
    EXPECT_TRUE(master->statuses().empty());
    master.reset();
    ASSERT_TRUE(Eventually([&] { return disconnects_ == life; }));
  }
  EXPECT_TRUE(Logged("no connection to the master"));
}

TEST_F(LinkTest, AMasterThatHangsUpIsNotBesieged) {
  FakeMaster master;
  master.hang_up = true;
  const absl::Duration begin = SteadyNow();
  Connect(master.address());
  ASSERT_TRUE(Eventually([&] { return disconnects_ >= 4; }));
  // At least a tenth of a second between two tries.
  EXPECT_GE(SteadyNow() - begin, absl::Milliseconds(250));
  EXPECT_EQ(welcomes_, disconnects_);
}

TEST_F(LinkTest, AWrongTokenIsSaidOnceAndTriedOn) {
  FakeMaster master;
  Connect(master.address("wrong"));
  ASSERT_TRUE(Eventually([&] { return master.refused() >= 3; }));
  EXPECT_EQ(welcomes_, 0);
  EXPECT_TRUE(Logged("the join token is wrong"));
  const std::string log = *ReadFile(log_, 1 << 20);
  EXPECT_EQ(log.find("the join token is wrong"), log.rfind("the join token is wrong"));
  EXPECT_FALSE(Logged("wrong\" "));
}

TEST_F(LinkTest, AMasterThatTakesTheHelloAndNothingMoreIsGivenUp) {
  FakeMaster master;
  master.silent = true;
  Connect(master.address(), absl::Milliseconds(50));
  ASSERT_TRUE(Eventually([&] { return master.hellos().size() >= 2; }));
  EXPECT_TRUE(Logged("it does not answer"));
  master.silent = false;
  EXPECT_TRUE(Eventually([&] { return welcomes_ == 1; }));
}

TEST_F(LinkTest, EndsAtOnceWhateverThePeerDoes) {
  const auto ends = [&] {
    const absl::Duration begin = SteadyNow();
    link_.reset();
    EXPECT_LT(SteadyNow() - begin, absl::Seconds(5));
  };
  DumbServer dumb;
  Connect({.target = StrCat("127.0.0.1:", dumb.port()), .agent_id = "agent"});
  dumb.AwaitClient();
  ends();
  FakeMaster silent;
  silent.silent = true;
  Connect(silent.address());
  ASSERT_TRUE(Eventually([&] { return !silent.hellos().empty(); }));
  ends();
  Connect({.target = "no.such.host.invalid:1", .agent_id = "agent"});
  ends();
}

class ShipperTest : public LinkTest {
 protected:
  void Start(const MasterAddress& address) {
    shipper_ = std::make_unique<Shipper>(address, [this](AllocationId id) {
      EXPECT_EQ(id.value(), kRun);
      ++drained_;
    });
    shipper_->Add(AllocationId(kRun), spool_.options());
  }
  void Fill(int reports = 100) {
    for (int i = 0; i < reports; ++i) spool_.Report(0.5);
    spool_.Print(R"({"det":{"validation":{"x":1},"steps":4}})");
    spool_.PrintMany(500, "a line");
  }
  static bool Has(const FakeMaster& master, const RunSpool& spool) {
    return master.WithLedger([&](const Ledger& ledger) {
      return static_cast<int64_t>(ledger.Reports(kRun, kRelayStream).size()) == spool.reported() &&
             static_cast<int64_t>(ledger.Logs(kRun).size()) == spool.printed();
    });
  }

  RunSpool spool_;
  std::atomic<int> drained_{0};
  std::unique_ptr<Shipper> shipper_;
};

// Looking once a second, as is done in case something went amiss, would take half of one a line.
TEST_F(ShipperTest, IsWokenByWhatIsPrinted) {
  FakeMaster master;
  spool_.Print("the first");
  Start(master.address());
  ASSERT_TRUE(Eventually([&] { return Has(master, spool_); }));
  std::vector<absl::Duration> delays;
  for (int line = 0; line < 21; ++line) {
    const absl::Duration printed = SteadyNow();
    spool_.Print("another");
    ASSERT_TRUE(Eventually([&] { return Has(master, spool_); }));
    delays.push_back(SteadyNow() - printed);
  }
  std::sort(delays.begin(), delays.end());
  EXPECT_LT(delays[10], absl::Milliseconds(250));
}

TEST_F(ShipperTest, CarriesEverythingAndSaysWhenItIsDone) {
  FakeMaster master;
  master.acks = 2;
  Fill();
  Start(master.address());
  ASSERT_TRUE(Eventually([&] { return Has(master, spool_); }));
  EXPECT_EQ(drained_, 0);
  spool_.Report(1);
  shipper_->Wake();
  shipper_->MarkFinal(AllocationId(kRun));
  EXPECT_TRUE(Eventually([&] { return drained_ == 1; }));
  EXPECT_TRUE(Has(master, spool_));
  std::atomic<bool> gone{false};
  shipper_->Remove(AllocationId(kRun), [&] { gone = true; });
  EXPECT_TRUE(Eventually([&] { return gone.load(); }));
  shipper_->Remove(AllocationId(99), [&] { gone = false; });
  EXPECT_FALSE(gone);  // of nobody: at once
  EXPECT_EQ(drained_, 1);
  shipper_.reset();
}

TEST_F(ShipperTest, WaitsForAMasterThatIsAwayAndKeepsWhatItDidNotAcknowledge) {
  std::optional<FakeMaster> master(std::in_place);
  const int port = master->port();
  master->hold_acks = true;
  Fill();
  Start(master->address());
  shipper_->MarkFinal(AllocationId(kRun));
  ASSERT_TRUE(Eventually([&] { return master->shipments() >= 2; }));
  EXPECT_EQ(drained_, 0);
  master.reset();
  master.emplace(port);
  EXPECT_TRUE(Eventually([&] { return drained_ == 1; }));
  EXPECT_TRUE(Eventually([&] { return Has(*master, spool_); }));
  shipper_.reset();
}

TEST_F(ShipperTest, ARefusalIsSaidOnceAndTriedOn) {
  FakeMaster master;
  master.refuse_data = true;
  Fill();
  const absl::Duration begin = SteadyNow();
  Start(master.address());
  // Reports go on coming, and don't hurry it.
  ASSERT_TRUE(Eventually([&] {
    shipper_->Wake();
    return master.shipments() >= 3;
  }));
  EXPECT_GE(SteadyNow() - begin, absl::Milliseconds(200));
  EXPECT_TRUE(Logged("the master refuses data"));
  const std::string log = *ReadFile(log_, 1 << 20);
  EXPECT_EQ(log.find("refuses data"), log.rfind("refuses data"));
  master.refuse_data = false;
  EXPECT_TRUE(Eventually([&] { return Has(master, spool_); }));
  shipper_.reset();
}

TEST_F(ShipperTest, AWrongTokenIsSaid) {
  FakeMaster master;
  Fill();
  Start(master.address("wrong"));
  EXPECT_TRUE(Eventually([&] { return Logged("the join token is wrong"); }));
  EXPECT_EQ(master.shipments(), 0);
  shipper_.reset();
}

TEST_F(ShipperTest, EndsAtOnceWhateverThePeerDoes) {
  DumbServer dumb;
  Fill();
  Start({.target = StrCat("127.0.0.1:", dumb.port()), .agent_id = "agent"});
  dumb.AwaitClient();
  const absl::Duration begin = SteadyNow();
  shipper_.reset();
  EXPECT_LT(SteadyNow() - begin, absl::Seconds(5));
}

// The end of a run is told although nobody can be told anything else.
TEST_F(ShipperTest, ARunThatReportedNothingIsDrainedWithoutAMaster) {
  Start({.target = "127.0.0.1:1", .agent_id = "agent"});
  shipper_->MarkFinal(AllocationId(kRun));
  EXPECT_TRUE(Eventually([&] { return drained_ == 1; }));
  shipper_.reset();
}

TEST_F(ShipperTest, OneRunsBadSpoolDoesNotHoldUpAnother) {
  FakeMaster master;
  Fill();
  ASSERT_TRUE(AtomicWriteFile(dir_ / "file", "x", 0600).ok());
  Start(master.address());
  shipper_->Add(AllocationId(8),
                {.allocation = 8,
                 .trial = 1,
                 .reports_directory = dir_ / "file",
                 .log_directory = dir_ / "file"});
  EXPECT_TRUE(Eventually([&] { return Has(master, spool_); }));
  ASSERT_TRUE(Eventually([&] { return Logged("a spool can't be read"); }));
  const int64_t before = master.shipments();
  for (int i = 0; i < 5; ++i) {
    spool_.Report(1);
    ASSERT_TRUE(Eventually([&] { return Has(master, spool_); }));
  }
  EXPECT_GT(master.shipments(), before);
  const std::string log = *ReadFile(log_, 1 << 20);
  EXPECT_EQ(log.find("a spool can't"), log.rfind("a spool can't"));
  shipper_.reset();
}

}  // namespace
}  // namespace det::agent
