#include <cstdio>
#include <string>
#include <string_view>

#include "agent/shim/shim.h"

namespace {

constexpr char kUsage[] =
    "usage: det-shim [--adopt] DIRECTORY\n"
    "Runs the task whose order lies in DIRECTORY, once, and supervises it. The agent starts it;\n"
    "there is no need to run it by hand.\n"
    "  --adopt  descriptor 3 holds the lock of DIRECTORY, descriptor 4 takes the answer\n";

}  // namespace

int main(int argc, char** argv) {
  det::agent::ShimOptions options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--help") {
      std::fputs(kUsage, stdout);
      return det::agent::kStatusDone;
    }
    if (argument == "--adopt") {
      options.adopt = true;
    } else if (argument.starts_with("-") || !options.directory.empty()) {
      std::fputs(kUsage, stderr);
      return det::agent::kStatusUsage;
    } else {
      options.directory = argument;
    }
  }
  if (options.directory.empty()) {
    std::fputs(kUsage, stderr);
    return det::agent::kStatusUsage;
  }
  return det::agent::RunShim(options);
}
