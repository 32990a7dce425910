#include <charconv>
#include <cstdio>
#include <cstring>
#include <string>

#include "tests/sim/world.h"

// det-sim [--seeds N] [--from S] [--verbose]: simulated clusters, one a seed. Exit 1 on the first
// seed that fails, with the command that repeats it.
namespace {

bool ReadNumber(const char* text, uint64_t* out) {
  const char* end = text + std::strlen(text);
  return std::from_chars(text, end, *out).ptr == end;
}

void PrintCounters(const det::sim::Counters& counters) {
  std::printf("experiments %ld, trials %ld, reports %ld, events %ld, recoveries %ld\n",
              counters.experiments,
              counters.trials,
              counters.reports,
              counters.events,
              counters.recoveries);
  std::printf("faults:\n");
  for (size_t i = 0; i < det::sim::kFaults; ++i) {
    std::printf("  %-30s %8ld\n", det::sim::kFaultNames[i].data(), counters.faults[i]);
  }
  std::printf("crash points:\n");
  for (size_t i = 0; i < det::sim::kCrashPoints; ++i) {
    std::printf("  %-30s %8ld\n", det::sim::kCrashPointNames[i].data(), counters.crashes[i]);
  }
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t seeds = 200;
  uint64_t from = 1;
  bool verbose = false;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const bool has_value = i + 1 < argc;
    if (flag == "--verbose") {
      verbose = true;
    } else if ((flag == "--seeds" || flag == "--from") && has_value &&
               ReadNumber(argv[i + 1], flag == "--seeds" ? &seeds : &from)) {
      ++i;
    } else {
      std::fprintf(stderr, "usage: det-sim [--seeds N] [--from S] [--verbose]\n");
      return 2;
    }
  }
  det::sim::Counters total;
  for (uint64_t seed = from; seed < from + seeds; ++seed) {
    const det::sim::Outcome outcome = det::sim::RunWorld({.seed = seed, .verbose = verbose});
    total.Add(outcome.counters);
    if (!outcome.failure.empty()) {
      std::printf("seed %lu failed\n%s", seed, outcome.failure.c_str());
      return 1;
    }
  }
  std::printf("%lu seeds from %lu: all invariants held, all work ended\n", seeds, from);
  PrintCounters(total);
  return 0;
}
