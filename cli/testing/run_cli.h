#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cli/app/exit_code.h"
#include "cli/app/output.h"

namespace det::cli {

struct CliResult {
  ExitCode code = ExitCode::kOk;
  std::string out;
  std::string err;
  bool paged = false;  // the output went through a pager
};

// Runs `det` in this process, at the moment of SampleNow, with an environment of its own.
class CliRunner {
 public:
  explicit CliRunner(std::string master) { environment_["DET_MASTER"] = std::move(master); }

  void SetEnv(const std::string& name, const std::string& value) { environment_[name] = value; }
  void UnsetEnv(const std::string& name) { environment_.erase(name); }
  // From now on both streams are terminals of this size.
  void UseTerminal(int width, int height);

  // `line` is split at spaces; single quotes keep words together.
  CliResult Run(std::string_view line) const;

 private:
  std::map<std::string, std::string, std::less<>> environment_;
  bool tty_ = false;
  Output::Size size_;
};

std::vector<std::string> SplitWords(std::string_view line);

// What a person sees who types these lines one after another: commands, output, exit codes other
// than 0. Lines of the standard error begin with "! ".
std::string Transcript(const CliRunner& runner, const std::vector<std::string>& lines);

}  // namespace det::cli
