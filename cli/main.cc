#include <csignal>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include <unistd.h>

#include "cli/app/environment.h"
#include "cli/app/run.h"
#include "cli/cmd/commands.h"
#include "common/clock/clock.h"

int main(int argc, char** argv) {
  // Whoever started us may have silenced SIGPIPE; `det e ls | head` should end without a word.
  std::signal(SIGPIPE, SIG_DFL);
  det::cli::FdOutput out(STDOUT_FILENO);
  det::cli::FdOutput err(STDERR_FILENO);
  const det::SystemClock clock;
  const auto getenv = [](std::string_view name) -> std::optional<std::string> {
    const char* value = std::getenv(std::string(name).c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
  const det::cli::Environment environment{getenv, &out, &err, &clock};
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  return static_cast<int>(det::cli::Run(det::cli::AllCommands(), words, environment));
}
