#include "common/os/process.h"

#include <algorithm>
#include <csignal>
#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/base/archive.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/signals.h"
#include "common/os/spawn.h"
#include "common/os/testing.h"

namespace det {
namespace {

using ::testing::Contains;
using testing::Eventually;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::TempDir;

std::string Text(const absl::Status& status) {
  return std::string(status.message());
}

pid_t StartSleep() {
  const absl::StatusOr<pid_t> pid = Spawn({.argv = {"sleep", "1000"}});
  EXPECT_TRUE(pid.ok()) << pid.status();
  return pid.value_or(0);
}

void KillAndCollect(pid_t pid) {
  ::kill(pid, SIGKILL);
  EXPECT_EQ(::waitpid(pid, nullptr, 0), pid);
}

TEST(Process, KnowsItself) {
  const absl::StatusOr<ProcessStat> self = ReadProcessStat(::getpid());
  ASSERT_TRUE(self.ok());
  EXPECT_EQ(self->id.pid, ::getpid());
  EXPECT_EQ(self->parent, ::getppid());
  EXPECT_EQ(self->group, ::getpgrp());
  EXPECT_EQ(self->session, ::getsid(0));
  EXPECT_EQ(self->id.boot_id, *BootId());
  EXPECT_GT(self->id.start_time, 0);
  EXPECT_TRUE(*IsAlive(self->id));
  ProcessId again;
  EXPECT_TRUE(DecodeArchive(EncodeArchive(self->id), &again));
  EXPECT_EQ(again, self->id);
}

TEST(Process, ReadsNamesOfAnyKind) {
  const auto parse = internal::ParseProcessStat;
  const std::string rest = " S 7 8 9 0 -1 4 1 2 3 4 5 6 7 8 20 0 3 0 4242 1 2 3";
  for (const std::string name : {"sh", "a b", "a) R 1 (", ") S 1 2", "", "(((", "x\ny"}) {
    const absl::StatusOr<ProcessStat> stat = parse(StrCat("12 (", name, ")", rest, "\n"));
    ASSERT_TRUE(stat.ok()) << name;
    EXPECT_EQ(stat->id.pid, 12);
    EXPECT_EQ(stat->state, 'S');
    EXPECT_EQ(stat->parent, 7);
    EXPECT_EQ(stat->group, 8);
    EXPECT_EQ(stat->session, 9);
    EXPECT_EQ(stat->threads, 3);
    EXPECT_EQ(stat->id.start_time, 4242);
  }
  for (const std::string bad :
       {"", "12", "12 (sh)", "12 (sh) S 1 2", "x (sh) S 1", ") (", "12 sh S"}) {
    EXPECT_FALSE(parse(bad).ok()) << bad;
  }
}

TEST(Process, AnotherBootStartOrPidIsDead) {
  const ProcessId self = *ReadProcessId(::getpid());
  ProcessId other = self;
  other.boot_id = "another";
  EXPECT_FALSE(*IsAlive(other));
  EXPECT_EQ(ErrorReason(Signal(other, SIGKILL)), "NO_SUCH_PROCESS");
  other = self;
  other.start_time -= 1;
  EXPECT_FALSE(*IsAlive(other));
  // Were the identity not looked at, this would end the test.
  EXPECT_EQ(ErrorReason(Signal(other, SIGKILL)), "NO_SUCH_PROCESS");
  EXPECT_FALSE(*IsAlive(ProcessId{}));
  EXPECT_FALSE(Signal(ProcessId{}, SIGKILL).ok());
  EXPECT_FALSE(Signal(ProcessId{.pid = -1, .start_time = 1, .boot_id = *BootId()}, SIGKILL).ok());
}

TEST(Process, AZombieIsDead) {
  const pid_t pid = StartSleep();
  const ProcessId id = *ReadProcessId(pid);
  EXPECT_TRUE(*IsAlive(id));
  EXPECT_TRUE(Signal(id, SIGKILL).ok());
  EXPECT_TRUE(Eventually([&] { return !*IsAlive(id); }));
  EXPECT_EQ(ReadProcessStat(pid)->state, 'Z');
  EXPECT_EQ(ErrorReason(Signal(id, SIGKILL)), "NO_SUCH_PROCESS");
  EXPECT_EQ(::waitpid(pid, nullptr, 0), pid);
  EXPECT_TRUE(absl::IsNotFound(ReadProcessId(pid).status()));
  EXPECT_FALSE(*IsAlive(id));
}

// A main thread may leave before the others: the process shows as a zombie but runs.
TEST(Process, WithoutItsFirstThreadItStillLives) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    std::thread([] { ::pause(); }).detach();
    ::syscall(SYS_exit, 0);
  }
  const ProcessId id = *ReadProcessId(pid);
  EXPECT_TRUE(Eventually([&] { return ReadProcessStat(pid)->state == 'Z'; }));
  EXPECT_TRUE(*IsAlive(id));
  EXPECT_TRUE(Signal(id, SIGKILL).ok());
  EXPECT_TRUE(Eventually([&] { return !*IsAlive(id); }));
  EXPECT_EQ(::waitpid(pid, nullptr, 0), pid);
}

TEST(Process, CanBeWaitedForWithoutBeingAParent) {
  const absl::StatusOr<pid_t> pid = Spawn({.argv = {"sleep", "1000"}, .detach = true});
  ASSERT_TRUE(pid.ok());
  const ProcessId id = *ReadProcessId(*pid);
  EXPECT_NE(ReadProcessStat(*pid)->parent, ::getpid());
  const absl::StatusOr<UniqueFd> process = OpenProcess(id);
  ASSERT_TRUE(process.ok());
  EXPECT_FALSE(*WaitForEnd(*process, absl::Milliseconds(1)));
  EXPECT_TRUE(Signal(id, SIGKILL).ok());
  EXPECT_TRUE(*WaitForEnd(*process, absl::Seconds(30)));
  EXPECT_FALSE(*IsAlive(id));
}

TEST(Process, FindsDescendants) {
  const absl::StatusOr<pid_t> shell =
      Spawn({.argv = {"sh", "-c", "(sleep 1000 & sleep 1001 & wait) & sleep 1002 & wait"}});
  ASSERT_TRUE(shell.ok());
  EXPECT_TRUE(Eventually([&] { return Descendants(*shell)->size() == 4; }));
  const std::vector<ProcessId> all = *Descendants(*shell);
  EXPECT_THAT(all, Not(Contains(*ReadProcessId(*shell))));
  EXPECT_THAT(*Descendants(::getpid()), Contains(*ReadProcessId(*shell)));
  for (const ProcessId& id : all) EXPECT_TRUE(Signal(id, SIGKILL).ok() || !*IsAlive(id));
  EXPECT_EQ(::waitpid(*shell, nullptr, 0), *shell);
}

TEST(Process, NamesSignals) {
  EXPECT_EQ(SignalName(SIGTERM), "SIGTERM");
  EXPECT_EQ(SignalName(SIGKILL), "SIGKILL");
  EXPECT_EQ(SignalName(200), "signal 200");
}

TEST(Signals, AreReadInsteadOfHandled) {
  const pid_t child = ::fork();
  if (child == 0) {
    const absl::StatusOr<SignalWaiter> waiter = SignalWaiter::Block({SIGTERM, SIGINT});
    bool fine = waiter.ok() && *waiter->Wait(absl::Milliseconds(1)) == 0;
    ::raise(SIGTERM);
    fine = fine && *waiter->Wait(absl::InfiniteDuration()) == SIGTERM;
    ::raise(SIGINT);
    fine = fine && *waiter->Wait(absl::Seconds(10)) == SIGINT;
    ::_exit(fine ? 0 : 1);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

class SpawnTest : public ::testing::Test {
 protected:
  // What the program prints on standard output and standard error.
  std::string Output(SpawnOptions options) {
    const std::string path = dir_ / "output";
    const UniqueFd out(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    options.stdout_fd = out.get();
    options.stderr_fd = out.get();
    const absl::StatusOr<pid_t> pid = Spawn(options);
    if (!pid.ok()) return std::string(pid.status().message());
    int status = 0;
    EXPECT_EQ(::waitpid(*pid, &status, 0), *pid);
    return *ReadFile(path, 1 << 20);
  }
  std::string Write(std::string_view name, std::string_view content, mode_t mode) {
    EXPECT_TRUE(AtomicWriteFile(dir_ / name, content, mode).ok());
    return dir_ / name;
  }
  static std::string Reason(const SpawnOptions& options) {
    const absl::StatusOr<pid_t> pid = Spawn(options);
    return pid.ok() ? "it runs" : ErrorReason(pid.status());
  }

  TempDir dir_;
};

TEST_F(SpawnTest, GivesArgumentsEnvironmentAndDirectory) {
  EXPECT_EQ(Output({.argv = {"sh", "-c", "echo $0 $1 $A; pwd; cat", "x y", "z"},
                    .env = {"A=b c", "PATH=/usr/bin:/bin"},
                    .cwd = "/usr"}),
            "x y z b c\n/usr\n");
  EXPECT_EQ(Output({.argv = {"/usr/bin/env"}, .env = {"B=1"}}), "B=1\n");
}

TEST_F(SpawnTest, ClosesEverythingElse) {
  const UniqueFd leaked(::open("/dev/null", O_RDONLY));
  const UniqueFd high(::fcntl(leaked.get(), F_DUPFD, 900));
  ASSERT_TRUE(high.valid());
  // 3 is the directory that ls reads.
  EXPECT_EQ(Output({.argv = {"ls", "/proc/self/fd"}}), "0\n1\n2\n3\n");
  const std::string word = Write("word", "hello", 0600);
  const UniqueFd passed(::open(word.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(Output({.argv = {"sh", "-c", "cat <&4"}, .pass_fds = {leaked.get(), passed.get()}}),
            "hello");
}

TEST_F(SpawnTest, ArrangesDescriptorsThatAreInEachOthersWay) {
  const std::string a = Write("a", "A", 0600);
  const std::string b = Write("b", "B", 0600);
  const pid_t child = ::fork();
  if (child == 0) {
    // The sources lie on each other's targets: 3 must become 4 and 4 must become 3.
    const int first = ::open(a.c_str(), O_RDONLY);
    const int second = ::open(b.c_str(), O_RDONLY);
    ::dup2(first, 20);
    ::dup2(second, 21);
    ::dup2(20, 4);
    ::dup2(21, 3);
    const absl::StatusOr<pid_t> pid =
        Spawn({.argv = {"sh", "-c", "test \"$(cat <&3)$(cat <&4)\" = AB"}, .pass_fds = {4, 3}});
    int status = 1;
    if (pid.ok()) ::waitpid(*pid, &status, 0);
    ::_exit(status == 0 ? 0 : 1);
  }
  int status = 1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST_F(SpawnTest, ResetsSignals) {
  struct sigaction ignore {};
  struct sigaction before {};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGUSR2, &ignore, &before);
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGUSR1);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  const std::string status = Output({.argv = {"grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"}});
  EXPECT_EQ(status, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  ::sigaction(SIGUSR2, &before, nullptr);
}

TEST_F(SpawnTest, StartsASession) {
  const absl::StatusOr<pid_t> pid = Spawn({.argv = {"sleep", "1000"}, .new_session = true});
  ASSERT_TRUE(pid.ok());
  const absl::StatusOr<ProcessStat> stat = ReadProcessStat(*pid);
  EXPECT_EQ(stat->session, *pid);
  EXPECT_EQ(stat->group, *pid);
  KillAndCollect(*pid);
}

TEST_F(SpawnTest, SaysWhyNothingRuns) {
  const std::string plain = Write("plain", "#!/bin/sh\n", 0600);
  const std::string binary = Write("binary", "\x7f\x01\x02\x03", 0700);
  const std::string script = Write("script", "#! /no/such/interpreter -x\necho\n", 0700);
  const std::string dos = Write("dos", "#!/bin/sh\r\necho\r\n", 0700);
  EXPECT_EQ(Reason({.argv = {"/no/such/program"}}), "PROGRAM_NOT_FOUND");
  EXPECT_EQ(Reason({.argv = {"no-such-program"}}), "PROGRAM_NOT_FOUND");
  EXPECT_EQ(Reason({.argv = {plain + "/x"}}), "PROGRAM_NOT_FOUND");
  EXPECT_EQ(Reason({.argv = {plain}}), "PROGRAM_NOT_EXECUTABLE");
  EXPECT_EQ(Reason({.argv = {dir_.path()}}), "PROGRAM_NOT_EXECUTABLE");
  EXPECT_EQ(Reason({.argv = {binary}}), "PROGRAM_BAD_FORMAT");
  EXPECT_EQ(Reason({.argv = {script}}), "PROGRAM_NO_INTERPRETER");
  EXPECT_EQ(Reason({.argv = {dos}}), "PROGRAM_NO_INTERPRETER");
  EXPECT_EQ(Reason({.argv = {"true"}, .cwd = dir_ / "none"}), "WORKDIR_UNUSABLE");
  EXPECT_EQ(Reason({.argv = {"true", std::string(4 << 20, 'x')}}), "ARGUMENTS_TOO_LARGE");
  EXPECT_EQ(Reason({.argv = {}}), "NO_PROGRAM");
  EXPECT_EQ(Reason({.argv = {""}}), "NO_PROGRAM");
  EXPECT_EQ(Reason({.argv = {std::string("a\0b", 3)}}), "EMBEDDED_NUL");
  EXPECT_EQ(Reason({.argv = {"true"}, .env = {std::string("a\0b", 3)}}), "EMBEDDED_NUL");
  EXPECT_THAT(Text(Spawn({.argv = {script}}).status()), HasSubstr("/no/such/interpreter"));
  EXPECT_THAT(Text(Spawn({.argv = {script}}).status()), HasSubstr(script));
  EXPECT_THAT(Text(Spawn({.argv = {dir_.path()}}).status()), HasSubstr("directory"));
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child was left behind";
}

TEST_F(SpawnTest, LooksProgramsUpAsAShellDoes) {
  ASSERT_TRUE(MakeDirs(dir_ / "one", 0755).ok());
  ASSERT_TRUE(MakeDirs(dir_ / "two", 0755).ok());
  Write("one/tool", "#!/bin/sh\necho one\n", 0600);
  Write("two/tool", "#!/bin/sh\necho two\n", 0700);
  Write("one/closed", "#!/bin/sh\n", 0600);
  Write("here", "#!/bin/sh\necho here\n", 0700);
  const std::string path = StrCat("PATH=", dir_ / "one", ":", dir_ / "two", ":");
  EXPECT_EQ(Output({.argv = {"tool"}, .env = {path}}), "two\n");
  EXPECT_EQ(Output({.argv = {"here"}, .env = {path}, .cwd = dir_.path()}), "here\n");
  EXPECT_EQ(Output({.argv = {"./here"}, .env = {path}, .cwd = dir_.path()}), "here\n");
  EXPECT_EQ(Reason({.argv = {"closed"}, .env = {path}}), "PROGRAM_NOT_EXECUTABLE");
  EXPECT_EQ(Reason({.argv = {"sh"}, .env = {path}}), "PROGRAM_NOT_FOUND");
}

TEST_F(SpawnTest, DetachedItIsNobodysChildHere) {
  const std::string path = dir_ / "sid";
  const absl::StatusOr<pid_t> pid =
      Spawn({.argv = {"sleep", "1000"}, .new_session = true, .detach = true});
  ASSERT_TRUE(pid.ok());
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  const ProcessStat stat = *ReadProcessStat(*pid);
  EXPECT_NE(stat.parent, ::getpid());
  // It is in the new session but does not lead it, so no terminal can become its own.
  EXPECT_NE(stat.session, ::getsid(0));
  EXPECT_NE(stat.session, *pid);
  EXPECT_TRUE(Signal(stat.id, SIGKILL).ok());
  EXPECT_EQ(Reason({.argv = {"/no/such/program"}, .detach = true}), "PROGRAM_NOT_FOUND");
}

TEST_F(SpawnTest, DiesWithItsParent) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const pid_t parent = ::fork();
  if (parent == 0) {
    const absl::StatusOr<pid_t> pid =
        Spawn({.argv = {"sleep", "1000"}, .parent_death_signal = SIGKILL});
    const pid_t child = pid.value_or(0);
    (void)!::write(ends[1], &child, sizeof(child));
    ::pause();
    ::_exit(0);
  }
  pid_t child = 0;
  ASSERT_EQ(::read(ends[0], &child, sizeof(child)), static_cast<ssize_t>(sizeof(child)));
  const ProcessId id = *ReadProcessId(child);
  KillAndCollect(parent);
  EXPECT_TRUE(Eventually([&] { return !*IsAlive(id); }));
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(SpawnTest, FromManyThreadsAtOnce) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 50; ++i) {
        const absl::StatusOr<pid_t> pid = Spawn({.argv = {"true"}});
        ASSERT_TRUE(pid.ok()) << pid.status();
        int status = 1;
        EXPECT_EQ(::waitpid(*pid, &status, 0), *pid);
        EXPECT_EQ(status, 0);
        EXPECT_FALSE(Spawn({.argv = {"/no/such/program"}}).ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace det
