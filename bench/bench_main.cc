// det-bench [--json FILE] [--only NAME,...] [--quick] [--strict]: measures det against what this
// machine can do without it. docs/performance.md says how to read it.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "bench/base/benchmark.h"

#include "common/base/flags.h"
#include "common/base/nearest.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/version.h"
#include "common/log/log.h"
#include "common/os/daemon.h"
#include "common/os/fs.h"
#include "common/os/process.h"

namespace det::bench {
namespace {

constexpr int kExitNotHeld = 1;
constexpr int kExitFailed = 2;

std::string Load() {
  return ReadFile("/proc/loadavg", 256).value_or("").substr(0, 14);
}

// The names asked for, or all.
absl::StatusOr<std::set<std::string>> Chosen(const Flags& flags) {
  std::set<std::string> known;
  for (const Benchmark& benchmark : Benchmarks()) known.emplace(benchmark.name);
  if (!flags.Has("only")) return known;
  std::set<std::string> chosen;
  std::istringstream in(flags.Get("only"));
  for (std::string name; std::getline(in, name, ',');) {
    if (!known.contains(name)) {
      return Error(absl::StatusCode::kInvalidArgument,
                   "UNKNOWN_BENCHMARK",
                   StrCat("there is no benchmark ", name),
                   StrCat("there are ", StrJoin(known, ", ")));
    }
    chosen.insert(name);
  }
  return chosen;
}

Value Report(const std::vector<Row>& rows, const std::vector<std::string>& failed, bool quick) {
  Value report;
  report["version"] = kVersion;
  report["at"] = absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::Now(), absl::UTCTimeZone());
  report["cores"] = static_cast<int64_t>(std::thread::hardware_concurrency());
  report["load"] = Load();
  report["quick"] = quick;
  Value::Array items;
  for (const Row& row : rows) items.push_back(ToValue(row));
  report["rows"] = std::move(items);
  Value::Array names;
  for (const std::string& name : failed) names.emplace_back(name);
  report["failed"] = std::move(names);
  return report;
}

absl::StatusOr<int> Main(const Flags& flags) {
  DET_ASSIGN_OR_RETURN(const std::set<std::string> chosen, Chosen(flags));
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const Settings settings{.bin = self.parent_path().string(), .quick = flags.Has("quick")};
  std::vector<Row> rows;
  std::vector<std::string> failed;
  for (const Benchmark& benchmark : Benchmarks()) {
    if (!chosen.contains(std::string(benchmark.name))) continue;
    const absl::Duration begun = SteadyNow();
    const std::string load = Load();
    const Rows measured = benchmark.run(settings);
    std::fprintf(stderr,
                 "%s: %s (%.1f s, load before %s)\n",
                 std::string(benchmark.name).c_str(),
                 measured.ok() ? "done" : std::string(measured.status().message()).c_str(),
                 absl::ToDoubleSeconds(SteadyNow() - begun),
                 load.c_str());
    if (!measured.ok()) failed.emplace_back(benchmark.name);
    if (measured.ok()) rows.insert(rows.end(), measured->begin(), measured->end());
  }
  std::fputs(Table(rows).c_str(), stdout);
  if (flags.Has("json")) {
    DET_RETURN_IF_ERROR(AtomicWriteFileUnsynced(
        flags.Get("json"), StrCat(Report(rows, failed, settings.quick).ToJson(), "\n"), 0644));
  }
  if (!failed.empty()) return kExitFailed;
  for (const Row& row : rows) {
    if (flags.Has("strict") && Holds(row) == false) return kExitNotHeld;
  }
  return 0;
}

}  // namespace
}  // namespace det::bench

int main(int argc, char** argv) {
  const auto flags = det::ParseFlags(argc, argv, {"json", "only"}, {"quick", "strict"});
  if (!flags.ok()) return det::ExitWith("det-bench", flags.status());
  const absl::Status logging = det::InitLog({.level = det::LogLevel::kError});
  if (!logging.ok()) return det::ExitWith("det-bench", logging);
  const absl::StatusOr<int> status = det::bench::Main(*flags);
  return status.ok() ? *status : det::ExitWith("det-bench", status.status());
}
