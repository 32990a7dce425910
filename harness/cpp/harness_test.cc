#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/strings.h"
#include "common/json/json.h"
#include "harness/cpp/det.h"
#include "harness/cpp/testing/fake_relay.h"
#include "harness/cpp/testing/program.h"

namespace det::harness {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kHparams[] =
    R"({"batch_size": 64, "dotted.name": 3, "layers": [8, 16],)"
    R"( "optimizer": {"lr": 0.25, "name": "sgd", "nesterov": true, "none": null}})";

// The names in a folder.
std::vector<std::string> List(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) {
    names.push_back(entry.path().filename().string());
  }
  return names;
}

template <class Function>
std::string ErrorOf(Function function) {
  try {
    function();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

void SaveModel(const fs::path& directory) {
  std::ofstream(directory / "model") << "weights";
}

// For what nobody tells us about: asks until it holds. False when that takes too long.
template <class Condition>
bool Eventually(Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

struct Exit {
  int status = -1;  // of waitpid
  std::string out;
  std::string err;
};

class HarnessTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/det-harness-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
    checkpoints_ = directory_ / "checkpoints";
  }
  void TearDown() override {
    relay_.reset();
    fs::remove_all(directory_);
    for (const char* name : {"DET_RELAY", "DET_TOKEN", "DET_SLOT_IDS"}) unsetenv(name);
  }

  FakeRelay& MakeRelay(FakeRelay::Info info = {}) {
    if (info.hparams_json == "{}") info.hparams_json = kHparams;
    info.checkpoint_directory = checkpoints_.string();
    relay_.emplace((directory_ / "relay").string(), std::move(info));
    setenv("DET_RELAY", relay_->path().c_str(), 1);
    setenv("DET_TOKEN", kFakeToken, 1);
    setenv("DET_SLOT_IDS", "[2,3]", 1);
    return *relay_;
  }
  FakeRelay& StartRelay(FakeRelay::Info info = {}) {
    MakeRelay(std::move(info)).Start();
    return *relay_;
  }

  std::unique_ptr<Program> Spawn(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), DET_BINARY_DIR "/bin/harness_test_child");
    return std::make_unique<Program>(arguments, directory_);
  }
  Exit RunChild(const std::vector<std::string>& arguments) {
    const auto program = Spawn(arguments);
    const int status = program->Wait();
    return {status, program->out(), program->err()};
  }

  fs::path directory_;
  fs::path checkpoints_;
  std::optional<FakeRelay> relay_;
};

TEST_F(HarnessTest, KnowsWhoItIs) {
  StartRelay({.latest_checkpoint = "abc", .steps_completed = 1 << 20});
  const Context context = Context::Create();
  EXPECT_EQ(context.experiment_id(), 3);
  EXPECT_EQ(context.trial_id(), 14);
  EXPECT_EQ(context.seed(), 4000000000U);
  EXPECT_EQ(context.slots(), 2);
  EXPECT_EQ(context.hparams_json(), kHparams);
  EXPECT_EQ(context.LatestCheckpoint()->path, checkpoints_ / "abc");
  EXPECT_EQ(context.LatestCheckpoint()->steps, 1 << 20);
}

TEST_F(HarnessTest, FirstRunHasNoCheckpoint) {
  StartRelay();
  EXPECT_FALSE(Context::Create().LatestCheckpoint().has_value());
}

TEST_F(HarnessTest, TypedHparams) {
  StartRelay();
  const Context context = Context::Create();
  EXPECT_EQ(context.Hparam<double>("optimizer.lr"), 0.25);
  EXPECT_EQ(context.Hparam<double>("batch_size"), 64.0);
  EXPECT_EQ(context.Hparam<int64_t>("batch_size"), 64);
  EXPECT_EQ(context.Hparam<std::string>("optimizer.name"), "sgd");
  EXPECT_TRUE(context.Hparam<bool>("optimizer.nesterov"));
  EXPECT_EQ(context.Hparam<int64_t>("dotted.name"), 3);
  EXPECT_EQ(context.HparamOr("optimizer.momentum", 0.9), 0.9);
  EXPECT_EQ(context.HparamOr("optimizer.lr", 0.9), 0.25);
  EXPECT_EQ(context.HparamOr("optimizer.none", 7), 7);
  EXPECT_EQ(context.HparamOr("no", "text"), "text");
  EXPECT_FALSE(context.HparamOr("no", false));
}

TEST_F(HarnessTest, WrongHparamsAreNamed) {
  StartRelay();
  const Context context = Context::Create();
  EXPECT_EQ(ErrorOf([&] { context.Hparam<double>("optimizer.lrr"); }),
            "there is no hyperparameter \"optimizer.lrr\"; there are batch_size, dotted.name, "
            "layers, optimizer.lr, optimizer.name, optimizer.nesterov, optimizer.none");
  EXPECT_EQ(ErrorOf([&] { context.Hparam<int64_t>("optimizer.lr"); }),
            "the hyperparameter \"optimizer.lr\" is a double (0.25), not an integer");
  EXPECT_EQ(ErrorOf([&] { context.Hparam<double>("optimizer.name"); }),
            "the hyperparameter \"optimizer.name\" is a string (\"sgd\"), not a double");
  EXPECT_EQ(ErrorOf([&] { context.Hparam<std::string>("layers"); }),
            "the hyperparameter \"layers\" is a list ([8,16]), not a string");
  EXPECT_EQ(ErrorOf([&] { context.HparamOr("batch_size", true); }),
            "the hyperparameter \"batch_size\" is an integer (64), not a boolean");
  EXPECT_EQ(ErrorOf([&] { context.Hparam<bool>("optimizer.none"); }),
            "the hyperparameter \"optimizer.none\" is null (null), not a boolean");
}

TEST_F(HarnessTest, ReportsAsTheContractHasThem) {
  FakeRelay& relay = StartRelay({.last_seq = 41});
  Context context = Context::Create();
  context.ReportTraining(10, {{"loss", 0.5}});
  context.ReportValidation(10,
                           {{"nan", std::nan("")},
                            {"up", std::numeric_limits<double>::infinity()},
                            {"down", -std::numeric_limits<double>::infinity()}});
  context.Report("speed", 10, {{"per_second", 1e-300}});
  context.ReportProgress(0.25);
  const auto metrics = [](int64_t seq, const char* group, const char* json) {
    Value report;
    report["seq"] = seq;
    report["metrics"]["group"] = group;
    report["metrics"]["steps_completed"] = 10;
    report["metrics"]["metrics_json"] = json;
    return report;
  };
  Value progress;
  progress["seq"] = 45;
  progress["progress"]["fraction"] = 0.25;
  EXPECT_EQ(relay.reports(),
            (std::vector<Value>{
                metrics(42, "training", R"({"loss":0.5})"),
                metrics(43, "validation", R"({"down":"-Infinity","nan":"NaN","up":"Infinity"})"),
                metrics(44, "speed", R"({"per_second":1e-300})"),
                progress}));
}

TEST_F(HarnessTest, NonsenseIsRefusedBeforeItIsSent) {
  FakeRelay& relay = StartRelay();
  Context context = Context::Create();
  EXPECT_EQ(ErrorOf([&] { context.ReportTraining(-1, {}); }),
            "the number of steps is negative: -1");
  EXPECT_THAT(ErrorOf([&] { context.ReportProgress(1.5); }), HasSubstr("from 0 to 1"));
  EXPECT_THAT(ErrorOf([&] { context.ReportProgress(std::nan("")); }), HasSubstr("from 0 to 1"));
  EXPECT_THAT(ErrorOf([&] { context.ReportTraining(1, {{"\xff", 1.0}}); }), HasSubstr("UTF-8"));
  EXPECT_THAT(relay.reports(), IsEmpty());
}

TEST_F(HarnessTest, BusyRelayIsAskedAgain) {
  FakeRelay& relay = StartRelay();
  relay.FailNext(2, 503);
  Context context = Context::Create();
  relay.FailNext(2, 429);
  context.ReportProgress(0.1);
  relay.FailNext(1, 500);
  context.ReportProgress(0.2);
  EXPECT_THAT(relay.reports(), SizeIs(2));
}

TEST_F(HarnessTest, RefusalsAreErrorsAndTakeNoNumber) {
  FakeRelay& relay = StartRelay();
  Context context = Context::Create();
  relay.FailNext(1, 413);
  EXPECT_EQ(ErrorOf([&] { context.ReportProgress(0.1); }),
            "the agent refuses POST /v1/reports (413): FAULT: as the test has it");
  context.ReportProgress(0.2);
  ASSERT_THAT(relay.reports(), SizeIs(1));
  EXPECT_EQ(relay.reports()[0].Find("seq")->as_int(), 1);
}

TEST_F(HarnessTest, ABucketsFaultLeavesNoCheckpointAndAProgramThatMayGoOn) {
  FakeRelay& relay = StartRelay();
  Context context = Context::Create();
  relay.FailNext(1, 424);
  fs::path folder;
  const auto save = [&](const fs::path& directory) {
    std::ofstream(directory / "model.pt") << "weights";
    folder = directory.parent_path();
  };
  EXPECT_THROW(context.SaveCheckpoint(1, save), StorageError);
  EXPECT_TRUE(fs::is_empty(folder));
  context.SaveCheckpoint(2, save);
  ASSERT_THAT(relay.reports(), SizeIs(1));
  EXPECT_EQ(relay.reports()[0].Find("seq")->as_int(), 1);
}

TEST_F(HarnessTest, GapIsAnError) {
  FakeRelay& relay = StartRelay({.last_seq = 5});
  Context context = Context::Create();
  MakeRelay().Start();  // an agent that has lost what it had taken
  EXPECT_THAT(ErrorOf([&] { context.ReportProgress(0.1); }), HasSubstr("(409): GAP: next is 1"));
  EXPECT_THAT(relay.reports(), IsEmpty());
}

TEST_F(HarnessTest, WrongTokenIsAnError) {
  StartRelay();
  setenv("DET_TOKEN", "guess", 1);
  EXPECT_EQ(ErrorOf([] { Context::Create(); }),
            "the agent refuses GET /v1/info (401): BAD_TOKEN: the token is not this run's");
  unsetenv("DET_TOKEN");
  EXPECT_EQ(ErrorOf([] { Context::Create(); }), "DET_RELAY is set, but DET_TOKEN is not");
  setenv("DET_TOKEN", "guess", 1);
  setenv("DET_RELAY", std::string(200, 'x').c_str(), 1);
  EXPECT_THAT(ErrorOf([] { Context::Create(); }), HasSubstr("no path of a unix socket"));
}

// Takes the path, accepts `count` connections and cuts each in the middle of its request.
void CutConnections(const std::string& path, int count) {
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(listener, 8), 0);
  for (int i = 0; i < count; ++i) {
    const int fd = accept(listener, nullptr, nullptr);
    char byte = 0;
    EXPECT_EQ(recv(fd, &byte, 1, 0), 1);
    close(fd);
  }
  close(listener);
  unlink(path.c_str());
}

TEST_F(HarnessTest, WaitsForARelayThatIsAway) {
  FakeRelay& relay = StartRelay();
  Context context = Context::Create();
  context.ReportProgress(0.1);
  relay.Stop();
  std::thread reporter([&] {
    context.ReportProgress(0.2);
    context.ReportProgress(0.3);
  });
  CutConnections(relay.path(), 3);
  relay.Start();
  reporter.join();
  EXPECT_THAT(relay.reports(), SizeIs(3));
  EXPECT_EQ(relay.duplicates(), 0);
}

TEST_F(HarnessTest, StartsWhileTheRelayIsAway) {
  FakeRelay& relay = MakeRelay();
  std::thread starter([] { EXPECT_EQ(Context::Create().trial_id(), 14); });
  CutConnections(relay.path(), 2);
  relay.Start();
  starter.join();
}

TEST_F(HarnessTest, ReportWhoseAnswerIsLostIsTakenOnce) {
  FakeRelay& relay = StartRelay();
  Context context = Context::Create();
  relay.KeepAnswersBack();
  std::thread reporter([&] {
    context.ReportProgress(0.1);
    context.ReportProgress(0.2);
  });
  ASSERT_TRUE(relay.Wait([&] { return relay.reports().size() == 1; }));
  relay.Stop();
  relay.Start();
  reporter.join();
  EXPECT_THAT(relay.reports(), SizeIs(2));
  EXPECT_EQ(relay.duplicates(), 1);
}

TEST_F(HarnessTest, ManyThreadsReport) {
  FakeRelay& relay = StartRelay();
  Context context = Context::Create();
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&context, thread] {
      for (int i = 0; i < 25; ++i) context.Report(StrCat("g", thread), i, {{"x", 1.0}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(relay.reports(), SizeIs(100));
  EXPECT_EQ(relay.duplicates(), 0);
}

TEST_F(HarnessTest, CheckpointIsDurableThenReported) {
  FakeRelay& relay = StartRelay();
  Context context = Context::Create();
  const Checkpoint checkpoint = context.SaveCheckpoint(
      12,
      [](const fs::path& directory) {
        EXPECT_TRUE(directory.filename().string().starts_with(".tmp-"));
        SaveModel(directory);
        fs::create_directories(directory / "optimizer/state");
        std::ofstream(directory / "optimizer/state/0") << "abc";
      },
      R"({"epoch": 2})");
  EXPECT_EQ(checkpoint.steps, 12);
  EXPECT_EQ(ReadFile(checkpoint.path / "optimizer/state/0"), "abc");
  const std::string uuid = checkpoint.path.filename().string();
  EXPECT_THAT(List(checkpoints_), testing::ElementsAre(uuid));
  ASSERT_THAT(relay.reports(), SizeIs(1));
  const Value report = *relay.reports()[0].Find("checkpoint");
  EXPECT_EQ(report.Find("uuid")->as_string(), uuid);
  EXPECT_EQ(report.Find("steps_completed")->as_int(), 12);
  EXPECT_EQ(report.Find("bytes")->as_int(), 10);
  EXPECT_EQ(report.Find("files_json")->as_string(), R"({"model":7,"optimizer/state/0":3})");
  EXPECT_EQ(report.Find("metadata_json")->as_string(), R"({"epoch": 2})");
}

TEST_F(HarnessTest, CheckpointsHaveNamesOfTheirOwn) {
  StartRelay();
  Context context = Context::Create();
  std::set<fs::path> paths;
  for (int i = 0; i < 20; ++i) paths.insert(context.SaveCheckpoint(i, SaveModel).path);
  EXPECT_THAT(paths, SizeIs(20));
  EXPECT_THAT(
      paths.begin()->filename().string(),
      testing::MatchesRegex(
          "[0-9a-f]+-[0-9a-f][0-9a-f][0-9a-f][0-9a-f]-4[0-9a-f]+-[89ab][0-9a-f]+-[0-9a-f]+"));
}

TEST_F(HarnessTest, FailedSaveLeavesNothing) {
  FakeRelay& relay = StartRelay();
  Context context = Context::Create();
  EXPECT_THROW(context.SaveCheckpoint(1,
                                      [](const fs::path& directory) {
                                        SaveModel(directory);
                                        throw std::bad_alloc();
                                      }),
               std::bad_alloc);
  EXPECT_THAT(ErrorOf([&] {
                context.SaveCheckpoint(1, [](const fs::path& directory) {
                  fs::create_symlink("/etc/passwd", directory / "link");
                });
              }),
              HasSubstr("files and folders only"));
  EXPECT_THAT(List(checkpoints_), IsEmpty());
  EXPECT_THAT(relay.reports(), IsEmpty());
  EXPECT_THAT(ErrorOf([&] { context.SaveCheckpoint(1, SaveModel, "[1]"); }),
              HasSubstr("must be a JSON object"));
  EXPECT_THAT(ErrorOf([&] { context.SaveCheckpoint(1, SaveModel, "{"); }), HasSubstr("JSON"));
  EXPECT_THAT(relay.reports(), IsEmpty());
}

TEST_F(HarnessTest, KilledWhileWritingACheckpoint) {
  FakeRelay& relay = StartRelay();
  const Exit exit = RunChild({"die-while-saving"});
  ASSERT_TRUE(WIFSIGNALED(exit.status));
  EXPECT_EQ(WTERMSIG(exit.status), SIGKILL);
  EXPECT_THAT(relay.reports(), IsEmpty());
  ASSERT_THAT(List(checkpoints_), SizeIs(1));
  EXPECT_TRUE(List(checkpoints_)[0].starts_with(".tmp-"));
}

TEST_F(HarnessTest, KilledBeforeTheCheckpointIsReported) {
  FakeRelay& relay = StartRelay();
  relay.RefuseReports();
  const auto program = Spawn({"save"});
  ASSERT_TRUE(relay.Wait([&] { return relay.refused() > 0; }));
  program->Kill();
  EXPECT_TRUE(WIFSIGNALED(program->Wait()));
  // It does not count, but it is complete.
  EXPECT_THAT(relay.reports(), IsEmpty());
  ASSERT_THAT(List(checkpoints_), SizeIs(1));
  EXPECT_EQ(ReadFile(checkpoints_ / List(checkpoints_)[0] / "model"), "weights");
}

TEST_F(HarnessTest, SeesPreemptionWithinASecond) {
  FakeRelay& relay = StartRelay();
  Context context = Context::Create();
  EXPECT_FALSE(context.ShouldPreempt());
  ASSERT_TRUE(relay.Wait([&] { return relay.polls() == 1; }));
  EXPECT_FALSE(context.ShouldPreempt());
  const auto begin = std::chrono::steady_clock::now();
  relay.Preempt();
  ASSERT_TRUE(Eventually([&] { return context.ShouldPreempt(); }));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
  EXPECT_EQ(relay.acks(), 0);
  context.AckPreemption();
  EXPECT_EQ(relay.acks(), 1);
}

TEST_F(HarnessTest, ListensAgainAfterARestart) {
  FakeRelay& relay = StartRelay();
  Context context = Context::Create();
  EXPECT_FALSE(context.ShouldPreempt());
  ASSERT_TRUE(relay.Wait([&] { return relay.polls() == 1; }));
  relay.Stop();
  relay.Start();
  ASSERT_TRUE(relay.Wait([&] { return relay.polls() == 2; }));
  relay.Preempt();
  EXPECT_TRUE(Eventually([&] { return context.ShouldPreempt(); }));
}

TEST_F(HarnessTest, EndsAtOnceWhileListening) {
  FakeRelay& relay = StartRelay();
  std::optional<Context> context = Context::Create();
  context->ShouldPreempt();
  ASSERT_TRUE(relay.Wait([&] { return relay.polls() == 1; }));
  const auto begin = std::chrono::steady_clock::now();
  context.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(1));
}

TEST_F(HarnessTest, RefusedToListen) {
  FakeRelay& relay = StartRelay();
  Context context = Context::Create();
  relay.FailNext(1, 404);
  std::string error;
  EXPECT_TRUE(Eventually([&] {
    error = ErrorOf([&] { context.ShouldPreempt(); });
    return error != "no error";
  }));
  EXPECT_EQ(error, "the agent refuses GET /v1/preemption (404): FAULT: as the test has it");
}

TEST_F(HarnessTest, MainOfAProgramThatLeaves) {
  FakeRelay& relay = StartRelay();
  relay.Preempt();
  const Exit exit = RunChild({"leave"});
  EXPECT_EQ(exit.status, 0) << exit.err;
  EXPECT_EQ(relay.acks(), 1);
  EXPECT_NE(relay.reports().back().Find("checkpoint"), nullptr);
}

TEST_F(HarnessTest, MainOfAProgramThatRefusesItsHparams) {
  FakeRelay& relay = StartRelay();
  EXPECT_EQ(RunChild({"invalid"}).status, 0);
  ASSERT_THAT(relay.reports(), SizeIs(1));
  EXPECT_EQ(relay.reports()[0].ToJson(), R"({"invalid_hparams":{},"seq":1})");
}

TEST_F(HarnessTest, MainOfAProgramThatThrows) {
  StartRelay();
  const Exit thrown = RunChild({"throw"});
  EXPECT_EQ(WEXITSTATUS(thrown.status), 1);
  EXPECT_EQ(thrown.err, "error: sizes differ (3 and 4)\n");
  const Exit other = RunChild({"throw-int"});
  EXPECT_EQ(WEXITSTATUS(other.status), 1);
  EXPECT_EQ(other.err, "error: an exception that is no std::exception\n");
  const Exit hparam = RunChild({"hparam"});
  EXPECT_EQ(WEXITSTATUS(hparam.status), 1);
  EXPECT_THAT(hparam.err, HasSubstr("error: there is no hyperparameter \"lr\"; there are"));
}

class LocalTest : public HarnessTest {
 protected:
  Context Create(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"program", "--checkpoints", checkpoints_.string()});
    std::vector<const char*> argv;
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    return Context::Create(static_cast<int>(argv.size()), argv.data());
  }
};

TEST_F(LocalTest, HparamsFromTheCommandLine) {
  const fs::path file = directory_ / "hparams.json";
  std::ofstream(file) << R"({"lr": 1, "optimizer": {"name": "sgd"}})";
  const Context context = Create({"--own",
                                  "--hp",
                                  "lr=0.5",
                                  "--hparams",
                                  file.string(),
                                  "--hp",
                                  "optimizer.name=adam",
                                  "--hp",
                                  "a.b=true",
                                  "--seed",
                                  "9",
                                  "--slots",
                                  "2"});
  EXPECT_EQ(context.hparams_json(), R"({"a":{"b":true},"lr":0.5,"optimizer":{"name":"adam"}})");
  EXPECT_EQ(context.seed(), 9U);
  EXPECT_EQ(context.slots(), 2);
  EXPECT_EQ(context.trial_id(), 0);
}

TEST_F(LocalTest, WrongArgumentsAreErrors) {
  EXPECT_EQ(ErrorOf([&] { Create({"--hp", "lr"}); }), "--hp takes NAME=VALUE, not \"lr\"");
  EXPECT_EQ(ErrorOf([&] { Create({"--hp"}); }), "--hp needs a value");
  EXPECT_THAT(ErrorOf([&] { Create({"--seed", "-1"}); }), HasSubstr("whole number from 0 to"));
  EXPECT_THAT(ErrorOf([&] { Create({"--slots", "two"}); }), HasSubstr("not \"two\""));
  EXPECT_EQ(ErrorOf([&] { Create({"--hparams", "/nowhere"}); }), "can't read /nowhere");
}

TEST_F(LocalTest, PrintsMetrics) {
  testing::internal::CaptureStdout();
  Context context = Create({});
  context.ReportTraining(5, {{"loss", 0.125}, {"nan", std::nan("")}});
  context.ReportProgress(0.5);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "training steps=5 loss=0.125 nan=nan\n");
  EXPECT_FALSE(context.ShouldPreempt());
  EXPECT_THROW(context.InvalidHparams(), Leave);
}

TEST_F(LocalTest, ResumesFromTheNewestCheckpoint) {
  EXPECT_FALSE(Create({"--resume"}).LatestCheckpoint().has_value());
  Context first = Create({});
  first.SaveCheckpoint(1, SaveModel);
  const Checkpoint second = first.SaveCheckpoint(2, SaveModel);
  const Checkpoint third = first.SaveCheckpoint(3, SaveModel);
  EXPECT_FALSE(Create({}).LatestCheckpoint().has_value());
  EXPECT_EQ(Create({"--resume"}).LatestCheckpoint()->path, third.path);
  fs::remove_all(third.path);
  EXPECT_EQ(Create({"--resume"}).LatestCheckpoint()->path, second.path);
  EXPECT_EQ(Create({"--resume"}).LatestCheckpoint()->steps, 2);
}

TEST_F(LocalTest, MainByHand) {
  const Exit exit = RunChild({"hparam", "--hp", "lr=0.5"});
  EXPECT_EQ(exit.status, 0);
  EXPECT_EQ(exit.out, "0.5\n");
}

}  // namespace
}  // namespace det::harness
