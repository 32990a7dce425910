// What all verbs have in common: formats, columns, filters, watching, contexts, completion.
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "cli/client/contexts.h"
#include "cli/testing/fake_master.h"
#include "cli/testing/golden.h"
#include "cli/testing/run_cli.h"
#include "cli/testing/sample_model.h"
#include "cli/testing/temp_dir.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

class AppTest : public testing::Test {
 protected:
  std::string Asked() {
    std::string asked;
    master_.Edit([&](Model& model) { asked = model.list_asked; });
    return asked;
  }

  FakeMaster master_{SampleModel()};
  CliRunner runner_{master_.address()};
};

TEST_F(AppTest, EveryFormatTakesColumnsAndPathsIntoItems) {
  ExpectGolden("columns",
               Transcript(runner_,
                          {"t list 7 --columns id,hparams.optimizer.lr,reason.code",
                           "t list 7 --columns id,hparams.optimizer.lr -o json",
                           "t list 7 --columns id,hparams.optimizer.lr -o jsonl",
                           "t list 7 --columns id,hparams.optimizer.lr -o yaml",
                           "t list 7 --columns id,hparams.optimizer.lr -o csv",
                           "t list 7 -o 'template={id} {{{state}}} {hparams.optimizer.lr}'",
                           "e list -o wide",
                           "e list -o jsonl --columns id,state",
                           "e describe 7 -o template='{experiment.id}\\t{experiment.reason.text}'",
                           "e list --columns idd",
                           "e list -o tabel",
                           "e list -o template",
                           "e list -o template='{id'"}));
}

TEST_F(AppTest, ListsAskTheMasterToFilterAndSort) {
  runner_.Run("e list --filter 'state = ACTIVE' --sort -best_metric,name");
  EXPECT_EQ(Asked(), "state = ACTIVE|-best_metric,name");
  runner_.Run("e list --since 2h");
  EXPECT_EQ(Asked(), "created < 2h|");
  runner_.Run(
      "t list 7 --filter 'id > 3 or id = 1' --since 2026-03-01 --sort id:desc --sort state");
  EXPECT_EQ(Asked(), "(id > 3 or id = 1) and created >= \"2026-03-01\"|id:desc,state");
  runner_.Run("c list --filter 'bytes > 1GiB'");
  EXPECT_EQ(Asked(), "bytes > 1GiB|");
}

TEST_F(AppTest, MistakesInAListNeedNoMaster) {
  runner_.SetEnv("DET_MASTER", "127.0.0.1:1");
  ExpectGolden("list_mistakes",
               Transcript(runner_,
                          {"e list --filter 'state = '",
                           "e list --filter '(state = ACTIVE'",
                           "e list --since yesterday",
                           "e list --limit 3 --all",
                           "e list --limit 0",
                           "e kill 7 --watch",
                           "e list --watch=never",
                           "q list"}));
}

TEST_F(AppTest, AllIsAll) {
  const CliResult few = runner_.Run("e list --limit 1 -o name");
  EXPECT_EQ(few.out, "7\n");
  EXPECT_THAT(few.err, HasSubstr("these are the first 1; --limit N shows more, --all all"));
  EXPECT_EQ(runner_.Run("e list --all -o name").out, "7\n6\n5\n");
  EXPECT_EQ(runner_.Run("e list --all -o name").err, "");
}

TEST_F(AppTest, WhyIsWrappedNotCutOff) {
  runner_.UseTerminal(50, 24);
  master_.Edit([](Model& model) {
    model.explanations["trial 19"].mutable_reason()->set_text(
        "it needs 4 slots on one agent, the largest free is 2; ahead of it are 3 jobs, the last "
        "of which will take about twelve minutes");
  });
  const CliResult result = runner_.Run("why t19");
  EXPECT_THAT(result.out, HasSubstr("twelve"));
  EXPECT_THAT(result.out, HasSubstr("minutes"));
  EXPECT_THAT(result.out, Not(HasSubstr("…")));
}

TEST_F(AppTest, CompletesThingsVerbsOptionsAndIds) {
  ExpectGolden("complete",
               Transcript(runner_,
                          {"__complete -- e",
                           "__complete -- experiment de",
                           "__complete -- experiment describe ''",
                           "__complete -- e describe 7 --out",
                           "__complete -- e list -o j",
                           "__complete -- e list --output=y",
                           "__complete -- e list --color ''",
                           "__complete -- --color al",
                           "__complete -- trial logs 1",
                           "__complete -- checkpoint download ''",
                           "__complete -- experiment create ''",
                           "__complete -- completion ''",
                           "__complete -- nonsense ''",
                           "__complete --"}));
}

TEST_F(AppTest, CompletionSaysNothingWhenTheMasterIsAway) {
  master_.Edit([](Model& model) { model.hanging.insert("ListExperiments"); });
  const absl::Time begin = absl::Now();
  const CliResult result = runner_.Run("__complete -- e describe ''");
  EXPECT_LT(absl::Now() - begin, absl::Seconds(5));
  EXPECT_EQ(result.out + result.err, "");
  EXPECT_EQ(result.code, ExitCode::kOk);
}

TEST_F(AppTest, DoctorSaysWhatToDoNext) {
  master_.Edit([](Model& model) {
    model.health.set_now_unix_nanos(absl::ToUnixNanos(SampleNow() + absl::Minutes(10)));
    model.cluster.set_version("0.0.9");
  });
  const CliResult result = runner_.Run("doctor");
  EXPECT_EQ(result.code, ExitCode::kOk);
  for (const char* line : {"ok    address",
                           "warn  version     0.1.0 here, 0.0.9 at the master",
                           "warn  clock       the master's is",
                           "-> make room on the disk of /data",
                           "ok    database    answers in 1ms"}) {
    EXPECT_THAT(result.out, HasSubstr(line));
  }
  runner_.SetEnv("DET_MASTER", "127.0.0.1:1");
  const CliResult away = runner_.Run("doctor --timeout 2s");
  EXPECT_EQ(away.code, ExitCode::kFailure);
  EXPECT_THAT(away.out, HasSubstr("fail  master"));
}

TEST_F(AppTest, DiffShowsWhatIsNotAlike) {
  ExpectGolden("diff", Transcript(runner_, {"diff 6 7", "diff t17 t18 -o json", "diff 7 7"}));
}

TEST_F(AppTest, PlotsMetrics) {
  ExpectGolden("plot", Transcript(runner_, {"metrics 17 --plot", "metrics 17 --plot --name none"}));
}

class ContextsTest : public AppTest {
 protected:
  ContextsTest() {
    runner_.UnsetEnv("DET_MASTER");
    runner_.SetEnv("XDG_CONFIG_HOME", directory_.path());
    std::ofstream(token_) << "secret-1\n";
    master_.Edit([](Model& model) { model.token = "secret-1"; });
  }
  std::string Read(const std::string& name) {
    std::ifstream file(StrCat(directory_.path(), "/det/", name));
    return {std::istreambuf_iterator<char>(file), {}};
  }

  TempDir directory_;
  const std::string token_ = StrCat(directory_.path(), "/token");
};

TEST_F(ContextsTest, LoginTriesTheTokenKeepsItAndGoesThere) {
  const CliResult login =
      runner_.Run(StrCat("login ", master_.address(), " --name prod --token-file ", token_));
  EXPECT_EQ(login.code, ExitCode::kOk) << login.err;
  EXPECT_THAT(login.err, HasSubstr("you are ann at"));
  struct stat info = {};
  ASSERT_EQ(stat(StrCat(directory_.path(), "/det/tokens/prod").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  EXPECT_EQ(Read("tokens/prod"), "secret-1\n");
  EXPECT_THAT(Read("contexts.json"), Not(HasSubstr("secret")));
  EXPECT_EQ(runner_.Run("whoami -o name").out, "ann\n");
  EXPECT_EQ(runner_.Run("context show -o name").out, "prod\n");
  EXPECT_EQ(runner_.Run("logout").code, ExitCode::kOk);
  EXPECT_EQ(Read("tokens/prod"), "");
  EXPECT_EQ(runner_.Run("whoami").code, ExitCode::kForbidden);
}

TEST_F(ContextsTest, AWrongTokenIsNotKept) {
  std::ofstream(token_) << "wrong\n";
  const CliResult login =
      runner_.Run(StrCat("login ", master_.address(), " --token-file ", token_));
  EXPECT_EQ(login.code, ExitCode::kForbidden);
  EXPECT_EQ(Read("contexts.json"), "");
}

TEST_F(ContextsTest, FlagsGoBeforeTheEnvironmentAndThatBeforeTheContext) {
  runner_.Run(StrCat("login ", master_.address(), " --name prod --token-file ", token_));
  ASSERT_EQ(runner_.Run("context add dead 127.0.0.1:1 --use").code, ExitCode::kOk);
  const auto who = [&](const std::string& options) {
    return runner_.Run("whoami " + options).code;
  };
  EXPECT_EQ(who("--timeout 1s"), ExitCode::kUnreachable);
  EXPECT_EQ(who("--context prod"), ExitCode::kOk);
  EXPECT_EQ(who("--master " + master_.address()), ExitCode::kOk);
  runner_.SetEnv("DET_CONTEXT", "prod");
  EXPECT_EQ(who(""), ExitCode::kOk);
  EXPECT_EQ(who("--context dead --timeout 1s"), ExitCode::kUnreachable);
  runner_.SetEnv("DET_MASTER", "127.0.0.1:1");
  EXPECT_EQ(who("--timeout 1s"), ExitCode::kUnreachable);
  EXPECT_EQ(who("--context prod"), ExitCode::kOk);
  const CliResult unknown = runner_.Run("e ls --context prdo");
  EXPECT_EQ(unknown.code, ExitCode::kNotFound);
  EXPECT_THAT(unknown.err, HasSubstr("did you mean prod?"));
}

TEST_F(ContextsTest, AreListedUsedAndRemoved) {
  runner_.Run("context add one 10.0.0.1:8090");
  runner_.Run("context add two 10.0.0.2");
  ExpectGolden("context",
               Transcript(runner_,
                          {"context list",
                           "context use two",
                           "context list -o json",
                           "context use tow",
                           "context add two 10.0.0.3",
                           "context add a/b 10.0.0.3",
                           "context rm two",
                           "context list",
                           "context show"}));
}

TEST_F(ContextsTest, WhatDetUpLeftBeforeThereWereContextsIsOne) {
  std::filesystem::create_directories(StrCat(directory_.path(), "/det"));
  std::ofstream(StrCat(directory_.path(), "/det/current.json"))
      << StrCat(R"({"master":")", master_.address(), R"(","token_file":")", token_, "\"}");
  EXPECT_EQ(runner_.Run("whoami -o name").out, "ann\n");
  EXPECT_EQ(runner_.Run("context list -o name").out, "local\n");
}

TEST_F(ContextsTest, ABrokenFileIsNamedAndDoesNotMatterToWhoNamesTheMaster) {
  std::filesystem::create_directories(StrCat(directory_.path(), "/det"));
  std::ofstream(StrCat(directory_.path(), "/det/contexts.json")) << "{";
  EXPECT_THAT(runner_.Run("e ls").err, HasSubstr("contexts.json"));
  EXPECT_EQ(
      runner_.Run(StrCat("whoami --master ", master_.address(), " --token-file ", token_)).code,
      ExitCode::kOk);
}

}  // namespace
}  // namespace det::cli
