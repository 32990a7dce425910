#include <csignal>
#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cluster/daemon.h"
#include "cli/cluster/settings.h"
#include "cli/testing/run_cli.h"
#include "cli/testing/temp_dir.h"
#include "common/base/strings.h"
#include "common/json/json.h"
#include "common/os/testing.h"

namespace det::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// `det up` and `det down` with the real programs.
class UpTest : public ::testing::Test {
 protected:
  UpTest() {
    // PostgreSQL's user passes through.
    chmod(home_.path().c_str(), 0711);
    runner_.UnsetEnv("DET_MASTER");
    runner_.SetEnv("HOME", home_.path());
    runner_.SetEnv("PATH", DET_BINARY_DIR "/bin");
  }
  ~UpTest() override { EXPECT_EQ(Det("down").code, ExitCode::kOk); }

  CliResult Det(const std::string& verb) const {
    return runner_.Run(StrCat(verb, " --data-dir ", layout_.data()));
  }
  // Of `det up -o json`.
  Value Up(const std::string& options = "") const {
    const CliResult result = Det(StrCat("up --slots 2 -o json ", options));
    EXPECT_EQ(result.code, ExitCode::kOk) << result.err;
    return ParseJson(result.out).value_or(Value());
  }
  ProcessId Master() const { return FindDaemon(MasterDaemon(layout_))->value(); }
  ProcessId Agent() const {
    return FindDaemon(AgentDaemon(layout_, layout_.agent_data()))->value();
  }
  static void KillHard(const ProcessId& id) {
    ASSERT_TRUE(Signal(id, SIGKILL).ok());
    ASSERT_TRUE(det::testing::Eventually([&] { return !*IsAlive(id); }));
  }

  const det::testing::TempDir home_;
  const Layout layout_{home_ / "data"};
  CliRunner runner_{""};
};

TEST_F(UpTest, StartsWhatIsMissingAndNoMore) {
  const Value first = Up();
  EXPECT_TRUE(first.Find("master_started")->as_bool());
  EXPECT_EQ(first.Find("slots")->as_int(), 2);
  const ProcessId master = Master();
  const ProcessId agent = Agent();
  const Value second = Up();
  EXPECT_FALSE(second.Find("master_started")->as_bool());
  EXPECT_FALSE(second.Find("agent_started")->as_bool());
  EXPECT_EQ(Master(), master);
  EXPECT_EQ(Agent(), agent);
  KillHard(agent);
  EXPECT_TRUE(Up().Find("agent_started")->as_bool());
  EXPECT_EQ(Master(), master);
  KillHard(master);
  const Value fourth = Up();
  EXPECT_TRUE(fourth.Find("master_started")->as_bool());
  EXPECT_FALSE(fourth.Find("agent_started")->as_bool());
  EXPECT_EQ(*fourth.Find("master"), *first.Find("master"));
  EXPECT_EQ(*fourth.Find("cluster_id"), *first.Find("cluster_id"));
}

TEST_F(UpTest, OtherCommandsFindTheCluster) {
  const Value up = Up();
  const CliResult status = runner_.Run("status -o json");
  ASSERT_EQ(status.code, ExitCode::kOk) << status.err;
  EXPECT_EQ(*ParseJson(status.out)->Find("cluster_id"), *up.Find("cluster_id"));
  // Without its name, too, down finds it; twice is as good as once.
  EXPECT_THAT(runner_.Run("down").out, HasSubstr("Stopped det-agent, det-master."));
  EXPECT_THAT(runner_.Run("down").out, HasSubstr("Nothing was running"));
  const CliResult gone = runner_.Run("status");
  EXPECT_EQ(gone.code, ExitCode::kUnreachable);
  EXPECT_THAT(gone.err, HasSubstr("det up"));
}

TEST_F(UpTest, RefusesToChangeWhatRuns) {
  Up();
  const CliResult slots = Det("up --slots 3");
  EXPECT_EQ(slots.code, ExitCode::kConflict);
  EXPECT_THAT(slots.err, HasSubstr("det-agent runs already, with 2 slots"));
  const CliResult port = Det("up --grpc-port 1");
  EXPECT_EQ(port.code, ExitCode::kConflict);
  EXPECT_THAT(port.err, HasSubstr("hint: det down, then det up --grpc-port 1"));
}

TEST_F(UpTest, TakesAFreePortUnlessOneIsNamed) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(listener, 1), 0);
  socklen_t size = sizeof(address);
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  const int64_t taken = ntohs(address.sin_port);
  const CliResult refused = Det(StrCat("up --grpc-port ", taken));
  EXPECT_EQ(refused.code, ExitCode::kConflict);
  EXPECT_THAT(refused.err, HasSubstr(StrCat("port ", taken, " of 127.0.0.1 is in use")));
  // As if it had been there the last time.
  ASSERT_TRUE(WriteSettings(layout_, {.grpc_port = taken}).ok());
  const CliResult moved = Det("up");
  EXPECT_EQ(moved.code, ExitCode::kOk) << moved.err;
  EXPECT_THAT(moved.err, HasSubstr(StrCat("port ", taken, " is in use, so ")));
  EXPECT_THAT(moved.out, Not(HasSubstr(StrCat(":", taken, " "))));
  close(listener);
}

TEST_F(UpTest, FollowsAMasterThatMovesToAnotherPort) {
  Up();
  const ProcessId agent = Agent();
  KillHard(Master());
  const int64_t port = ReadSettings(layout_)->grpc_port;
  const auto other = Up(StrCat("--grpc-port ", port + 137));
  EXPECT_THAT(other.Find("master")->as_string(), HasSubstr(StrCat(port + 137)));
  EXPECT_TRUE(other.Find("agent_started")->as_bool());
  EXPECT_NE(Agent(), agent);
}

TEST_F(UpTest, SaysWhyAMasterDoesNotStart) {
  Up();
  Det("down");
  ASSERT_EQ(system(StrCat("echo 7 > ", layout_.master_data(), "/format").c_str()), 0);
  const CliResult other = Det("up");
  EXPECT_EQ(other.code, ExitCode::kFailure);
  EXPECT_THAT(other.err, HasSubstr("cause: "));
  EXPECT_THAT(other.err, HasSubstr("another version of det-master (format 7"));
  EXPECT_THAT(other.err, HasSubstr("hint: start the version that made it"));
}

TEST_F(UpTest, LeavesAnEditedConfigurationAlone) {
  Up();
  Det("down");
  const std::string edited = ReadAll(layout_.master_config()) + "log:\n  level: debug\n";
  ASSERT_EQ(truncate(layout_.master_config().c_str(), 0), 0);
  ASSERT_TRUE(AtomicWriteFile(layout_.master_config(), edited, 0600).ok());
  EXPECT_EQ(Det("up --grpc-port 4").code, ExitCode::kConflict);
  Up();
  EXPECT_EQ(ReadAll(layout_.master_config()), edited);
}

TEST_F(UpTest, EndsTasksAndTheTrialsGoOn) {
  Up();
  const TempDir files;
  const std::string config = files.Write("e.yaml",
                                         "name: long\n"
                                         "entrypoint: sh run.sh\n"
                                         "searcher: {name: single, metric: loss}\n");
  files.Write("model/run.sh", "echo begun; exec sleep 987\n");
  const CliResult created =
      runner_.Run(StrCat("experiment create ", config, " ", files.File("model")));
  ASSERT_EQ(created.code, ExitCode::kOk) << created.err;
  ASSERT_TRUE(det::testing::Eventually(
      [&] { return runner_.Run("trial logs 1").out.find("begun") != std::string::npos; }));
  const CliResult down = Det("down");
  EXPECT_THAT(down.out, HasSubstr("Stopped det-agent, 1 task, det-master."));
  EXPECT_THAT(down.out, HasSubstr("go on from their last checkpoints"));
  Up();
  ASSERT_TRUE(det::testing::Eventually([&] {
    return runner_.Run("trial describe 1").out.find("runs        2") != std::string::npos;
  }));
  EXPECT_THAT(runner_.Run("trial describe 1").out, HasSubstr("0 by its own faults"));
}

TEST_F(UpTest, LeavesNothingBehind) {
  Up();
  const auto ours = [this] {
    std::vector<std::string> lines;
    const auto all = AllProcesses();
    for (const ProcessStat& process : all.value()) {
      const auto line = det::ReadFile(StrCat("/proc/", process.id.pid, "/cmdline"), 1 << 20);
      if (line.ok() && line->find(layout_.data()) != std::string::npos) lines.push_back(*line);
    }
    return lines;
  };
  EXPECT_THAT(ours(), ::testing::SizeIs(::testing::Ge(3)));  // PostgreSQL is the third
  // However its master ends, PostgreSQL does too.
  KillHard(Master());
  EXPECT_THAT(Det("down").out, HasSubstr("Stopped det-agent."));
  EXPECT_THAT(ours(), ::testing::IsEmpty());
}

TEST_F(UpTest, ChecksItsOptions) {
  EXPECT_EQ(Det("up --slots 0").code, ExitCode::kUsage);
  EXPECT_EQ(Det("up --grpc-port 70000").code, ExitCode::kUsage);
  EXPECT_EQ(Det("up --grpc-port 5 --http-port 5").code, ExitCode::kUsage);
  EXPECT_EQ(Det("up --slots two").code, ExitCode::kUsage);
}

}  // namespace
}  // namespace det::cli
