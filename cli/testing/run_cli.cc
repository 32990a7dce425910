#include "cli/testing/run_cli.h"

#include "cli/app/environment.h"
#include "cli/app/run.h"
#include "cli/cmd/commands.h"
#include "cli/testing/sample_model.h"
#include "common/base/strings.h"
#include "common/clock/manual_clock.h"

namespace det::cli {
namespace {

class TestOutput : public StringOutput {
 public:
  TestOutput(bool tty, Size size) : tty_(tty), size_(size) {}
  bool IsTty() const override { return tty_; }
  Size size() const override { return size_; }
  bool Page(const std::string& /*command*/, std::string_view text) override {
    paged_ = true;
    Write(text);
    return true;
  }
  bool paged() const { return paged_; }

 private:
  const bool tty_;
  const Size size_;
  bool paged_ = false;
};

std::string Prefixed(const std::string& text, std::string_view prefix) {
  std::string out;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size() - 1);
    StrAppend(out, prefix, std::string_view(text).substr(begin, end + 1 - begin));
    begin = end + 1;
  }
  return out;
}

}  // namespace

void CliRunner::UseTerminal(int width, int height) {
  tty_ = true;
  size_ = {width, height};
}

CliResult CliRunner::Run(std::string_view line) const {
  TestOutput out(tty_, size_);
  TestOutput err(tty_, size_);
  const ManualClock clock(SampleNow());
  const auto getenv = [this](std::string_view name) -> std::optional<std::string> {
    const auto at = environment_.find(name);
    return at == environment_.end() ? std::nullopt : std::optional(at->second);
  };
  const Environment environment{getenv, &out, &err, &clock};
  const ExitCode code = det::cli::Run(AllCommands(), SplitWords(line), environment);
  return {code, out.text(), err.text(), out.paged()};
}

std::vector<std::string> SplitWords(std::string_view line) {
  std::vector<std::string> words;
  bool quoted = false;
  bool in_word = false;
  for (const char c : line) {
    if (c == '\'') {
      quoted = !quoted;
      if (!in_word) words.emplace_back();
      in_word = true;
    } else if (c == ' ' && !quoted) {
      in_word = false;
    } else {
      if (!in_word) words.emplace_back();
      in_word = true;
      words.back().push_back(c);
    }
  }
  return words;
}

std::string Transcript(const CliRunner& runner, const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) {
    const CliResult result = runner.Run(line);
    StrAppend(text, "$ det ", line, "\n", result.out, Prefixed(result.err, "! "));
    if (result.code != ExitCode::kOk) {
      StrAppend(text, "(exit ", static_cast<int>(result.code), ")\n");
    }
    text.push_back('\n');
  }
  return text;
}

}  // namespace det::cli
