#include <csignal>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include "agent/task/mark.h"
#include "common/os/spawn.h"
#include "tests/conformance/bench.h"

// Tasks that do not want to end.
namespace det::agent {
namespace {

using spool::LogSource;
using testing::Eventually;
using ::testing::HasSubstr;

class Trees : public RealTask {
 protected:
  absl::Duration TimeToEnd(absl::Duration at_most = absl::Seconds(60)) {
    const absl::Duration began = SteadyNow();
    exit_ = WaitForExit(at_most);
    return SteadyNow() - began;
  }
  // Nothing of the task is left anywhere.
  void ExpectNothingLeft() {
    const absl::StatusOr<ShimRecord> record = TaskFiles(directory_).ReadShim();
    ASSERT_TRUE(record.ok()) << record.status();
    const absl::StatusOr<std::vector<ProcessId>> marked = FindMarked(record->token, 0);
    ASSERT_TRUE(marked.ok()) << marked.status();
    EXPECT_EQ(marked->size(), 0);
    for (const std::string& group : record->cgroups) {
      EXPECT_NE(::access(group.c_str(), F_OK), 0) << group << " is left";
    }
  }
  bool HasCgroup() { return !TaskFiles(directory_).ReadShim()->cgroups.empty(); }

  Exit exit_;
};

TEST_F(Trees, WhoIgnoresSigtermIsKilledAfterTheGrace) {
  TaskSpec spec = TestTask({"note-ignore-sleep", note_});
  spec.grace = absl::Milliseconds(500);
  Start(spec);
  Noted(note_, 1);
  EXPECT_TRUE(runtime_->Terminate(directory_).ok());
  const absl::Duration took = TimeToEnd();
  EXPECT_GE(took, absl::Milliseconds(400));
  EXPECT_LE(took, spec.grace + absl::Seconds(1));
  EXPECT_EQ(exit_.kind, ExitKind::kSignaled);
  EXPECT_EQ(exit_.signal, SIGKILL);
  EXPECT_THAT(exit_.text, HasSubstr("500ms after SIGTERM"));
}

TEST_F(Trees, ASecondTerminateDoesNotProlongTheGrace) {
  TaskSpec spec = TestTask({"note-ignore-sleep", note_});
  spec.grace = absl::Milliseconds(600);
  Start(spec);
  Noted(note_, 1);
  const absl::Duration began = SteadyNow();
  EXPECT_TRUE(Eventually([&] {
    EXPECT_TRUE(runtime_->Terminate(directory_).ok());
    return State() == Found::State::kExited;
  }));
  EXPECT_LE(SteadyNow() - began, spec.grace + absl::Seconds(1));
}

TEST_F(Trees, SigtermReachesEverybodyAndCanBeActedOn) {
  // Each in a session of its own; each says so and leaves with a status of its own.
  const auto leaf = [&](std::string_view name) {
    return StrCat("trap 'echo ",
                  name,
                  " got it; exit 3' TERM; echo x >> ",
                  note_,
                  "; while :; do sleep 0.01; done");
  };
  Start(Shell(
      StrCat("setsid sh -c \"", leaf("a"), "\" & setsid sh -c \"", leaf("b"), "\" & ", leaf("c"))));
  Noted(dir_ / "none", 0);
  EXPECT_TRUE(Eventually([&] { return FileLines(note_).size() == 3; }));
  EXPECT_TRUE(runtime_->Terminate(directory_).ok());
  EXPECT_LE(TimeToEnd(), absl::Seconds(5));
  EXPECT_EQ(exit_.kind, ExitKind::kExited);
  EXPECT_EQ(exit_.code, 3);
  const std::string text = ReadLog(directory_).Text(LogSource::kStdout);
  for (const std::string name : {"a got it", "b got it", "c got it"}) {
    EXPECT_THAT(text, HasSubstr(name));
  }
}

TEST_F(Trees, AStoppedTaskHearsSigterm) {
  Start(TestTask({"note-and-sleep", note_}));
  const pid_t pid = Noted(note_, 1)[0];
  EXPECT_TRUE(Signal(*ReadProcessId(pid), SIGSTOP).ok());
  EXPECT_TRUE(runtime_->Terminate(directory_).ok());
  EXPECT_LE(TimeToEnd(), absl::Seconds(5));
  EXPECT_EQ(exit_.signal, SIGTERM);
}

TEST_F(Trees, AnEscapedDaemonIsEnded) {
  Start(TestTask({"daemon", note_}));
  const pid_t pid = Noted(note_, 1)[0];
  // Deaf to SIGTERM: drained at once, two seconds of grace, then killed.
  EXPECT_LE(TimeToEnd(), absl::Seconds(4));
  EXPECT_EQ(exit_.kind, ExitKind::kExited);
  EXPECT_EQ(exit_.code, 0);
  EXPECT_TRUE(IsGone(pid));
  ExpectNothingLeft();
}

TEST_F(Trees, AnInheritedPipeDoesNotHoldUpTheEnd) {
  Start(TestTask({"daemon-with-output", note_}));
  const pid_t pid = Noted(note_, 1)[0];
  EXPECT_LE(TimeToEnd(), absl::Seconds(5));
  EXPECT_EQ(exit_.code, 0);
  EXPECT_TRUE(IsGone(pid));
}

TEST_F(Trees, ALeftoverThatObeysEndsSoon) {
  Start(Shell("echo before; (sleep 1000; echo never) & exec 1>&- 2>&-; exit 5"));
  EXPECT_LE(TimeToEnd(), absl::Seconds(3));
  EXPECT_EQ(exit_.code, 5);
  EXPECT_EQ(ReadLog(directory_).Text(LogSource::kStdout), "before\n");
  ExpectNothingLeft();
}

TEST_F(Trees, WhatALeftoverPrintsInTimeIsKept) {
  Start(Shell("(sleep 0.2; echo late) & echo early"));
  EXPECT_LE(TimeToEnd(), absl::Seconds(2));
  EXPECT_EQ(ReadLog(directory_).Text(LogSource::kStdout), "early\nlate\n");
}

TEST_F(Trees, ZombiesOfOthersAreNoneOfItsBusiness) {
  // The children's parent never collects them.
  Start(Shell(StrCat("for i in 1 2 3 4 5 6 7 8 9; do (true &); done; exec ",
                     TaskPath(),
                     " note-and-sleep ",
                     note_)));
  Noted(note_, 1);
  EXPECT_TRUE(runtime_->Terminate(directory_).ok());
  EXPECT_LE(TimeToEnd(), absl::Seconds(2));
  EXPECT_EQ(exit_.signal, SIGTERM);
  ExpectNothingLeft();
}

TEST_F(Trees, KillEndsEverythingAtOnce) {
  Start(Shell(StrCat(TaskPath(),
                     " daemon ",
                     note_,
                     "; ",
                     TaskPath(),
                     " daemon-with-output ",
                     note_,
                     "; exec ",
                     TaskPath(),
                     " note-ignore-sleep ",
                     note_)));
  const std::vector<pid_t> pids = Noted(note_, 3);
  EXPECT_TRUE(runtime_->Kill(directory_).ok());
  EXPECT_LE(TimeToEnd(), absl::Seconds(1));
  EXPECT_EQ(exit_.signal, SIGKILL);
  EXPECT_EQ(exit_.text, "killed as ordered");
  for (const pid_t pid : pids) EXPECT_TRUE(IsGone(pid));
}

TEST_F(Trees, KillRightAfterStart) {
  for (int i = 0; i < 10; ++i) {
    Start(TestTask({"note-ignore-sleep", note_}));
    EXPECT_TRUE(runtime_->Kill(directory_).ok());
    EXPECT_LE(TimeToEnd(), absl::Seconds(2));
    EXPECT_EQ(exit_.kind, ExitKind::kSignaled);
    EXPECT_EQ(exit_.signal, SIGKILL);
    ASSERT_TRUE(runtime_->Remove(directory_).ok());
  }
}

class Bombs : public Trees, public ::testing::WithParamInterface<std::pair<const char*, bool>> {};

// Programs that fork faster than they can be killed one by one, each in a session of its own.
TEST_P(Bombs, AreBeaten) {
  TaskSpec spec = TestTask({GetParam().first, note_});
  spec.use_cgroup = GetParam().second;
  Start(spec);
  if (spec.use_cgroup && !HasCgroup()) {
    GTEST_SKIP() << "no control group can be made here: only killing by the tree is tried";
  }
  EXPECT_TRUE(Eventually([&] { return FileLines(note_).size() == 1; }));
  EXPECT_TRUE(runtime_->Kill(directory_).ok());
  EXPECT_LE(TimeToEnd(), absl::Seconds(10));
  EXPECT_EQ(exit_.signal, SIGKILL);
  ExpectNothingLeft();
}

TEST_P(Bombs, AreBeatenWithoutTheShimToo) {
  TaskSpec spec = TestTask({GetParam().first, note_});
  spec.use_cgroup = GetParam().second;
  Start(spec);
  if (spec.use_cgroup && !HasCgroup()) {
    GTEST_SKIP() << "no control group can be made here: only killing by the mark is tried";
  }
  EXPECT_TRUE(Eventually([&] { return FileLines(note_).size() == 1; }));
  EXPECT_TRUE(Signal(ShimId(), SIGKILL).ok());
  EXPECT_LE(TimeToEnd(), absl::Seconds(60));
  EXPECT_EQ(exit_.kind, ExitKind::kLost);
  ExpectNothingLeft();
}

INSTANTIATE_TEST_SUITE_P(All,
                         Bombs,
                         ::testing::Values(std::pair{"hydra", false},
                                           std::pair{"hydra", true},
                                           std::pair{"comets", false},
                                           std::pair{"comets", true}),
                         [](const auto& bomb) {
                           return StrCat(bomb.param.first, bomb.param.second ? "Grouped" : "");
                         });

TEST_F(Trees, ABoundOnProcessesHolds) {
  TaskSpec spec = Shell("for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do sleep 1000 & done; wait");
  spec.use_cgroup = true;
  spec.processes_max = 8;
  Start(spec);
  bool bounded = false;
  const std::vector<std::string> groups = TaskFiles(directory_).ReadShim()->cgroups;
  for (const std::string& group : groups) {
    bounded = bounded || ::access((group + "/pids.max").c_str(), F_OK) == 0;
  }
  if (!bounded) GTEST_SKIP() << "no pids control group can be made here: its bound is not tried";
  // The shell gives up at the first fork that is refused, so the task ends by itself.
  EXPECT_LE(TimeToEnd(), absl::Seconds(20));
  EXPECT_EQ(exit_.kind, ExitKind::kExited);
  EXPECT_NE(exit_.code, 0);
  EXPECT_THAT(ReadLog(directory_).Text(LogSource::kStderr), HasSubstr("fork"));
  ExpectNothingLeft();
}

TEST_F(Trees, WithoutAControlGroupNobodyMinds) {
  TaskSpec spec = Shell("echo fine");
  spec.use_cgroup = false;
  Start(spec);
  EXPECT_LE(TimeToEnd(), absl::Seconds(5));
  EXPECT_TRUE(TaskFiles(directory_).ReadShim()->cgroups.empty());
  EXPECT_EQ(ReadLog(directory_).Text(LogSource::kStdout), "fine\n");
}

// The bound is set on a group around the task's own, which needs a memory controller and root.
class OutOfMemory : public Trees {
 protected:
  // The memory group that this test's processes are in, "" when there is none to write to.
  std::string Own() const {
    const absl::StatusOr<std::string> own = ReadFile("/proc/self/cgroup", 1 << 16);
    for (const std::string& line : FileLines("/proc/self/cgroup")) {
      const size_t at = line.find(":memory:");
      if (at != std::string::npos) return "/sys/fs/cgroup/memory" + line.substr(at + 8);
    }
    return "";
  }
  void SetUp() override {
    group_ = StrCat(Own(), "/det-test-", ::getpid());
    if (Own().empty() || ::mkdir(group_.c_str(), 0755) != 0) {
      group_.clear();
      GTEST_SKIP() << "no memory control group (version 1) can be made here: an end for lack of "
                      "memory is not tried";
    }
    const UniqueFd limit(::open((group_ + "/memory.limit_in_bytes").c_str(), O_WRONLY | O_CLOEXEC));
    ASSERT_EQ(::write(limit.get(), "67108864", 8), 8);
  }
  void TearDown() override {
    if (!group_.empty()) {
      EXPECT_TRUE(Eventually([&] { return ::rmdir(group_.c_str()) == 0; }));
    }
  }
  // Started from within the group, so that the task's group lies below it.
  void StartInside(const TaskSpec& spec) {
    const pid_t child = ::fork();
    if (child == 0) {
      const UniqueFd procs(::open((group_ + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
      const bool joined = ::write(procs.get(), "0", 1) == 1;
      const absl::StatusOr<pid_t> owner = Spawn({.argv = {OwnerPath()}});
      ::_exit(joined && owner.ok() && NewRuntime()->Start(spec).ok() ? 0 : 1);
    }
    int status = 1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
  }

  std::string group_;
};

TEST_F(OutOfMemory, IsToldForWhatItIs) {
  TaskSpec spec = TestTask({"allocate", "300000000"});
  spec.use_cgroup = true;
  StartInside(spec);
  TimeToEnd();
  EXPECT_EQ(exit_.kind, ExitKind::kOutOfMemory) << exit_.text;
  EXPECT_EQ(exit_.signal, SIGKILL);
  EXPECT_THAT(exit_.text, HasSubstr("lack of memory"));
}

TEST_F(OutOfMemory, OfAChildThatTheShellTellsOf) {
  TaskSpec spec = Shell(TaskPath() + " allocate 300000000; exit $?");
  spec.use_cgroup = true;
  StartInside(spec);
  TimeToEnd();
  EXPECT_EQ(exit_.kind, ExitKind::kOutOfMemory) << exit_.text;
  EXPECT_EQ(exit_.code, 137);
}

TEST_F(OutOfMemory, IsNotGuessed) {
  // Killed by somebody else, in a group where the kernel counts.
  TaskSpec spec = Shell("kill -KILL $$");
  spec.use_cgroup = true;
  StartInside(spec);
  TimeToEnd();
  EXPECT_EQ(exit_.kind, ExitKind::kSignaled);
  EXPECT_EQ(exit_.signal, SIGKILL);
  EXPECT_EQ(exit_.text, "ended by SIGKILL");
}

}  // namespace
}  // namespace det::agent
