#include <csignal>
#include <filesystem>
#include <optional>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/state/state_db.h"
#include "agent/task/task_files.h"
#include "agent/testing/fake_master.h"
#include "agent/testing/small_disk.h"
#include "common/base/status.h"
#include "common/os/fs.h"
#include "common/os/process.h"
#include "common/os/spawn.h"
#include "common/os/testing.h"
#include "common/os/unique_fd.h"

// det-agent as a process, with a master in this one. What it is killed over, it gets over.
namespace det::agent {
namespace {

namespace fs = std::filesystem;
using testing::Eventually;
using ::testing::HasSubstr;

constexpr v1::AllocationState kRunning = v1::ALLOCATION_STATE_RUNNING;
constexpr v1::AllocationState kEnded = v1::ALLOCATION_STATE_TERMINATED;

class AgentServerTest : public ::testing::Test {
 protected:
  AgentServerTest() { UseData(dir_ / "data"); }
  ~AgentServerTest() override {
    // Nothing that a test has started stays.
    master_.Desire({});
    if (pid_ == 0) Start();
    EXPECT_TRUE(Eventually([&] { return RunningShims().empty(); })) << Log();
    Stop(SIGTERM);
    if (HasFailure()) std::fprintf(stderr, "%s\n", Log().c_str());
  }

  void UseData(const std::string& data) { data_ = data; }

  void Start(const std::string& token = FakeMaster::kToken) {
    ASSERT_TRUE(AtomicWriteFile(dir_ / "token", token + "\n", 0600).ok());
    const std::string config = StrCat("data_dir: ",
                                      data_,
                                      "\nmaster: ",
                                      master_.address().target,
                                      "\njoin_token_file: ",
                                      dir_ / "token",
                                      "\nagent_id: agent\nartificial_slots: 4\n"
                                      "sampling: {every_milliseconds: 50, "
                                      "point_every_milliseconds: 200}\nlog: {file: ",
                                      dir_ / "log",
                                      "}\n");
    ASSERT_TRUE(AtomicWriteFile(dir_ / "agent.yaml", config, 0600).ok());
    const auto pid =
        Spawn({.argv = {DET_BINARY_DIR "/bin/det-agent", "--config", dir_ / "agent.yaml"},
               .env = {"PATH=/usr/bin:/bin"}});
    ASSERT_TRUE(pid.ok()) << pid.status();
    pid_ = *pid;
  }
  // Its wait status.
  int Stop(int signal) {
    if (pid_ <= 0) return -1;
    ::kill(pid_, signal);
    int status = 0;
    EXPECT_EQ(::waitpid(pid_, &status, 0), pid_);
    pid_ = 0;
    return status;
  }
  bool Lives() const { return ::kill(pid_, 0) == 0 && ::waitpid(pid_, nullptr, WNOHANG) == 0; }

  // Shell commands by allocation.
  void Desire(const std::map<int64_t, std::string>& commands,
              v1::StopLevel level = v1::STOP_LEVEL_RUN) {
    v1::DesiredSet desired;
    for (const auto& [id, command] : commands) {
      v1::DesiredAllocation* a = desired.add_allocations();
      a->set_id(id);
      a->set_run(1);
      a->set_level(level);
      v1::RunOrder* order = a->mutable_order();
      order->set_trial(100 + id);
      order->set_hparams_json("{}");
      order->set_config_json("{}");
      order->set_checkpoint_directory(dir_ / "checkpoints");
      if (command.empty()) continue;
      order->add_entrypoint(command);
      order->set_entrypoint_is_shell(true);
    }
    master_.Desire(desired);
  }
  ::testing::AssertionResult Reaches(int64_t id, v1::AllocationState state) const {
    if (Eventually([&] { return master_.last(id).state() == state; }))
      return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << "it is " << master_.last(id).ShortDebugString();
  }
  std::string Log() const { return ReadFile(dir_ / "log", 1 << 24).value_or(""); }
  bool Logged(const std::string& text) const { return Log().find(text) != std::string::npos; }
  std::string Task(int64_t id) const { return StrCat(data_, "/tasks/", id); }
  ProcessId Shim(int64_t id) const { return TaskFiles(Task(id)).ReadShim()->shim; }
  std::vector<ProcessId> RunningShims() const {
    std::vector<ProcessId> running;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(data_ + "/tasks", ignored)) {
      const auto record = TaskFiles(entry.path()).ReadShim();
      if (record.ok() && IsAlive(record->shim).value_or(true)) running.push_back(record->shim);
    }
    return running;
  }
  void KillShim(const ProcessId& shim) const {
    EXPECT_TRUE(Signal(shim, SIGKILL).ok());
    EXPECT_TRUE(Eventually([&] { return !IsAlive(shim).value_or(true); }));
  }
  // A task that ends once it is told to.
  std::string Waits(int64_t id) const {
    return StrCat("until [ -e ", dir_ / "go", id, " ]; do sleep 0.02; done; exit ", id);
  }
  void LetGo(int64_t id) const {
    ASSERT_TRUE(AtomicWriteFile(StrCat(dir_ / "go", id), "", 0600).ok());
  }
  static void Spoil(const std::string& path) {
    ASSERT_TRUE(AtomicWriteFile(path, "nonsense", 0600).ok());
  }

  testing::TempDir dir_;
  FakeMaster master_;
  std::string data_;
  pid_t pid_ = 0;
};

TEST_F(AgentServerTest, RunsATaskToItsEndAndForgetsIt) {
  Start();
  Desire({{1, R"(echo '{"det":{"validation":{"x":1},"steps":3}}'; exit 4)"}});
  ASSERT_TRUE(Reaches(1, kEnded));
  EXPECT_EQ(master_.last(1).exit().code(), 4);
  // Its report came before its end.
  EXPECT_EQ(
      master_.WithLedger([](const Ledger& ledger) { return ledger.Reports(1, kLogReportStream); })
          .size(),
      1);
  Desire({});
  EXPECT_TRUE(Eventually([&] { return !fs::exists(Task(1)); }));
  EXPECT_TRUE(fs::is_empty(data_ + "/run"));
}

// With no code of its own for it.
TEST_F(AgentServerTest, WhatATaskUsesIsTold) {
  Start();
  Desire({{1, "while :; do :; done"}});
  ASSERT_TRUE(Reaches(1, kRunning));
  const auto samples = [&] {
    return master_.WithLedger(
        [](const Ledger& ledger) { return ledger.Reports(1, kSampleStream); });
  };
  ASSERT_TRUE(Eventually([&] { return samples().size() >= 6; }));
  std::map<std::string, std::string> last;
  for (const v1::Report& report : samples())
    last[report.metrics().group()] = report.metrics().metrics_json();
  EXPECT_THAT(last["cpu"], HasSubstr("\"cpu_util_simple\":"));
  EXPECT_THAT(last["cpu"], ::testing::Not(HasSubstr("\"task_cpu_percent\":0.0}")));
  EXPECT_THAT(last["memory"], HasSubstr("\"task_memory_bytes\":"));
  EXPECT_THAT(last["disk"], HasSubstr("\"disk_throughput_write\":"));
}

TEST_F(AgentServerTest, ATaskThatCantBeStartedEnds) {
  Start();
  Desire({{1, ""}, {2, "true ${hp.none}"}});
  ASSERT_TRUE(Reaches(1, kEnded));
  ASSERT_TRUE(Reaches(2, kEnded));
  EXPECT_EQ(master_.last(1).exit().kind(), v1::Exit::KIND_PREPARE_FAILED);
  EXPECT_EQ(master_.last(2).exit().kind(), v1::Exit::KIND_START_FAILED);
}

TEST_F(AgentServerTest, AWrongTokenIsSaidAndItStaysUp) {
  Start("wrong");
  ASSERT_TRUE(Eventually([&] { return master_.refused() >= 2; }));
  EXPECT_TRUE(Lives());
  EXPECT_TRUE(Logged("the join token is wrong"));
  EXPECT_EQ(Stop(SIGTERM), 0);
}

TEST_F(AgentServerTest, EndsCleanlyAtAnyInstant) {
  for (int i = 0; i < 6; ++i) {
    Start();
    const auto known = master_.hellos().size();
    if (i % 2 == 0) {
      ASSERT_TRUE(Eventually([&] { return master_.hellos().size() > known; }));
    }
    Desire({{i + 1, "sleep 100"}});
    const int status = Stop(SIGTERM);
    // It may not have come to minding its signals.
    EXPECT_TRUE(status == 0 || (i % 2 == 1 && status == SIGTERM)) << i << ": " << status;
  }
}

// Somebody removed what it had on disk.
TEST_F(AgentServerTest, ATaskWithoutATraceIsLost) {
  Start();
  Desire({{1, "sleep 100"}});
  ASSERT_TRUE(Reaches(1, kRunning));
  Stop(SIGKILL);
  KillShim(Shim(1));
  ASSERT_TRUE(RemoveTree(Task(1)).ok());
  Start();
  ASSERT_TRUE(Reaches(1, kEnded));
  EXPECT_EQ(master_.last(1).exit().kind(), v1::Exit::KIND_LOST);
}

TEST_F(AgentServerTest, ADamagedRecordOfARunningTaskDoesNotLoseIt) {
  Start();
  Desire({{1, Waits(1)}, {2, Waits(2)}, {3, Waits(3)}});
  for (const int64_t id : {1, 2, 3}) ASSERT_TRUE(Reaches(id, kRunning));
  Stop(SIGKILL);
  Spoil(data_ + "/state/1.held");
  Spoil(TaskFiles(Task(2)).exit());  // the shim is alive, whatever this says
  ASSERT_TRUE(RemoveTree(data_ + "/state/3.held").ok());
  const auto connections = master_.hellos().size();
  Start();
  ASSERT_TRUE(Eventually([&] { return master_.hellos().size() > connections; }));
  const v1::Hello hello = master_.hellos().back();
  ASSERT_EQ(hello.held_size(), 3);
  for (const v1::HeldAllocation& held : hello.held()) EXPECT_EQ(held.state(), kRunning);
  for (const int64_t id : {1, 2, 3}) LetGo(id);
  for (const int64_t id : {1, 2, 3}) {
    ASSERT_TRUE(Reaches(id, kEnded));
    EXPECT_EQ(master_.last(id).exit().code(), id) << id;
  }
  EXPECT_TRUE(Logged("a task's record can't be read"));
  EXPECT_EQ(*ReadFile(data_ + "/state/1.held.damaged", 100), "nonsense");
}

// While the second run is being taken up, the first ends: what is saved of that stays.
TEST_F(AgentServerTest, WhatComesDuringARestartIsNotUndone) {
  Start();
  Desire({{1, Waits(1)}, {2, Waits(2)}});
  for (const int64_t id : {1, 2}) ASSERT_TRUE(Reaches(id, kRunning));
  Stop(SIGKILL);
  // Taking a run up reads its token, which now lasts until somebody writes it.
  const auto token = [&](int64_t id) { return Task(id) + "/token"; };
  for (const int64_t id : {1, 2}) {
    ASSERT_EQ(unlink(token(id).c_str()), 0);
    ASSERT_EQ(mkfifo(token(id).c_str(), 0600), 0);
  }
  Start();
  UniqueFd writer;
  const auto is_read = [&](int64_t id) {
    writer = UniqueFd(open(token(id).c_str(), O_WRONLY | O_NONBLOCK));
    return writer.valid();
  };
  const auto let_read = [&](int64_t id) {
    EXPECT_TRUE(WriteAll(writer.get(), "token", token(id)).ok());
    writer.Reset();
  };
  int64_t first = 1;
  ASSERT_TRUE(Eventually([&] { return is_read(first) || is_read(first = 3 - first); }));
  let_read(first);
  const int64_t second = 3 - first;
  ASSERT_TRUE(Eventually([&] { return is_read(second); }));
  const auto record = [&] {
    return ReadFile(StrCat(data_, "/state/", first, ".held"), 1 << 20).value_or("");
  };
  const std::string before = record();
  LetGo(first);
  ASSERT_TRUE(Eventually([&] { return RunningShims().size() == 1; }));
  // Should its end be saved before its turn, it is by now.
  (void)Eventually([&] { return record() != before; }, absl::Milliseconds(500));
  let_read(second);
  ASSERT_TRUE(Reaches(first, kEnded));
  Stop(SIGKILL);
  const auto loaded = StateDb::Open(data_ + "/state")->Load();
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  ASSERT_EQ(loaded->held.size(), 2);
  for (const Held& held : loaded->held)
    EXPECT_EQ(held.phase, held.id.value() == first ? Phase::kExited : Phase::kRunning);
  ASSERT_TRUE(AtomicWriteFile(token(second), "token", 0600).ok());
}

TEST_F(AgentServerTest, ATokenThatIsNoneEndsTheStart) {
  for (const char* token : {"", "tok\xc3\xa9n", "two words"}) {
    Start(token);
    int status = 0;
    ASSERT_EQ(::waitpid(pid_, &status, 0), pid_);
    pid_ = 0;
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) != 0) << token << ": " << status;
  }
}

TEST_F(AgentServerTest, AStateThatCantBeReadEndsTheStart) {
  const std::string record = data_ + "/state/1.held";
  ASSERT_TRUE(MakeDirs(data_ + "/state", 0700).ok());
  ASSERT_TRUE(AtomicWriteFile(record, "det held 99 0000000000000000\n", 0600).ok());
  Start();
  int status = 0;
  ASSERT_EQ(::waitpid(pid_, &status, 0), pid_);
  pid_ = 0;
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) != 0) << status;
  EXPECT_EQ(*ReadFile(record, 100), "det held 99 0000000000000000\n");
  ASSERT_EQ(unlink(record.c_str()), 0);
}

TEST_F(AgentServerTest, DamagedRecordsOfAnEndedTaskLoseItAlone) {
  Start();
  Desire({{1, "sleep 100"}, {2, "sleep 100"}, {3, Waits(3)}});
  for (const int64_t id : {1, 2, 3}) ASSERT_TRUE(Reaches(id, kRunning));
  Stop(SIGKILL);
  for (const int64_t id : {1, 2}) {
    KillShim(Shim(id));
    Spoil(TaskFiles(Task(id)).shim());
    Spoil(TaskFiles(Task(id)).order());
  }
  Spoil(data_ + "/state/2.held");
  Start();
  for (const int64_t id : {1, 2}) {
    ASSERT_TRUE(Reaches(id, kEnded));
    EXPECT_EQ(master_.last(id).exit().kind(), v1::Exit::KIND_LOST);
    EXPECT_THAT(master_.last(id).exit().text(), HasSubstr("damaged"));
  }
  EXPECT_TRUE(Logged("a task is lost"));
  LetGo(3);
  ASSERT_TRUE(Reaches(3, kEnded));
  EXPECT_EQ(master_.last(3).exit().code(), 3);
  Desire({});
  for (const int64_t id : {1, 2}) {
    const std::string kept = StrCat(data_, "/damaged/", id, "/shim");
    EXPECT_TRUE(Eventually([&] { return fs::exists(kept); }));
  }
  EXPECT_TRUE(Eventually([&] { return fs::is_empty(data_ + "/tasks"); }));
  EXPECT_TRUE(Logged("/damaged/1"));
}

class FullDisk : public AgentServerTest {
 protected:
  FullDisk() : disk_("24m") { UseData(disk_ / "data"); }

  SmallDisk disk_;
};

// One that fills the disk by printing is stopped although the disk is full.
TEST_F(FullDisk, ATaskThatPrintsWithoutEndCanBeStopped) {
  if (!disk_.why_not().empty()) {
    UseData(dir_ / "data");
    GTEST_SKIP() << disk_.why_not();
  }
  master_.hold_acks = true;
  Start();
  Desire({{1, "exec yes 'a line without end, again and again'"}});
  ASSERT_TRUE(Reaches(1, kRunning));
  ASSERT_TRUE(Eventually([&] { return fs::space(disk_.path()).available < (1 << 20); }));
  EXPECT_TRUE(Lives());
  // Another one has no room to speak of, and is told of anyway.
  Desire({{1, ""}, {2, "exit 2"}});
  ASSERT_TRUE(Reaches(2, kEnded));
  Desire({{1, ""}}, v1::STOP_LEVEL_KILL);
  ASSERT_TRUE(Eventually([&] { return RunningShims().empty(); }));
}

TEST_F(FullDisk, WithoutAnyRoomItWaitsSaysSoAndGoesOn) {
  if (!disk_.why_not().empty()) {
    UseData(dir_ / "data");
    GTEST_SKIP() << disk_.why_not();
  }
  Start();
  Desire({{1, Waits(1)}});
  ASSERT_TRUE(Reaches(1, kRunning));
  disk_.Fill();
  // What is in reserve lasts for a while only.
  for (int64_t id = 2; id < 40 && !Logged("can't be saved"); ++id) {
    disk_.Fill();
    Desire({{1, Waits(1)}, {id, "true"}});
    ASSERT_TRUE(
        Eventually([&] { return Logged("can't be saved") || master_.last(id).state() == kEnded; }));
  }
  EXPECT_TRUE(Logged("the agent's state can't be saved; waiting")) << Log();
  EXPECT_TRUE(Logged("No space left"));
  const int64_t beats = master_.heartbeats();
  EXPECT_TRUE(Eventually([&] { return master_.heartbeats() > beats; })) << "it is not up";
  disk_.MakeRoom();
  LetGo(1);
  ASSERT_TRUE(Reaches(1, kEnded));
  EXPECT_EQ(master_.last(1).exit().code(), 1);
}

}  // namespace
}  // namespace det::agent
