#include <csignal>
#include <cstdlib>
#include <random>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "agent/shim/shim.h"
#include "agent/task/mark.h"
#include "common/base/status.h"
#include "common/os/lock_file.h"
#include "common/os/pause.h"
#include "common/os/spawn.h"
#include "tests/conformance/bench.h"

// Beginnings, ends and crashes of real tasks.
namespace det::agent {
namespace {

using spool::LogSource;
using ::testing::HasSubstr;

class Lifecycle : public RealTask {
 protected:
  // det-shim as somebody's plain child, without --adopt. Its pid.
  pid_t RunShimByHand() {
    const absl::StatusOr<pid_t> pid = Spawn({.argv = {ShimPath(), directory_}});
    EXPECT_TRUE(pid.ok()) << pid.status();
    return pid.value_or(-1);
  }
  static int StatusOf(pid_t pid) {
    int status = 0;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  void WriteOrder(const TaskSpec& spec) {
    ASSERT_TRUE(MakeDirs(directory_, 0700).ok());
    ASSERT_TRUE(TaskFiles(directory_).WriteOrder({spec, *NewToken()}).ok());
  }
};

TEST_F(Lifecycle, GivesEnvironmentDirectoryAndMark) {
  TaskSpec spec = Shell("pwd; echo $A; echo $DET_ALLOCATION_MARK; cat; ps -o sid=,pgid= -p $$");
  spec.env = {"A=b c", "DET_ALLOCATION_MARK=x", "PATH=/usr/bin:/bin"};
  spec.workdir = "/usr";
  EXPECT_EQ(Run(spec).code, 0);
  const std::string token = TaskFiles(directory_).ReadShim()->token;
  const std::string text = ReadLog(directory_).Text(LogSource::kStdout);
  EXPECT_TRUE(text.starts_with(StrCat("/usr\nb c\n", token, "\n"))) << text;
  // It leads a session and a group of its own.
  std::istringstream rest(text.substr(text.find(token) + token.size()));
  pid_t session = 0;
  pid_t group = 0;
  rest >> session >> group;
  EXPECT_GT(session, 1);
  EXPECT_EQ(session, group);
  struct stat info {};
  ASSERT_EQ(::stat(TaskFiles(directory_).order().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U) << "the environment holds tokens";
}

TEST_F(Lifecycle, SaysWhatCannotBeStarted) {
  const std::string plain = dir_ / "plain";
  const std::string script = dir_ / "script";
  ASSERT_TRUE(AtomicWriteFile(plain, "#!/bin/sh\n", 0600).ok());
  ASSERT_TRUE(AtomicWriteFile(script, "#!/no/such/interpreter\n", 0700).ok());
  TaskSpec lost = Spec({"true"});
  lost.workdir = dir_ / "none";
  const std::vector<std::pair<TaskSpec, std::string>> cases = {
      {Spec({"/no/such/program"}), "/no/such/program"},
      {Spec({"no-such-program"}), "no-such-program"},
      {Spec({plain}), plain},
      {Spec({dir_.path()}), dir_.path()},
      {Spec({script}), "/no/such/interpreter"},
      {lost, lost.workdir},
      {Spec({"true", std::string(1 << 20, 'x')}), "too large"},
  };
  for (const auto& [spec, named] : cases) {
    const Exit exit = Run(spec);
    EXPECT_EQ(exit.kind, ExitKind::kStartFailed) << named;
    EXPECT_THAT(exit.text, HasSubstr(named));
    EXPECT_THAT(ReadLog(directory_).Text(LogSource::kAgent), HasSubstr(named));
    ASSERT_TRUE(runtime_->Remove(directory_).ok());
  }
}

TEST_F(Lifecycle, TheRunIsNotAChildOfTheRuntime) {
  Start(TestTask({"note-and-sleep", note_}));
  const pid_t pid = Noted(note_, 1)[0];
  EXPECT_EQ(ReadProcessStat(pid)->parent, ShimId().pid);
  EXPECT_NE(ReadProcessStat(ShimId().pid)->parent, ::getpid());
  EXPECT_NE(ReadProcessStat(ShimId().pid)->session, ::getsid(0));
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
}

// The agent is killed at any instant; whatever it got to, the next one finishes, and the task runs
// exactly once.
TEST_F(Lifecycle, SurvivesItsOwnersDeathAtAnyInstant) {
  const auto seed = static_cast<unsigned>(absl::ToUnixNanos(absl::Now()));
  SCOPED_TRACE(StrCat("seed ", seed));
  std::mt19937 random(seed);
  for (int i = 0; i < 40; ++i) {
    const bool terminates = i % 2 == 1;
    const absl::StatusOr<pid_t> owner = Spawn({.argv = {OwnerPath(),
                                                        ShimPath(),
                                                        TaskPath(),
                                                        directory_,
                                                        note_,
                                                        terminates ? "terminate" : "start"}});
    ASSERT_TRUE(owner.ok()) << owner.status();
    PauseFor(absl::Microseconds(random() % 40'000));
    ::kill(*owner, SIGKILL);
    ASSERT_EQ(::waitpid(*owner, nullptr, 0), *owner);
    runtime_ = NewRuntime();
    const absl::StatusOr<Found> found = runtime_->Inspect(directory_);
    ASSERT_TRUE(found.ok()) << found.status();
    if (found->state == Found::State::kNothing) {
      // That is for certain: nothing may have run.
      EXPECT_TRUE(FileLines(note_).empty());
    }
    const Exit exit = Run(TestTask({"note", note_}));
    const size_t runs = FileLines(note_).size();
    if (exit.kind == ExitKind::kExited) {
      EXPECT_EQ(runs, 1) << i;
    } else {
      EXPECT_TRUE(terminates) << i << ": " << exit.text;
      EXPECT_EQ(exit.signal, SIGTERM);
      EXPECT_LE(runs, 1);
    }
    ASSERT_TRUE(runtime_->Remove(directory_).ok());
    ASSERT_TRUE(RemoveTree(note_).ok());
  }
}

TEST_F(Lifecycle, AKilledShimTakesEverythingWithIt) {
  Start(Shell(StrCat(TaskPath(),
                     " daemon ",
                     note_,
                     " & ",
                     TaskPath(),
                     " daemon-with-output ",
                     note_,
                     " & ",
                     TaskPath(),
                     " note-ignore-sleep ",
                     note_)));
  const std::vector<pid_t> pids = Noted(note_, 3);
  EXPECT_TRUE(Signal(ShimId(), SIGKILL).ok());
  const Exit exit = WaitForExit();
  EXPECT_EQ(exit.kind, ExitKind::kLost);
  EXPECT_THAT(exit.text, HasSubstr("was killed"));
  for (const pid_t pid : pids) EXPECT_TRUE(IsGone(pid)) << pid;
}

TEST_F(Lifecycle, AKilledShimsUnmarkedProcessesAreFoundByTheirGroup) {
  TaskSpec spec = Shell(StrCat(TaskPath(), " unmarked ", note_, "; exec sleep 1000"));
  spec.use_cgroup = true;
  Start(spec);
  const pid_t pid = Noted(note_, 1)[0];
  if (TaskFiles(directory_).ReadShim()->cgroups.empty()) {
    GTEST_SKIP() << "no control group can be made here: a process that hides its mark is not tried";
  }
  EXPECT_TRUE(Signal(ShimId(), SIGKILL).ok());
  EXPECT_EQ(WaitForExit().kind, ExitKind::kLost);
  EXPECT_TRUE(IsGone(pid));
  const std::vector<std::string> groups = TaskFiles(directory_).ReadShim()->cgroups;
  for (const std::string& group : groups) {
    EXPECT_NE(::access(group.c_str(), F_OK), 0) << group << " is left";
  }
}

TEST_F(Lifecycle, AShimKilledAtAnyInstantIsLostOrDone) {
  const auto seed = static_cast<unsigned>(absl::ToUnixNanos(absl::Now()));
  SCOPED_TRACE(StrCat("seed ", seed));
  std::mt19937 random(seed);
  for (int i = 0; i < 20; ++i) {
    Start(TestTask({"note", note_}));
    const absl::StatusOr<ShimRecord> shim = TaskFiles(directory_).ReadShim();
    ASSERT_TRUE(shim.ok()) << shim.status();
    PauseFor(absl::Microseconds(random() % 5'000));
    (void)Signal(shim->shim, SIGKILL).ok();
    const Exit exit = Run(TestTask({"note", note_}));
    EXPECT_TRUE(exit.kind == ExitKind::kLost || exit.kind == ExitKind::kExited) << exit.text;
    EXPECT_LE(FileLines(note_).size(), 1);
    ASSERT_TRUE(runtime_->Remove(directory_).ok());
    ASSERT_TRUE(RemoveTree(note_).ok());
  }
}

TEST_F(Lifecycle, AZombieShimIsADeadOne) {
  WriteOrder(TestTask({"note-and-sleep", note_}));
  const pid_t shim = RunShimByHand();
  const pid_t task = Noted(note_, 1)[0];
  EXPECT_EQ(State(), Found::State::kRunning);
  ::kill(shim, SIGKILL);
  EXPECT_EQ(WaitForExit().kind, ExitKind::kLost);
  EXPECT_EQ(ReadProcessStat(shim)->state, 'Z');
  EXPECT_TRUE(IsGone(task));
  EXPECT_EQ(StatusOf(shim), -1);
}

TEST_F(Lifecycle, ASecondShimDoesNothing) {
  WriteOrder(TestTask({"note-and-sleep", note_}));
  const pid_t first = RunShimByHand();
  Noted(note_, 1);
  EXPECT_EQ(StatusOf(RunShimByHand()), kStatusStartedBefore);
  EXPECT_TRUE(runtime_->Kill(directory_).ok());
  EXPECT_EQ(StatusOf(first), kStatusDone);
  EXPECT_EQ(WaitForExit().signal, SIGKILL);
  // Not after its end either.
  EXPECT_EQ(StatusOf(RunShimByHand()), kStatusStartedBefore);
  EXPECT_EQ(FileLines(note_).size(), 1);
}

TEST_F(Lifecycle, TheShimsCommandLine) {
  const auto status = [](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), ShimPath());
    return StatusOf(*Spawn({.argv = std::move(arguments)}));
  };
  EXPECT_EQ(status({"--help"}), kStatusDone);
  EXPECT_EQ(status({}), kStatusUsage);
  EXPECT_EQ(status({"--what"}), kStatusUsage);
  EXPECT_EQ(status({"a", "b"}), kStatusUsage);
  EXPECT_EQ(status({dir_ / "none"}), kStatusFailed);
  // A directory without an order.
  EXPECT_EQ(status({dir_.path()}), kStatusFailed);
}

TEST_F(Lifecycle, AStoppedShimIsReachedAllTheSame) {
  Start(TestTask({"note-and-sleep", note_}));
  Noted(note_, 1);
  EXPECT_TRUE(Signal(ShimId(), SIGSTOP).ok());
  EXPECT_TRUE(runtime_->Kill(directory_).ok());
  EXPECT_EQ(WaitForExit().signal, SIGKILL);
}

TEST_F(Lifecycle, AShimThatNeverBeginsIsAnError) {
  const TaskSpec spec = TestTask({"note", note_});
  ProcessRuntime without({.shim_path = "/no/such/shim"});
  EXPECT_EQ(ErrorReason(without.Start(spec)), "PROGRAM_NOT_FOUND");
  EXPECT_EQ(State(), Found::State::kNothing);
  ProcessRuntime dying({.shim_path = "/bin/false"});
  EXPECT_EQ(ErrorReason(dying.Start(spec)), "SHIM_DIED");
  EXPECT_EQ(State(), Found::State::kNothing);
  const std::string slow = dir_ / "slow";
  ASSERT_TRUE(AtomicWriteFile(slow, "#!/bin/sh\nexec sleep 1000\n", 0700).ok());
  ProcessRuntime hanging({.shim_path = slow, .start_timeout = absl::Milliseconds(100)});
  EXPECT_EQ(ErrorReason(hanging.Start(spec)), "SHIM_TIMEOUT");
  EXPECT_EQ(State(), Found::State::kNothing) << "it may still start something";
  EXPECT_EQ(Run(spec).code, 0);
  EXPECT_EQ(FileLines(note_).size(), 1);
}

TEST_F(Lifecycle, WhileItIsBeingStartedItRuns) {
  ASSERT_TRUE(MakeDirs(directory_, 0700).ok());
  // As between a start and the shim's first record.
  absl::StatusOr<LockFile> lock = LockFile::Acquire(TaskFiles(directory_).lock(), "test");
  ASSERT_TRUE(lock.ok());
  EXPECT_EQ(State(), Found::State::kRunning);
  Ends ends;
  ASSERT_TRUE(runtime_->Watch(directory_, ends.Catch()).ok());
  EXPECT_EQ(ErrorReason(runtime_->Remove(directory_)), "TASK_RUNNING");
  ProcessRuntime impatient({.shim_path = ShimPath(), .start_timeout = absl::Milliseconds(50)});
  EXPECT_TRUE(impatient.Start(TestTask({"note", note_})).ok()) << "somebody is at it";
  EXPECT_EQ(ends.count(), 0);
  // Who was at it dies before it came to anything.
  lock->Release();
  EXPECT_EQ(ends.Wait().kind, ExitKind::kLost);
  EXPECT_EQ(State(), Found::State::kNothing);
  runtime_ = NewRuntime();
}

TEST_F(Lifecycle, AnotherBootIsALoss) {
  Start(TestTask({"note-and-sleep", note_}));
  EXPECT_TRUE(runtime_->Kill(directory_).ok());
  WaitForExit();
  const TaskFiles files(directory_);
  ShimRecord record = *files.ReadShim();
  record.shim.boot_id = "00000000-0000-0000-0000-000000000000";
  // A process of now that has the number of then: it must not be touched.
  record.shim.pid = ::getpid();
  record.shim.start_time = ReadProcessId(::getpid())->start_time;
  ASSERT_TRUE(files.WriteShim(record).ok());
  ASSERT_TRUE(RemoveTree(files.exit()).ok());
  EXPECT_EQ(State(), Found::State::kExited);
  EXPECT_EQ(runtime_->Inspect(directory_)->exit.kind, ExitKind::kLost);
  EXPECT_THAT(runtime_->Inspect(directory_)->exit.text, HasSubstr("host"));
  EXPECT_TRUE(runtime_->Kill(directory_).ok());
}

TEST_F(Lifecycle, DamagedRecordsAreALossToo) {
  const TaskFiles files(directory_);
  Start(TestTask({"note-and-sleep", note_}));
  const pid_t pid = Noted(note_, 1)[0];
  const ProcessId shim = ShimId();
  ASSERT_TRUE(AtomicWriteFile(files.shim(), "nonsense", 0600).ok());
  EXPECT_EQ(State(), Found::State::kRunning);
  EXPECT_EQ(ErrorReason(runtime_->Kill(directory_)), "RECORD_DAMAGED");
  EXPECT_TRUE(Signal(shim, SIGKILL).ok());
  EXPECT_EQ(WaitForExit().kind, ExitKind::kLost);
  EXPECT_TRUE(IsGone(pid));
  ASSERT_TRUE(AtomicWriteFile(files.exit(), "nonsense", 0600).ok());
  EXPECT_EQ(runtime_->Inspect(directory_)->exit.kind, ExitKind::kLost);
  EXPECT_TRUE(runtime_->Remove(directory_).ok());
}

TEST_F(Lifecycle, RunsBelowVeryLongPaths) {
  std::string path = dir_.path();
  while (path.size() + 250 < 3900) path += "/" + std::string(249, 'p');
  directory_ = path + "/task";
  EXPECT_EQ(Run(TestTask({"note", note_})).code, 0);
  EXPECT_EQ(FileLines(note_).size(), 1);
  EXPECT_TRUE(runtime_->Remove(directory_).ok());
  directory_ = dir_ / std::string(300, 'n');
  EXPECT_EQ(ErrorReason(runtime_->Start(TestTask({"note", note_}))), "PATH_TOO_LONG");
}

TEST_F(Lifecycle, UnusableDirectoriesAreErrorsThatNameThem) {
  ASSERT_TRUE(AtomicWriteFile(dir_ / "file", "", 0600).ok());
  std::vector<std::string> unusable = {dir_ / "file/task", "/proc/no-such-place/task"};
  const std::string closed = dir_ / "closed";
  ASSERT_TRUE(MakeDirs(closed, 0700).ok());
  ASSERT_EQ(::chmod(closed.c_str(), 0500), 0);
  // Root may write anyway.
  if (::getuid() != 0) unusable.push_back(closed + "/task");
  for (const std::string& path : unusable) {
    TaskSpec spec = TestTask({"note", note_});
    spec.directory = path;
    const absl::Status status = runtime_->Start(spec);
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(std::string(status.message()), HasSubstr(path.substr(0, path.rfind('/'))));
    const absl::StatusOr<Found> found = runtime_->Inspect(path);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->state, Found::State::kNothing);
  }
  EXPECT_TRUE(FileLines(note_).empty());
}

// Without a free descriptor nothing can be seen; that must not look like a death.
TEST_F(Lifecycle, WithoutDescriptorsNothingIsLost) {
  Start(TestTask({"note-and-sleep", note_}));
  const pid_t pid = Noted(note_, 1)[0];
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit low{.rlim_cur = 100, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  std::vector<UniqueFd> taken;
  for (;;) {
    UniqueFd fd(::dup(STDIN_FILENO));
    if (!fd.valid()) break;
    taken.push_back(std::move(fd));
  }
  for (int left = 0; left < 6; ++left) {
    const absl::StatusOr<Found> found = runtime_->Inspect(directory_);
    EXPECT_TRUE(!found.ok() || found->state == Found::State::kRunning) << left;
    EXPECT_FALSE(IsGone(pid));
    taken.pop_back();
  }
  taken.clear();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(State(), Found::State::kRunning);
}

TEST_F(Lifecycle, RemovalCutShortIsNoLicenceToStartAgain) {
  const TaskFiles files(directory_);
  EXPECT_EQ(Run(TestTask({"note", note_})).code, 0);
  for (const std::string& path : {files.order(), files.log(), files.shim()}) {
    ASSERT_TRUE(RemoveTree(path).ok());
    EXPECT_EQ(State(), Found::State::kExited);
    EXPECT_TRUE(runtime_->Start(TestTask({"note", note_})).ok());
    EXPECT_EQ(FileLines(note_).size(), 1);
  }
  EXPECT_TRUE(runtime_->Remove(directory_).ok());
  EXPECT_NE(::access(directory_.c_str(), F_OK), 0);
}

}  // namespace
}  // namespace det::agent
