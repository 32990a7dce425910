// The completion scripts, driven in the shells themselves. A shell that is not installed is left
// out.
#include <cstdio>
#include <cstdlib>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/strings.h"

namespace det::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

bool Has(const char* shell) {
  return std::system(StrCat("command -v ", shell, " >/dev/null").c_str()) == 0;
}

// What the script prints, with the program that was built first on the PATH and no cluster.
std::string Output(const std::string& shell, const std::string& script) {
  const std::string command = StrCat("PATH=",
                                     DET_BINARY_DIR,
                                     "/bin:$PATH HOME=/nonexistent "
                                     "DET_MASTER=127.0.0.1:1 ",
                                     shell,
                                     " <<'EOS' 2>&1\n",
                                     script,
                                     "\nEOS\n");
  FILE* pipe = popen(command.c_str(), "r");
  std::string text;
  char buffer[4096];
  while (const size_t got = std::fread(buffer, 1, sizeof(buffer), pipe)) text.append(buffer, got);
  pclose(pipe);
  return text;
}

TEST(ShellsTest, BashCompletes) {
  if (!Has("bash")) GTEST_SKIP() << "there is no bash";
  const auto complete = [](const std::string& line) {
    return Output("bash --norc --noprofile",
                  StrCat("eval \"$(det completion bash)\"\nCOMP_LINE='",
                         line,
                         "'\nCOMP_POINT=${#COMP_LINE}\n_det_complete\nprintf '%s\\n' "
                         "\"${COMPREPLY[@]}\"\necho \"rc $?\""));
  };
  EXPECT_EQ(complete("det exp"), "experiment\nrc 0\n");
  EXPECT_THAT(complete("det experiment "), HasSubstr("describe\n"));
  EXPECT_EQ(complete("det e list --output=js"), "json\njsonl\nrc 0\n");
  EXPECT_EQ(complete("det completion f"), "fish\nrc 0\n");
  EXPECT_EQ(complete("det e describe "), "\nrc 0\n");
  EXPECT_EQ(complete("det e list --fil"), "--filter\nrc 0\n");
}

TEST(ShellsTest, ZshCompletes) {
  if (!Has("zsh")) GTEST_SKIP() << "there is no zsh";
  // What zsh itself offers to a completion, as far as the script uses it.
  const auto complete = [](const std::string& words) {
    return Output("zsh -f",
                  StrCat("compdef() { : }\n_describe() { print -rl -- \"${(@P)argv[-1]}\" }\n"
                         "_files() { print files }\neval \"$(det completion zsh)\"\nwords=(",
                         words,
                         ")\nCURRENT=${#words}\n_det"));
  };
  EXPECT_THAT(complete("det exp"), HasSubstr("experiment:Searches"));
  EXPECT_THAT(complete("det experiment ''"), HasSubstr("describe:Show one experiment"));
  EXPECT_EQ(complete("det experiment create ''"), "files\n");
  EXPECT_EQ(complete("det completion z"), "zsh:zsh\n");
}

TEST(ShellsTest, FishCompletes) {
  if (!Has("fish")) GTEST_SKIP() << "there is no fish";
  const auto complete = [](const std::string& line) {
    return Output("env XDG_CONFIG_HOME=/nonexistent XDG_DATA_HOME=/tmp fish --no-config",
                  StrCat("det completion fish | source\ncomplete -C '", line, "'"));
  };
  EXPECT_THAT(complete("det exp"), HasSubstr("experiment\tSearches"));
  EXPECT_THAT(complete("det experiment "), HasSubstr("describe\tShow one experiment"));
  EXPECT_THAT(complete("det completion f"), HasSubstr("fish"));
  EXPECT_THAT(complete("det completion f"), Not(HasSubstr("bash")));
}

}  // namespace
}  // namespace det::cli
