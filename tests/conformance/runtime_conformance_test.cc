#include <csignal>
#include <functional>
#include <memory>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/runtime/fake_runtime.h"
#include "agent/runtime/process_runtime.h"
#include "common/base/status.h"
#include "common/os/testing.h"
#include "tests/conformance/bench.h"

// What every Runtime does, shown of each.
namespace det::agent {
namespace {

using testing::Eventually;
using testing::TempDir;

enum class Act : uint8_t { kExit0, kExit1, kExit137, kCrash, kSleep, kIgnoreTerm, kCannotStart };

// Makes runtimes on one host and orders for them.
class Bench {
 public:
  virtual ~Bench() = default;
  virtual std::unique_ptr<Runtime> NewRuntime() = 0;
  virtual TaskSpec Order(const std::string& name, Act act) = 0;
  // Somebody kills what supervises the task.
  virtual void KillSupervisor(const TaskSpec& spec) = 0;
  // How many processes were ever started for the order.
  virtual int Runs(const TaskSpec& spec) = 0;
};

class RealBench : public Bench {
 public:
  std::unique_ptr<Runtime> NewRuntime() override {
    return std::make_unique<ProcessRuntime>(ProcessRuntime::Options{.shim_path = ShimPath()});
  }
  TaskSpec Order(const std::string& name, Act act) override {
    TaskSpec spec{.id = AllocationId(1), .directory = dir_ / name};
    spec.grace = absl::Milliseconds(200);
    spec.use_cgroup = false;
    const std::string count = StrCat("echo x >> ", dir_ / name, ".runs; ");
    const auto script = [&](std::string_view text) {
      return std::vector<std::string>{"/bin/sh", "-c", StrCat(count, text)};
    };
    if (act == Act::kExit0) spec.argv = script("exit 0");
    if (act == Act::kExit1) spec.argv = script("exit 1");
    if (act == Act::kExit137) spec.argv = script("exit 137");
    if (act == Act::kCrash) spec.argv = script("kill -SEGV $$");
    if (act == Act::kSleep) spec.argv = script("exec sleep 1000");
    if (act == Act::kIgnoreTerm) {
      spec.argv = {TaskPath(), "note-ignore-sleep", StrCat(dir_ / name, ".runs")};
    }
    if (act == Act::kCannotStart) spec.argv = {"/no/such/program"};
    return spec;
  }
  void KillSupervisor(const TaskSpec& spec) override {
    const absl::StatusOr<ShimRecord> record = TaskFiles(spec.directory).ReadShim();
    ASSERT_TRUE(record.ok()) << record.status();
    EXPECT_TRUE(Signal(record->shim, SIGKILL).ok());
  }
  int Runs(const TaskSpec& spec) override {
    return static_cast<int>(FileLines(StrCat(spec.directory, ".runs")).size());
  }

 private:
  TempDir dir_;
};

class FakeBench : public Bench {
 public:
  std::unique_ptr<Runtime> NewRuntime() override { return std::make_unique<FakeRuntime>(host_); }
  TaskSpec Order(const std::string& name, Act act) override {
    TaskSpec spec{.id = AllocationId(1), .directory = "/fake/" + name, .argv = {"program"}};
    FakeHost::Script script;
    std::optional<Exit>& end = script.ends_at_once;
    if (act == Act::kExit0) end.emplace();
    if (act == Act::kExit1) end.emplace().code = 1;
    if (act == Act::kExit137) end.emplace().code = 137;
    if (act == Act::kCrash) end.emplace(Exit{.kind = ExitKind::kSignaled, .signal = SIGSEGV});
    if (act == Act::kCannotStart) {
      end.emplace(Exit{.kind = ExitKind::kStartFailed, .text = "/no/such/program"});
    }
    script.ignores_sigterm = act == Act::kIgnoreTerm;
    host_->Expect(spec.directory, script);
    return spec;
  }
  void KillSupervisor(const TaskSpec& spec) override { host_->Lose(spec.directory); }
  int Runs(const TaskSpec& spec) override { return host_->runs(spec.directory); }

 private:
  std::shared_ptr<FakeHost> host_ = std::make_shared<FakeHost>();
};

struct Kind {
  const char* name;
  std::function<std::unique_ptr<Bench>()> make;
};
std::ostream& operator<<(std::ostream& out, const Kind& kind) {
  return out << kind.name;
}

class RuntimeConformance : public ::testing::TestWithParam<Kind> {
 protected:
  RuntimeConformance() : bench_(GetParam().make()), runtime_(bench_->NewRuntime()) {}
  ~RuntimeConformance() override {
    runtime_ = bench_->NewRuntime();
    for (const TaskSpec& spec : specs_) {
      EXPECT_TRUE(runtime_->Kill(spec.directory).ok());
      EXPECT_TRUE(Eventually([&] { return runtime_->Remove(spec.directory).ok(); }));
    }
  }

  TaskSpec Order(const std::string& name, Act act) {
    specs_.push_back(bench_->Order(name, act));
    return specs_.back();
  }
  Exit EndOf(const TaskSpec& spec) {
    Ends ends;
    EXPECT_TRUE(runtime_->Watch(spec.directory, ends.Catch()).ok());
    const Exit exit = ends.Wait();
    EXPECT_EQ(runtime_->Inspect(spec.directory)->state, Found::State::kExited);
    EXPECT_EQ(runtime_->Inspect(spec.directory)->exit.kind, exit.kind);
    EXPECT_EQ(ends.count(), 1);
    runtime_ = bench_->NewRuntime();
    return exit;
  }
  Exit Run(const std::string& name, Act act) {
    const TaskSpec spec = Order(name, act);
    const absl::Status status = runtime_->Start(spec);
    EXPECT_TRUE(status.ok()) << status;
    return status.ok() ? EndOf(spec) : Exit{};
  }
  Found::State State(const TaskSpec& spec) { return runtime_->Inspect(spec.directory)->state; }

  std::unique_ptr<Bench> bench_;
  std::unique_ptr<Runtime> runtime_;
  std::vector<TaskSpec> specs_;
};

TEST_P(RuntimeConformance, TellsEveryKindOfEnd) {
  Exit exit = Run("a", Act::kExit0);
  EXPECT_EQ(exit.kind, ExitKind::kExited);
  EXPECT_EQ(exit.code, 0);
  exit = Run("b", Act::kExit1);
  EXPECT_EQ(exit.kind, ExitKind::kExited);
  EXPECT_EQ(exit.code, 1);
  exit = Run("c", Act::kExit137);
  EXPECT_EQ(exit.kind, ExitKind::kExited);
  EXPECT_EQ(exit.code, 137);
  exit = Run("d", Act::kCrash);
  EXPECT_EQ(exit.kind, ExitKind::kSignaled);
  EXPECT_EQ(exit.signal, SIGSEGV);
  exit = Run("e", Act::kCannotStart);
  EXPECT_EQ(exit.kind, ExitKind::kStartFailed);
  EXPECT_THAT(exit.text, ::testing::HasSubstr("/no/such/program"));
}

TEST_P(RuntimeConformance, NothingUntilStarted) {
  const TaskSpec spec = Order("task", Act::kSleep);
  EXPECT_EQ(State(spec), Found::State::kNothing);
  const absl::Status watched = runtime_->Watch(spec.directory, [](const Exit&) { FAIL(); });
  EXPECT_EQ(watched.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ErrorReason(watched), "NOT_STARTED");
  EXPECT_TRUE(runtime_->Terminate(spec.directory).ok());
  EXPECT_TRUE(runtime_->Kill(spec.directory).ok());
  EXPECT_TRUE(runtime_->Remove(spec.directory).ok());
  EXPECT_EQ(State(spec), Found::State::kNothing);
  EXPECT_TRUE(runtime_->Start(spec).ok());
  EXPECT_EQ(State(spec), Found::State::kRunning);
}

TEST_P(RuntimeConformance, RefusesWhatNobodyCanStart) {
  const TaskSpec good = Order("task", Act::kExit0);
  const auto reason = [&](const std::function<void(TaskSpec*)>& change) {
    TaskSpec spec = good;
    change(&spec);
    return ErrorReason(runtime_->Start(spec));
  };
  EXPECT_EQ(reason([](TaskSpec* s) { s->directory = "relative"; }), "DIRECTORY_NOT_ABSOLUTE");
  EXPECT_EQ(reason([](TaskSpec* s) { s->directory = ""; }), "DIRECTORY_NOT_ABSOLUTE");
  EXPECT_EQ(reason([](TaskSpec* s) { s->directory += std::string(5000, 'x'); }), "PATH_TOO_LONG");
  EXPECT_EQ(reason([](TaskSpec* s) { s->argv = {}; }), "NO_PROGRAM");
  EXPECT_EQ(reason([](TaskSpec* s) { s->argv = {""}; }), "NO_PROGRAM");
  EXPECT_EQ(reason([](TaskSpec* s) { s->grace = -absl::Seconds(1); }), "NEGATIVE_GRACE");
  EXPECT_EQ(reason([](TaskSpec* s) { s->log_bytes_max = 100; }), "LOG_TOO_SMALL");
  EXPECT_EQ(reason([](TaskSpec* s) { s->env = {std::string("a=\0", 3)}; }), "EMBEDDED_NUL");
  EXPECT_EQ(State(good), Found::State::kNothing);
}

TEST_P(RuntimeConformance, StartsOnceHoweverOftenAsked) {
  const TaskSpec spec = Order("task", Act::kSleep);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(runtime_->Start(spec).ok());
  EXPECT_EQ(State(spec), Found::State::kRunning);
  EXPECT_TRUE(bench_->NewRuntime()->Start(spec).ok());
  EXPECT_TRUE(runtime_->Kill(spec.directory).ok());
  EXPECT_EQ(EndOf(spec).kind, ExitKind::kSignaled);
  // Not after its end either.
  EXPECT_TRUE(runtime_->Start(spec).ok());
  EXPECT_EQ(State(spec), Found::State::kExited);
  EXPECT_LE(bench_->Runs(spec), 1);
}

TEST_P(RuntimeConformance, StartsOnceFromManyThreads) {
  const TaskSpec spec = Order("task", Act::kExit0);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] { EXPECT_TRUE(bench_->NewRuntime()->Start(spec).ok()); });
    threads.emplace_back([&] { EXPECT_TRUE(runtime_->Start(spec).ok()); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(EndOf(spec).code, 0);
  EXPECT_EQ(bench_->Runs(spec), 1);
}

TEST_P(RuntimeConformance, TerminatesAndKills) {
  const TaskSpec gentle = Order("gentle", Act::kSleep);
  ASSERT_TRUE(runtime_->Start(gentle).ok());
  EXPECT_TRUE(runtime_->Terminate(gentle.directory).ok());
  EXPECT_TRUE(runtime_->Terminate(gentle.directory).ok());
  Exit exit = EndOf(gentle);
  EXPECT_EQ(exit.kind, ExitKind::kSignaled);
  EXPECT_EQ(exit.signal, SIGTERM);

  const TaskSpec deaf = Order("deaf", Act::kIgnoreTerm);
  ASSERT_TRUE(runtime_->Start(deaf).ok());
  if (std::string_view(GetParam().name) == "Real") {
    ASSERT_TRUE(Eventually([&] { return bench_->Runs(deaf) == 1; }));
  }
  EXPECT_TRUE(runtime_->Terminate(deaf.directory).ok());
  exit = EndOf(deaf);
  EXPECT_EQ(exit.kind, ExitKind::kSignaled);
  EXPECT_EQ(exit.signal, SIGKILL);

  const TaskSpec killed = Order("killed", Act::kSleep);
  ASSERT_TRUE(runtime_->Start(killed).ok());
  EXPECT_TRUE(runtime_->Kill(killed.directory).ok());
  exit = EndOf(killed);
  EXPECT_EQ(exit.signal, SIGKILL);
  // When it is over, orders change nothing.
  EXPECT_TRUE(runtime_->Terminate(killed.directory).ok());
  EXPECT_TRUE(runtime_->Kill(killed.directory).ok());
  EXPECT_EQ(runtime_->Inspect(killed.directory)->exit.signal, SIGKILL);
}

TEST_P(RuntimeConformance, ANewRuntimeFindsEverything) {
  const TaskSpec running = Order("running", Act::kSleep);
  const TaskSpec ended = Order("ended", Act::kExit1);
  ASSERT_TRUE(runtime_->Start(running).ok());
  ASSERT_TRUE(runtime_->Start(ended).ok());
  runtime_ = bench_->NewRuntime();
  EXPECT_EQ(State(running), Found::State::kRunning);
  EXPECT_EQ(EndOf(ended).code, 1);
  Ends ends;
  EXPECT_TRUE(runtime_->Watch(running.directory, ends.Catch()).ok());
  EXPECT_TRUE(runtime_->Kill(running.directory).ok());
  EXPECT_EQ(ends.Wait().signal, SIGKILL);
}

TEST_P(RuntimeConformance, NoCallbackAfterItsRuntime) {
  const TaskSpec spec = Order("task", Act::kSleep);
  ASSERT_TRUE(runtime_->Start(spec).ok());
  Ends ends;
  EXPECT_TRUE(runtime_->Watch(spec.directory, ends.Catch()).ok());
  runtime_ = bench_->NewRuntime();
  EXPECT_TRUE(runtime_->Kill(spec.directory).ok());
  EXPECT_EQ(EndOf(spec).signal, SIGKILL);
  EXPECT_EQ(ends.count(), 0);
}

TEST_P(RuntimeConformance, ALaterWatchReplacesTheFirst) {
  const TaskSpec spec = Order("task", Act::kSleep);
  ASSERT_TRUE(runtime_->Start(spec).ok());
  Ends first;
  Ends second;
  EXPECT_TRUE(runtime_->Watch(spec.directory, first.Catch()).ok());
  EXPECT_TRUE(runtime_->Watch(spec.directory, second.Catch()).ok());
  EXPECT_TRUE(runtime_->Kill(spec.directory).ok());
  second.Wait();
  EXPECT_EQ(first.count(), 0);
  runtime_ = bench_->NewRuntime();
}

TEST_P(RuntimeConformance, WatchesManyAtOnce) {
  constexpr size_t kTasks = 8;
  std::vector<TaskSpec> specs;
  std::vector<Ends> ends(kTasks);
  for (size_t i = 0; i < kTasks; ++i) {
    specs.push_back(Order(StrCat("task", i), i % 2 == 0 ? Act::kSleep : Act::kExit1));
    ASSERT_TRUE(runtime_->Start(specs[i]).ok());
    ASSERT_TRUE(runtime_->Watch(specs[i].directory, ends[i].Catch()).ok());
  }
  for (size_t i = 1; i < kTasks; i += 2) EXPECT_EQ(ends[i].Wait().code, 1);
  for (size_t i = 0; i < kTasks; i += 2) {
    EXPECT_EQ(ends[i].count(), 0);
    EXPECT_TRUE(runtime_->Kill(specs[i].directory).ok());
    EXPECT_EQ(ends[i].Wait().signal, SIGKILL);
  }
  runtime_ = bench_->NewRuntime();
}

TEST_P(RuntimeConformance, ALostTaskIsToldAsLost) {
  const TaskSpec spec = Order("task", Act::kSleep);
  ASSERT_TRUE(runtime_->Start(spec).ok());
  bench_->KillSupervisor(spec);
  const Exit exit = EndOf(spec);
  EXPECT_EQ(exit.kind, ExitKind::kLost);
  EXPECT_FALSE(exit.text.empty());
  EXPECT_TRUE(runtime_->Start(spec).ok());
  EXPECT_EQ(State(spec), Found::State::kExited);
  EXPECT_TRUE(runtime_->Kill(spec.directory).ok());
  EXPECT_LE(bench_->Runs(spec), 1);
}

TEST_P(RuntimeConformance, RemovesOnlyWhatIsOver) {
  const TaskSpec spec = Order("task", Act::kSleep);
  ASSERT_TRUE(runtime_->Start(spec).ok());
  const absl::Status refused = runtime_->Remove(spec.directory);
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ErrorReason(refused), "TASK_RUNNING");
  EXPECT_EQ(State(spec), Found::State::kRunning);
  EXPECT_TRUE(runtime_->Kill(spec.directory).ok());
  EndOf(spec);
  EXPECT_TRUE(runtime_->Remove(spec.directory).ok());
  EXPECT_EQ(State(spec), Found::State::kNothing);
  EXPECT_TRUE(runtime_->Remove(spec.directory).ok());
  // The name may be used again.
  EXPECT_TRUE(runtime_->Start(spec).ok());
  EXPECT_EQ(State(spec), Found::State::kRunning);
}

INSTANTIATE_TEST_SUITE_P(
    All,
    RuntimeConformance,
    ::testing::Values(Kind{"Real", [] { return std::make_unique<RealBench>(); }},
                      Kind{"Fake", [] { return std::make_unique<FakeBench>(); }}),
    [](const ::testing::TestParamInfo<Kind>& kind) { return std::string(kind.param.name); });

}  // namespace
}  // namespace det::agent
