#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string>

#include <signal.h>

#include "harness/cpp/det.h"

// What harness_test starts: programs that end in the way their argument names.
namespace {

namespace fs = std::filesystem;
using det::harness::Context;

void WriteFile(const fs::path& path, const std::string& text) {
  std::ofstream(path) << text;
}

void Body(Context& context, const std::string& way) {
  const auto save = [](const fs::path& directory) { WriteFile(directory / "model", "weights"); };
  if (way == "die-while-saving") {
    context.SaveCheckpoint(7, [&](const fs::path& directory) {
      save(directory);
      raise(SIGKILL);
    });
  } else if (way == "save") {
    context.SaveCheckpoint(7, save);
  } else if (way == "throw") {
    throw std::runtime_error("sizes differ\n  (3 and 4)\nException raised from f (most recent): x");
  } else if (way == "throw-int") {
    throw 5;
  } else if (way == "hparam") {
    std::printf("%g\n", context.Hparam<double>("lr"));
  } else if (way == "invalid") {
    context.InvalidHparams();
  } else if (way == "leave") {
    while (!context.ShouldPreempt()) context.ReportProgress(0.5);
    context.SaveCheckpointAndLeave(7, save);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string way = argc > 1 ? argv[1] : "";
  return det::harness::Run(argc, argv, [&](Context& context) { Body(context, way); });
}
