#include "agent/prepare/command_line.h"

#include <cstdio>
#include <cstdlib>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <sys/wait.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/json/json.h"
#include "common/os/spawn.h"
#include "master/spec/limits.h"

namespace det::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const char kHparams[] =
    R"({"lr":0.1,"n":3,"name":"it's \"x\" $HOME","optimizer":{"lr":1e-05,"kind":"sgd"},)"
    R"("a.b":"dotted","list":[1,"two"],"flag":true,"none":null,"again":"${hp.n}"})";

std::string Fill(const std::string& text, bool shell = false) {
  const auto filled = FillTemplate(text, *ParseJson(kHparams), shell);
  return filled.ok() ? *filled : StrCat("error: ", filled.status().message());
}

TEST(FillTemplate, PutsValuesIn) {
  EXPECT_EQ(Fill(""), "");
  EXPECT_EQ(Fill("plain $HOME ${other} ${hp} $ {hp.lr}"), "plain $HOME ${other} ${hp} $ {hp.lr}");
  EXPECT_EQ(Fill("${hp.n}${hp.n}"), "33");
  EXPECT_EQ(Fill("--lr=${hp.optimizer.lr} ${hp.optimizer.kind}"), "--lr=1e-05 sgd");
  EXPECT_EQ(Fill("${hp.a.b}"), "dotted");
  EXPECT_EQ(Fill("${hp.list} ${hp.flag} ${hp.none}"), R"([1,"two"] true null)");
  EXPECT_EQ(Fill("${hp.optimizer}"), R"({"kind":"sgd","lr":1e-05})");
  EXPECT_EQ(Fill("${hp.n"), "${hp.n");
  EXPECT_EQ(Fill("${hp.again}"), "${hp.n}");  // values are not looked into
}

TEST(FillTemplate, QuotesForAShell) {
  EXPECT_EQ(Fill("x ${hp.n}", true), "x '3'");
  EXPECT_EQ(Fill("${hp.name}", true), R"('it'\''s "x" $HOME')");
}

TEST(FillTemplate, NamesWhatIsMissing) {
  for (const char* name : {"missing", "optimizer.momentum", "lr.x", "list.0", "", "a", " lr"}) {
    const auto filled = FillTemplate(StrCat("${hp.", name, "}"), *ParseJson(kHparams), false);
    EXPECT_EQ(ErrorReason(filled.status()), "NO_SUCH_HPARAM") << name;
    EXPECT_THAT(std::string(filled.status().message()), HasSubstr(StrCat("${hp.", name, "}")));
  }
  EXPECT_FALSE(FillTemplate("${hp.x}", Value(), false).ok());
}

std::string OutputOf(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  std::string out;
  char buffer[4096];
  for (size_t got = 0; (got = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) out.append(buffer, got);
  pclose(pipe);
  return out;
}

// Whatever a hyperparameter holds, a shell passes it on as it is.
TEST(FillTemplate, AShellSeesOneWord) {
  const auto passes = [](std::string text) {
    std::erase(text, '\0');
    Value hparams;
    hparams["x"] = text;
    const std::string command = *FillTemplate("printf %s ${hp.x}", hparams, true);
    return OutputOf(command) == text;
  };
  EXPECT_TRUE(passes("'; touch /tmp/x; '"));
  EXPECT_TRUE(passes("''\\''\n$(id)`id`\\\n\t*?[!~#&|<>"));
  EXPECT_TRUE(rc::check([&] {
    const auto text = *rc::gen::container<std::string>(
        rc::gen::elementOf(std::string("'\"\\$`;&|<>(){}[]*?~#! \n\tab=%-\xc3\xb6\x01")));
    RC_ASSERT(passes(text));
  }));
}

class CommandLineTest : public ::testing::Test {
 protected:
  CommandLineTest() {
    order_.set_hparams_json(kHparams);
    order_.set_config_json(R"({"name":"c"})");
    order_.set_experiment(1);
    order_.set_trial(2);
    order_.set_task(3);
    order_.set_seed(42);
    order_.set_checkpoint_directory("/ckpt");
    order_.add_entrypoint("run");
  }

  std::map<std::string, std::string> Env() {
    const auto line = MakeCommandLine(run_);
    EXPECT_TRUE(line.ok()) << line.status();
    std::map<std::string, std::string> env;
    for (const std::string& entry : line->env) {
      const size_t equals = entry.find('=');
      EXPECT_TRUE(env.emplace(entry.substr(0, equals), entry.substr(equals + 1)).second) << entry;
    }
    return env;
  }

  v1::RunOrder order_;
  RunContext run_{.order = order_,
                  .allocation = 4005,
                  .run = 2,
                  .devices = {{0, "cpu", ""}, {3, "cpu", ""}},
                  .agent_id = "agent",
                  .cluster_id = "cluster",
                  .relay_socket = "/run/s",
                  .token = "secret",
                  .hparams_file = "/h.json",
                  .config_file = "/c.json"};
};

TEST_F(CommandLineTest, SaysWhatTheContractPromises) {
  auto env = Env();
  EXPECT_EQ(env["HP_LR"], "0.1");
  EXPECT_EQ(env["HP_OPTIMIZER_LR"], "1e-05");
  EXPECT_EQ(env["HP_OPTIMIZER_KIND"], "sgd");
  EXPECT_EQ(env["HP_NAME"], "it's \"x\" $HOME");
  EXPECT_EQ(env["HP_A_B"], "dotted");
  EXPECT_EQ(env["HP_LIST"], R"([1,"two"])");
  EXPECT_EQ(env["HP_FLAG"], "true");
  EXPECT_EQ(env["DET_HPARAMS"], kHparams);
  EXPECT_EQ(env["DET_HPARAMS_FILE"], "/h.json");
  EXPECT_EQ(env["DET_EXPERIMENT_CONFIG"], R"({"name":"c"})");
  EXPECT_EQ(env["DET_EXPERIMENT_CONFIG_FILE"], "/c.json");
  EXPECT_EQ(env["DET_EXPERIMENT_ID"], "1");
  EXPECT_EQ(env["DET_TRIAL_ID"], "2");
  EXPECT_EQ(env["DET_TASK_ID"], "3");
  EXPECT_EQ(env["DET_ALLOCATION_ID"], "4005");
  EXPECT_EQ(env["DET_TRIAL_RUN_ID"], "2");
  EXPECT_EQ(env["DET_TRIAL_SEED"], "42");
  EXPECT_EQ(env["DET_CHECKPOINT_DIR"], "/ckpt");
  EXPECT_EQ(env["DET_SLOT_IDS"], "[0,3]");
  EXPECT_EQ(env["DET_RELAY"], "/run/s");
  EXPECT_EQ(env["DET_TOKEN"], "secret");
  EXPECT_EQ(env["OMP_NUM_THREADS"], "2");
  EXPECT_EQ(env["RANK"], "0");
  EXPECT_EQ(env["WORLD_SIZE"], "1");
  EXPECT_EQ(env["MASTER_PORT"], "29405");
  EXPECT_FALSE(env.contains("DET_LATEST_CHECKPOINT"));
  order_.set_latest_checkpoint("uuid");
  EXPECT_EQ(Env()["DET_LATEST_CHECKPOINT"], "uuid");
}

// Linux starts no program with a longer variable than 128 KiB.
TEST_F(CommandLineTest, AConfigurationThatFitsIntoNoVariableIsInItsFileAlone) {
  const size_t most = (128 << 10) - 1 - std::string("DET_EXPERIMENT_CONFIG=").size();
  for (const size_t bytes : {most, most + 1}) {
    order_.set_config_json(std::string(bytes, 'x'));
    auto env = Env();
    EXPECT_EQ(env.contains("DET_EXPERIMENT_CONFIG"), bytes == most);
    EXPECT_EQ(env["DET_EXPERIMENT_CONFIG_FILE"], "/c.json");
  }
}

// All that the master accepts, at once: what is accepted can be started.
TEST_F(CommandLineTest, TheLargestThatIsAcceptedStarts) {
  order_.set_entrypoint(0, "/bin/true");
  const auto words = static_cast<size_t>(spec::kEntrypointWordsMax);
  const std::string word(static_cast<size_t>(spec::kArgumentsBytesMax) / words - 1, 'w');
  for (size_t i = 1; i < words; ++i) order_.add_entrypoint(word);
  const auto variables = static_cast<size_t>(spec::kEnvironmentVariablesMax);
  const size_t bytes = static_cast<size_t>(spec::kVariablesBytesMax) / variables;
  for (size_t i = 0; i < variables; ++i) {
    const std::string name = StrCat("V", i, "=");
    order_.add_environment_cpu(name + std::string(bytes - name.size(), 'v'));
  }
  order_.set_config_json(std::string((128 << 10) - 1 - 22, 'x'));
  Value hparams;
  Value* map = &hparams;
  for (int depth = 0; depth < 2; ++depth) map = &(*map)[std::string(240, 'n')];
  for (int i = 0; i < 1000; ++i) (*map)[StrCat("leaf", i)] = std::string(85, 'x');
  order_.set_hparams_json(hparams.ToJson());
  EXPECT_LE(order_.hparams_json().size(), static_cast<size_t>(spec::kPointBytesMax));
  const auto line = MakeCommandLine(run_);
  ASSERT_TRUE(line.ok()) << line.status();
  size_t all = 0;
  for (const std::string& text : line->env) all += text.size();
  EXPECT_GT(all, 1200000U);
  const auto pid = Spawn({.argv = line->argv, .env = line->env});
  ASSERT_TRUE(pid.ok()) << pid.status();
  int status = -1;
  EXPECT_EQ(waitpid(*pid, &status, 0), *pid);
  EXPECT_EQ(status, 0);
}

TEST_F(CommandLineTest, NamesOfHyperparametersBecomeNamesOfVariables) {
  Value hparams;
  hparams
      ["gr\xc3\xb6\xc3\x9f"
       "e-1 x"] = 1;
  hparams["9"] = "nine";
  hparams["nul"] = std::string("a\0b", 3);
  order_.set_hparams_json(hparams.ToJson());
  auto env = Env();
  EXPECT_EQ(env["HP_GR____E_1_X"], "1");
  EXPECT_EQ(env["HP_9"], "nine");
  EXPECT_FALSE(env.contains("HP_NUL"));  // no variable can hold it
}

TEST_F(CommandLineTest, TheUsersVariablesReplaceAllButOurs) {
  for (const char* variable : {"PATH=/mine",
                               "HP_LR=9",
                               "RANK=7",
                               "OMP_NUM_THREADS=1",
                               "DET_TOKEN=stolen",
                               "DET_NEW=x",
                               "EMPTY=",
                               "BARE",
                               "TWO=a=b"}) {
    order_.add_environment_cpu(variable);
  }
  order_.add_environment_cuda("CUDA_ONLY=1");
  auto env = Env();
  EXPECT_EQ(env["PATH"], "/mine");
  EXPECT_EQ(env["HP_LR"], "9");
  EXPECT_EQ(env["RANK"], "7");
  EXPECT_EQ(env["OMP_NUM_THREADS"], "1");
  EXPECT_EQ(env["DET_TOKEN"], "secret");
  EXPECT_FALSE(env.contains("DET_NEW"));
  EXPECT_EQ(env["EMPTY"], "");
  EXPECT_EQ(env["BARE"], "");
  EXPECT_EQ(env["TWO"], "a=b");
  EXPECT_FALSE(env.contains("CUDA_ONLY"));
  run_.devices = {{0, "cuda", ""}};
  env = Env();
  EXPECT_TRUE(env.contains("CUDA_ONLY"));
  EXPECT_FALSE(env.contains("OMP_NUM_THREADS"));
}

TEST_F(CommandLineTest, AShellGetsOneWordAndAListItsWords) {
  order_.set_entrypoint(0, "train --name ${hp.name}");
  EXPECT_THAT(MakeCommandLine(run_)->argv, ElementsAre("train --name it's \"x\" $HOME"));
  order_.set_entrypoint_is_shell(true);
  EXPECT_THAT(MakeCommandLine(run_)->argv,
              ElementsAre("/bin/sh", "-c", R"(train --name 'it'\''s "x" $HOME')"));
  order_.set_entrypoint(0, "${hp.none_such}");
  EXPECT_TRUE(absl::IsInvalidArgument(MakeCommandLine(run_).status()));
  order_.set_hparams_json("{");
  EXPECT_FALSE(MakeCommandLine(run_).ok());
}

}  // namespace
}  // namespace det::agent
