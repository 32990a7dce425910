#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "cli/testing/golden.h"
#include "cli/testing/run_cli.h"
#include "cli/testing/temp_dir.h"
#include "common/base/strings.h"
#include "master/testing/test_server.h"

// det's verbs for people and places against a real master: what a person types, and what comes
// back.
namespace det::cli {
namespace {

namespace fs = std::filesystem;

class CatalogCliTest : public testing::Test {
 protected:
  CatalogCliTest() { Become(test::kAnnToken); }
  void Become(const std::string& token) { runner_.SetEnv("DET_TOKEN", token); }

  struct Turn {
    const char* token;
    std::vector<std::string> lines;
  };
  std::string Play(const std::vector<Turn>& turns) {
    std::string text;
    for (const Turn& turn : turns) text += As(turn.token, turn.lines);
    return text;
  }

  // The transcript of the lines as that user.
  std::string As(const char* token, const std::vector<std::string>& lines) {
    Become(token);
    return StrCat("# ",
                  token == std::string_view(test::kAdminToken) ? "admin"
                  : token == std::string_view(test::kAnnToken) ? "ann"
                                                               : "bob",
                  "\n",
                  Transcript(runner_, lines));
  }
  std::string WriteConfig(const std::string& name) const {
    return dir_.Write(name,
                      "name: mine\nentrypoint: python3 train.py\n"
                      "hyperparameters: {lr: {type: double, minval: 0.1, maxval: 1}}\n"
                      "searcher: {name: random, metric: loss, max_trials: 1}\n");
  }

  test::TestServer server_;
  TempDir dir_;
  CliRunner runner_{server_.address()};
};

TEST_F(CatalogCliTest, Users) {
  const std::string columns = " --columns id,name,display_name,active,administrator";
  ExpectGolden("user",
               Play({{test::kAdminToken,
                      {"user create carol --display-name 'Carol Lee'",
                       "u create CAROL",
                       "u create 'a b'",
                       "u deactivate carol",
                       "u activate carol",
                       "u rename carol carla",
                       "u ls" + columns,
                       "u deactivate admin",
                       "u ls -o name"}},
                     {test::kBobToken, {"u create dave", "u deactivate karla"}}}));
}

TEST_F(CatalogCliTest, WorkspacesProjectsAndRoles) {
  const std::string admin = " --columns id,name,owner,projects,experiments,archived";
  const std::string project = " --columns id,workspace,name,owner,experiments,archived,description";
  ExpectGolden(
      "workspace",
      Play({{test::kAnnToken,
             {"workspace create Vision",
              "w create vision",
              "w create a/b",
              "project create Vision Digits --description 'ten of them'",
              "p create vision/Letters",
              "p ls Vision" + project,
              "w role add Vision bob editor",
              "w role add Vision bob boss",
              "w ls" + admin,
              "w delete Vision"}},
            {test::kBobToken,
             {"p create vision bobs", "w role add Vision carol viewer", "p delete vision bobs"}},
            {test::kAnnToken,
             {"w role remove Vision bob",
              "p archive vision/letters",
              "p ls -o name",
              "p ls --archived -o name",
              "p unarchive vision letters",
              "p rename vision/letters Words",
              "p move vision words Uncategorized",
              "p delete vision digit",
              "p delete vision digits",
              "w rename Vision Robots",
              "w archive Robots",
              "p create robots x",
              "w unarchive Robots",
              "w delete Robots"}}}));
}

TEST_F(CatalogCliTest, Templates) {
  const std::string file = dir_.Write("gpu.yaml", "resources: {slots_per_trial: 2}\n");
  const std::string bad = dir_.Write("bad.yaml", "a: [1\n");
  std::string text = As(test::kAnnToken,
                        {"template create gpu " + file,
                         "tpl create GPU " + file,
                         "tpl describe gpu",
                         "tpl rename gpu a100",
                         "tpl set a100 " + bad,
                         "tpl ls --columns id,name,workspace,owner",
                         "tpl delete a10",
                         "tpl delete a100"});
  for (size_t at = text.find(dir_.path()); at != std::string::npos; at = text.find(dir_.path()))
    text.replace(at, dir_.path().size(), "DIR");
  ExpectGolden("template", text);
}

TEST_F(CatalogCliTest, ExperimentsAreLabelledMovedAndArchived) {
  const std::string config = WriteConfig("c.yaml");
  for (int i = 0; i < 2; ++i) ASSERT_EQ(runner_.Run("e create " + config).code, ExitCode::kOk);
  const std::string columns = " --columns id,name,workspace,project,labels,archived";
  ExpectGolden("experiment_edit",
               Play({{test::kAnnToken,
                      {"w create Vision -q",
                       "p create Vision Digits -q",
                       "e label add 1,2 best 'run 2'",
                       "e label remove 1 best",
                       "e label list 2",
                       "e label list 2 -o json",
                       "e label",
                       "e set name 1 'a better name'",
                       "e set description 1 'twice as wide'",
                       "e set notes 1 ''",
                       "e archive 1",
                       "e kill 1 -q",
                       "e archive 1 2 77",
                       "e ls --label best" + columns,
                       "e ls" + columns,
                       "e ls --archived" + columns,
                       "e unarchive 1",
                       "e move 1 2 vision/digits",
                       "e mv 1 vision digits",
                       "e mv 1 vision",
                       "e ls --project vision/digits" + columns,
                       "e ls --workspace visoin"}},
                     {test::kBobToken, {"e set name 1 mine", "e set name 2 mine"}}}));
}

TEST_F(CatalogCliTest, AnExperimentStandsOnATemplate) {
  const std::string config = WriteConfig("c.yaml");
  const std::string low =
      dir_.Write("low.yaml", "resources: {slots_per_trial: 2}\nname: below\nmax_restarts: 7\n");
  const std::string high = dir_.Write("high.yaml", "template: low\nmax_restarts: 3\n");
  ASSERT_EQ(runner_.Run("tpl create low " + low).code, ExitCode::kOk);
  ASSERT_EQ(runner_.Run("tpl create high " + high).code, ExitCode::kOk);
  const CliResult made = runner_.Run("e create " + config + " --template high");
  ASSERT_EQ(made.code, ExitCode::kOk) << made.err;
  const std::string effective = runner_.Run("e describe 1 -o json").out;
  EXPECT_NE(effective.find("\"slots_per_trial\": 2"), std::string::npos) << effective;
  EXPECT_NE(effective.find("\"max_restarts\": 3"), std::string::npos) << effective;
  EXPECT_NE(effective.find("\"name\": \"mine\""), std::string::npos) << effective;
  const CliResult lost = runner_.Run("e create " + config + " --template hihg");
  EXPECT_NE(lost.code, ExitCode::kOk);
  EXPECT_NE(lost.err.find("hihg"), std::string::npos) << lost.err;
}

TEST_F(CatalogCliTest, ATokenLogsIn) {
  const CliResult made = runner_.Run("token create laptop --expires 90d -o name");
  ASSERT_EQ(made.code, ExitCode::kOk) << made.err;
  std::string secret = made.out;
  secret.pop_back();
  EXPECT_TRUE(secret.starts_with("det_"));
  Become(secret);
  EXPECT_NE(runner_.Run("status -o json").out.find("\"user\": \"ann\""), std::string::npos);
  EXPECT_EQ(runner_.Run("token ls -o csv --columns id,name,user --no-headers").out,
            "1,laptop,ann\n");
  EXPECT_EQ(runner_.Run("token revoke 1").out, "revoked token 1\n");
  EXPECT_NE(runner_.Run("token ls").code, ExitCode::kOk);
  Become(test::kAnnToken);
  EXPECT_EQ(runner_.Run("token create x --expires soon").code, ExitCode::kUsage);
  EXPECT_NE(runner_.Run("token ls --all").code, ExitCode::kOk);
}

// What comes back is what was sent.
TEST_F(CatalogCliTest, AModelDirectoryIsKnownAgainAndComesBack) {
  const std::string config = WriteConfig("c.yaml");
  dir_.Write("model/train.py", "print(1)\n");
  dir_.Write("model/lib/a.txt", "a");
  dir_.Write("model/.git/HEAD", std::string(40, 'c') + "\n");
  runner_.SetEnv("HOME", StrCat(dir_.path(), "/home"));
  const std::string model = StrCat(dir_.path(), "/model");
  const std::string create = StrCat("e create ", config, " ", model);
  EXPECT_NE(runner_.Run(create).err.find("uploaded"), std::string::npos);
  EXPECT_NE(runner_.Run(create).err.find("known to the master already"), std::string::npos);
  const std::string described = runner_.Run("e describe 1").out;
  EXPECT_NE(described.find("cccccccccccc"), std::string::npos) << described;
  const std::string to = StrCat(dir_.path(), "/back");
  const CliResult fetched = runner_.Run(StrCat("e download-model-def 1 ", to));
  ASSERT_EQ(fetched.code, ExitCode::kOk) << fetched.err;
  EXPECT_EQ(ReadAll(to + "/train.py"), "print(1)\n");
  EXPECT_EQ(ReadAll(to + "/lib/a.txt"), "a");
  EXPECT_FALSE(fs::exists(to + "/.git"));
  EXPECT_NE(runner_.Run(StrCat("e download-code 1 ", to)).err.find("there and not empty"),
            std::string::npos);
  ASSERT_EQ(runner_.Run("e create " + config).code, ExitCode::kOk);
  EXPECT_NE(runner_.Run(StrCat("e download-code 3 ", to, "2")).err.find("without a model"),
            std::string::npos);
}

}  // namespace
}  // namespace det::cli
