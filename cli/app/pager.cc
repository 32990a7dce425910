#include "cli/app/pager.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include <sys/wait.h>

namespace det::cli {

std::string PagerCommand(const GetEnv& getenv) {
  for (const std::string_view name : {"DET_PAGER", "PAGER"}) {
    const auto value = getenv(name);
    if (!value.has_value()) continue;
    return *value == "cat" ? std::string() : *value;
  }
  return "less -FRX";
}

bool IsLong(std::string_view text, const Terminal& terminal) {
  return std::count(text.begin(), text.end(), '\n') >= terminal.height;
}

bool Page(const std::string& command, std::string_view text) {
  // Leaving the pager early closes the pipe, and Ctrl-C is the pager's to understand.
  const auto pipe_before = std::signal(SIGPIPE, SIG_IGN);
  const auto interrupt_before = std::signal(SIGINT, SIG_IGN);
  FILE* pager = popen(command.c_str(), "w");
  int status = -1;
  if (pager != nullptr) {
    std::fwrite(text.data(), 1, text.size(), pager);
    status = pclose(pager);
  }
  std::signal(SIGINT, interrupt_before);
  std::signal(SIGPIPE, pipe_before);
  // What the shell says where there is no such program.
  constexpr int kNotFound = 127;
  return status != -1 && !(WIFEXITED(status) && WEXITSTATUS(status) >= kNotFound - 1);
}

}  // namespace det::cli
