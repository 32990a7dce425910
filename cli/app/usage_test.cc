#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/app/exit_code.h"
#include "cli/base/cause.h"
#include "cli/testing/fake_master.h"
#include "cli/testing/run_cli.h"
#include "cli/testing/sample_model.h"
#include "cli/testing/temp_dir.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// Nobody listens there: whatever works here needs no master.
constexpr char kNowhere[] = "127.0.0.1:1";

class UsageTest : public ::testing::Test {
 protected:
  CliRunner runner_{kNowhere};
};

struct Mistake {
  const char* line;
  const char* error;
  const char* hint;
};

constexpr Mistake kMistakes[] = {
    {"exprimnt list", "there is no command \"exprimnt\"", "did you mean experiment?"},
    {"xyzzy", "there is no command \"xyzzy\"", "there are experiment, trial,"},
    {"notebook start", "there is no command \"notebook\"", "det experiment create"},
    {"cmd run ls", "there is no command \"cmd\"", "det experiment create"},
    {"shell open 3", "there is no command \"shell\"", "det experiment create"},
    {"tensorboard start 3", "there is no command \"tensorboard\"", "--plot"},
    {"master config", "there is no command \"master\"", "det status"},
    {"rp list", "there is no command \"rp\"", "det agent list --filter"},
    {"resource-pool list", "there is no command \"resource-pool\"", "det agent list --filter"},
    {"resources raw", "there is no command \"resources\"", "det trial list"},
    {"task list", "there is no command \"task\"", "det trial list --live"},
    {"dev curl x", "there is no command \"dev\"", "-v prints"},
    {"auth login", "there is no command \"auth\"", "det login"},
    {"model list", "there is no command \"model\"", "det checkpoint list"},
    {"m list", "there is no command \"m\"", "det checkpoint list"},
    {"deploy local", "there is no command \"deploy\"", "det up"},
    {"rbac list-roles", "there is no command \"rbac\"", "det workspace role add"},
    {"user-group list", "there is no command \"user-group\"", "det workspace role add"},
    {"webhook list", "there is no command \"webhook\"", "det experiment wait"},
    {"e delete-tb-files 7", "there is no \"delete-tb-files\" for experiment", "det metrics"},
    {"t set log-retention 7", "\"set log-retention\"", "det experiment set log-retention"},
    {"t support-bundle 7", "\"support-bundle\" for trial", "det why"},
    {"u change-password", "\"change-password\" for user", "det token create"},
    {"token edit 3", "\"edit\" for token", "det token revoke"},
    {"-u ann e list", "there is no option --user", "det login"},
    {"e list -u ann", "there is no option --user", "det login"},
    {"e create x.yaml -t", "there is no option --test-mode", "--validate"},
    {"e describe 7 --metrics", "there is no option --metrics", "det metrics"},
    {"user edit ann", "nothing is to be changed", "--display-name"},
    {"user edit ann --admin --no-admin", "exclude each other", ""},
    {"w edit vision", "nothing is to be changed", "--name"},
    {"p edit vision/digits", "nothing is to be changed", "--description"},
    {"token create x --expires 99999999999999d", "more than a hundred years", "never"},
    {"token create x --expires 1ns", "less than a second", "never"},
    {"e lst", "there is no \"lst\" for experiment", "did you mean list?"},
    {"e ac tivate", "\"tivate\" is no id", "ids are numbers from 1"},
    {"e pa x", "\"x\" is no id", "ids are numbers from 1"},
    {"e l", "\"l\" may mean list, logs", "write some more letters"},
    {"e list --limt 3", "there is no option --limt", "did you mean --limit?"},
    {"e list --limit=x", "--limit: \"x\" is no number", ""},
    {"e list --limit", "--limit needs a value", ""},
    {"e list -o jsn", "--output: \"jsn\" is not one of table, wide, json", "did you mean json?"},
    {"e list --color sometimes", "--color: \"sometimes\" is not one of auto, always, never", ""},
    {"e list --timeout soon", "--timeout: \"soon\" is no time", "write 30s, 5m or 2h"},
    {"e describe", "ID is missing", "--help"},
    {"t describe 1 2", "\"2\" is one argument too many", "--help"},
    {"e describe 0", "\"0\" is no id of an experiment", "ids are numbers from 1"},
    {"e describe 99999999999999999999", "is no id of an experiment", "ids are numbers from 1"},
    {"e create x.yaml --config novalue", "\"novalue\" is not KEY=VALUE", "searcher.max_trials=8"},
    {"e create x.yaml --validate -f", "--validate creates nothing", ""},
    {"why x9", "\"x9\" names nothing", "t17 a trial"},
    {"status --master foo:bar", "the master's address \"foo:bar\" can't be read", "HOST:PORT"},
    {"status --master https://x", "asks for TLS", "HOST:PORT"},
    {"--nonsense", "there is no option --nonsense", ""},
    {"-o json", "", ""},
};

TEST_F(UsageTest, MistakesAreExitCodeTwoAndAHint) {
  for (const Mistake& mistake : kMistakes) {
    const CliResult result = runner_.Run(mistake.line);
    EXPECT_EQ(result.code, ExitCode::kUsage) << mistake.line;
    EXPECT_EQ(result.out, "") << mistake.line;
    EXPECT_THAT(result.err, HasSubstr(mistake.error)) << mistake.line;
    EXPECT_THAT(result.err, HasSubstr(mistake.hint)) << mistake.line;
  }
}

TEST_F(UsageTest, HelpNeedsNoMaster) {
  for (const char* line : {"--help",
                           "help",
                           "-h",
                           "e --help",
                           "help e create",
                           "e create --help",
                           "e create x.yaml -h",
                           "t -h",
                           "up --help",
                           "down -h",
                           "version"}) {
    const CliResult result = runner_.Run(line);
    EXPECT_EQ(result.code, ExitCode::kOk) << line;
    EXPECT_NE(result.out, "") << line;
    EXPECT_EQ(result.err, "") << line;
  }
}

TEST_F(UsageTest, WithoutACommandHelpIsAnError) {
  EXPECT_EQ(runner_.Run("").code, ExitCode::kOk);
  const CliResult noun = runner_.Run("e");
  EXPECT_EQ(noun.code, ExitCode::kUsage);
  EXPECT_EQ(noun.out, "");
  EXPECT_THAT(noun.err, HasSubstr("Usage: det experiment COMMAND"));
}

TEST_F(UsageTest, EveryCommandHasHelpAndAnExample) {
  const CliResult top = runner_.Run("--help");
  for (const char* line : {"up",
                           "down",
                           "status",
                           "why",
                           "metrics",
                           "plan",
                           "preview-search",
                           "version",
                           "experiment create",
                           "experiment list",
                           "experiment describe",
                           "experiment logs",
                           "experiment wait",
                           "experiment pause",
                           "experiment activate",
                           "experiment cancel",
                           "experiment kill",
                           "trial list",
                           "trial describe",
                           "trial logs",
                           "trial metrics",
                           "checkpoint list",
                           "checkpoint download",
                           "agent list",
                           "slot list",
                           "job list"}) {
    const CliResult help = runner_.Run(StrCat(line, " --help"));
    EXPECT_EQ(help.code, ExitCode::kOk) << line;
    EXPECT_THAT(help.out, HasSubstr(StrCat("Usage: det ", line))) << line;
    EXPECT_THAT(help.out, HasSubstr("Examples:")) << line;
  }
  EXPECT_THAT(top.out, HasSubstr("preview-search"));
}

TEST(ExitCodeTest, FollowsTheKindOfError) {
  EXPECT_EQ(CodeOf(UsageError("x")), ExitCode::kUsage);
  EXPECT_EQ(CodeOf(absl::InvalidArgumentError("x")), ExitCode::kFailure);
  EXPECT_EQ(CodeOf(absl::InternalError("x")), ExitCode::kFailure);
  EXPECT_EQ(CodeOf(absl::NotFoundError("x")), ExitCode::kNotFound);
  EXPECT_EQ(CodeOf(absl::UnauthenticatedError("x")), ExitCode::kForbidden);
  EXPECT_EQ(CodeOf(absl::PermissionDeniedError("x")), ExitCode::kForbidden);
  EXPECT_EQ(CodeOf(absl::FailedPreconditionError("x")), ExitCode::kConflict);
  EXPECT_EQ(CodeOf(absl::AlreadyExistsError("x")), ExitCode::kConflict);
  EXPECT_EQ(CodeOf(absl::UnavailableError("x")), ExitCode::kUnreachable);
  EXPECT_EQ(CodeOf(absl::DeadlineExceededError("x")), ExitCode::kUnreachable);
}

// Whole commands, and what they make of the master's answers.
class ErrorsTest : public ::testing::Test {
 protected:
  void Fail(const std::string& call, absl::Status status) {
    master_.Edit([&](Model& model) { model.failures[call] = std::move(status); });
  }
  FakeMaster master_{SampleModel()};
  CliRunner runner_{master_.address()};
};

TEST_F(ErrorsTest, NoMaster) {
  const CliResult result = CliRunner(kNowhere).Run("status");
  EXPECT_EQ(result.code, ExitCode::kUnreachable);
  EXPECT_EQ(result.err,
            "error: cannot reach the master at 127.0.0.1:1\n"
            "cause: Connection refused\n"
            "hint: det up starts a cluster on this machine; --master or DET_MASTER names another "
            "(this address comes from DET_MASTER)\n");
}

TEST_F(ErrorsTest, AMasterThatDoesNotAnswer) {
  master_.Edit([](Model& model) { model.hanging.insert("ListExperiments"); });
  const CliResult result = runner_.Run("e list --timeout 0.2");
  EXPECT_EQ(result.code, ExitCode::kUnreachable);
  EXPECT_THAT(result.err, HasSubstr("did not answer within 200ms"));
  EXPECT_THAT(result.err, HasSubstr("hint: --timeout gives it longer"));
}

TEST_F(ErrorsTest, AWrongToken) {
  master_.Edit([](Model& model) { model.token = "right"; });
  EXPECT_EQ(runner_.Run("e list").code, ExitCode::kForbidden);
  runner_.SetEnv("DET_TOKEN", "wrong");
  const CliResult wrong = runner_.Run("e list");
  EXPECT_EQ(wrong.code, ExitCode::kForbidden);
  EXPECT_THAT(wrong.err, Not(HasSubstr("wrong")));
  runner_.SetEnv("DET_TOKEN", "right");
  EXPECT_EQ(runner_.Run("e list").code, ExitCode::kOk);
}

TEST_F(ErrorsTest, WhatDoesNotExist) {
  const CliResult result = runner_.Run("e describe 99");
  EXPECT_EQ(result.code, ExitCode::kNotFound);
  EXPECT_THAT(result.err, StartsWith("error: "));
}

TEST_F(ErrorsTest, SomeOfSeveral) {
  const CliResult some = runner_.Run("e pause 7 99");
  EXPECT_EQ(some.code, ExitCode::kPartial);
  EXPECT_THAT(some.err, HasSubstr("99"));
  EXPECT_EQ(runner_.Run("e pause 98 99").code, ExitCode::kNotFound);
}

TEST_F(ErrorsTest, TheMastersWordsAndHint) {
  Fail("KillExperiment",
       Error(absl::StatusCode::kFailedPrecondition, "ENDED", "it has ended", "look at it"));
  const CliResult result = runner_.Run("e kill 7");
  EXPECT_EQ(result.code, ExitCode::kConflict);
  EXPECT_EQ(result.err, "error: it has ended\nhint: look at it\n");
  EXPECT_THAT(runner_.Run("e kill 7 -v").err, HasSubstr("reason: ENDED"));
}

TEST_F(ErrorsTest, AConfigurationErrorKeepsItsCaret) {
  const TempDir dir;
  const std::string path = dir.Write("x.yaml", "sercher: {}\n");
  const std::string rendered = StrCat(path,
                                      ":1:1: error: unknown key \"sercher\"\n"
                                      "    1 | sercher: {}\n"
                                      "      | ^\n"
                                      "hint: did you mean \"searcher\"?");
  Fail("CreateExperiment", Error(absl::StatusCode::kInvalidArgument, "INVALID_CONFIG", rendered));
  const CliResult result = runner_.Run(StrCat("e create ", path));
  EXPECT_EQ(result.code, ExitCode::kFailure);
  EXPECT_EQ(result.err, rendered + "\n");
}

TEST_F(ErrorsTest, FilesThatCantBeRead) {
  const TempDir dir;
  const CliResult config = runner_.Run(StrCat("e create ", dir.File("none.yaml")));
  EXPECT_EQ(config.code, ExitCode::kFailure);
  EXPECT_THAT(config.err, HasSubstr("none.yaml\ncause: No such file or directory"));
  const std::string path = dir.Write("x.yaml", "name: x\n");
  const CliResult model = runner_.Run(StrCat("e create ", path, " ", dir.File("none")));
  EXPECT_EQ(model.code, ExitCode::kFailure);
  EXPECT_THAT(model.err, HasSubstr("cannot read the directory"));
  dir.Write("bytes.yaml", "name: \xff\n");
  const CliResult bytes = runner_.Run(StrCat("e create ", dir.File("bytes.yaml")));
  EXPECT_THAT(bytes.err, HasSubstr("UTF-8"));
  const CliResult value = runner_.Run(StrCat("e create ", path, " --config name=\xff"));
  EXPECT_THAT(value.err, HasSubstr("--config: byte 5 is no UTF-8"));
  EXPECT_TRUE(master_.Look().created.empty());
}

// The master must be able to read the request, whatever a file is called.
TEST_F(ErrorsTest, AFilesNameMayBeAnyBytes) {
  const TempDir dir;
  dir.Write("\xff.yaml", "name: x\n");
  const CliResult result = runner_.Run(StrCat("e create ", dir.File("\xff.yaml")));
  EXPECT_EQ(result.code, ExitCode::kOk) << result.err;
  const auto created = master_.Look().created;
  ASSERT_EQ(created.size(), 1);
  EXPECT_THAT(created[0].config_name(), HasSubstr("/\xEF\xBF\xBD.yaml"));
}

TEST_F(ErrorsTest, ColourOnlyWhereItIsWanted) {
  constexpr char kEscape[] = "\x1b[";
  const auto colored = [&](const std::string& line) {
    return runner_.Run(line).out.find(kEscape) != std::string::npos;
  };
  EXPECT_FALSE(colored("e list"));
  EXPECT_TRUE(colored("e list --color always"));
  runner_.SetEnv("CLICOLOR_FORCE", "1");
  EXPECT_TRUE(colored("e list"));
  EXPECT_FALSE(colored("e list -o json"));
  EXPECT_FALSE(colored("e list -o csv"));
  runner_.UnsetEnv("CLICOLOR_FORCE");
  runner_.UseTerminal(100, 40);
  runner_.SetEnv("TERM", "xterm");
  EXPECT_TRUE(colored("e list"));
  EXPECT_FALSE(colored("e list --color never"));
  runner_.SetEnv("TERM", "dumb");
  EXPECT_FALSE(colored("e list"));
  runner_.SetEnv("TERM", "xterm");
  runner_.SetEnv("NO_COLOR", "1");
  EXPECT_FALSE(colored("e list"));
  EXPECT_TRUE(colored("e list --color always"));
}

TEST_F(ErrorsTest, NoLineIsWiderThanTheTerminal) {
  runner_.SetEnv("NO_COLOR", "1");
  for (const int width : {40, 80, 120}) {
    runner_.UseTerminal(width, 40);
    for (const char* line : {"e list", "t list 7", "a list", "job list", "c list 7"}) {
      const std::string out = runner_.Run(line).out;
      for (size_t begin = 0; begin < out.size();) {
        const size_t end = out.find('\n', begin);
        EXPECT_LE(end - begin, static_cast<size_t>(width)) << line << "\n" << out;
        begin = end + 1;
      }
    }
  }
}

// What people who come from Determined type.
TEST_F(ErrorsTest, ShortForms) {
  const TempDir dir;
  const std::string config = dir.Write("cfg.yaml", "name: x\n");
  dir.Write("model/train.py", "");
  const std::string model = dir.File("model");
  for (const std::string& line :
       {StrCat("e create ", config, " ", model, " --config a.b=1 --config c=d --paused"),
        StrCat("e create ", config, " ", model),
        StrCat("plan ", config),
        StrCat("preview-search ", config),
        std::string("e ls"),
        std::string("e list"),
        std::string("e describe 7"),
        std::string("e lt 7"),
        std::string("e list-trials 7"),
        std::string("e lc 7"),
        std::string("exp pause 7"),
        std::string("e activate 7"),
        std::string("e pause 7"),
        std::string("e unpause 7"),
        std::string("t describe 17"),
        std::string("t logs 17"),
        std::string("c list 7"),
        std::string("c ls 7"),
        std::string("a list"),
        std::string("a ls"),
        std::string("s list"),
        std::string("slot ls"),
        std::string("j list"),
        std::string("-m 127.0.0.1:1 version"),
        std::string("e kill 7")}) {
    const CliResult result = runner_.Run(line);
    EXPECT_EQ(result.code, ExitCode::kOk) << line << "\n" << result.err;
  }
  const auto created = master_.Look().created;
  ASSERT_EQ(created.size(), 2U);
  EXPECT_TRUE(created[0].paused());
  EXPECT_THAT(created[0].overrides(), ::testing::ElementsAre("a.b=1", "c=d"));
  EXPECT_NE(created[0].context_sha256(), "");
}

}  // namespace
}  // namespace det::cli
