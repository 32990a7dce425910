// From submit to the program's first instruction.
#include "bench/base/cluster.h"
#include "bench/base/stats.h"
#include "bench/rows/rows.h"

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/fs.h"
#include "common/os/process.h"
#include "common/os/spawn.h"

namespace det::bench {
namespace {

constexpr double kGoalMs = 30;

std::string ConfigOf(const std::string& program, const std::string& stamp) {
  return StrCat("name: launch\nentrypoint: [",
                program,
                ", stamp, ",
                stamp,
                "]\nsearcher: {name: single, metric: loss}\nhyperparameters: {}\n"
                "resources: {slots_per_trial: 1}\nmax_restarts: 0\n");
}

// When the program began, by its own word.
absl::StatusOr<absl::Duration> Stamp(const std::string& path) {
  std::string text;
  DET_RETURN_IF_ERROR(Await("the first instruction of a trial", [&] {
    text = ReadFile(path, 64).value_or("");
    return !text.empty();
  }));
  return absl::Nanoseconds(std::stoll(text));
}

// SteadyNow counts by the same clock as the program does.
absl::StatusOr<double> Submitted(const Cluster& cluster, const Settings& settings, int number) {
  const std::string stamp = cluster.Path(StrCat("stamp-", number));
  const absl::Duration begun = SteadyNow();
  DET_RETURN_IF_ERROR(cluster.CreateExperiment(ConfigOf(settings.bin + "/det-bench-child", stamp)));
  DET_ASSIGN_OR_RETURN(const absl::Duration started, Stamp(stamp));
  return absl::ToDoubleMilliseconds(started - begun);
}

absl::StatusOr<double> Spawned(const Cluster& cluster, const Settings& settings, int number) {
  const std::string stamp = cluster.Path(StrCat("floor-", number));
  const absl::Duration begun = SteadyNow();
  DET_ASSIGN_OR_RETURN(
      const Program program,
      Program::Start({.argv = {settings.bin + "/det-bench-child", "stamp", stamp}}));
  DET_ASSIGN_OR_RETURN(const absl::Duration started, Stamp(stamp));
  return absl::ToDoubleMilliseconds(started - begun);
}

}  // namespace

Rows LaunchProcess(const Settings& settings) {
  DET_ASSIGN_OR_RETURN(const auto cluster, Cluster::Start(settings));
  DET_RETURN_IF_ERROR(cluster->StartAgent("agent", 4));
  DET_RETURN_IF_ERROR(AwaitAgents(*cluster, 1));
  std::vector<double> product;
  std::vector<double> floor;
  LatencyHistogram all;
  for (int i = 0; i < settings.Size(100, 2); ++i) {
    DET_ASSIGN_OR_RETURN(const double spawned, Spawned(*cluster, settings, i));
    DET_ASSIGN_OR_RETURN(const double submitted, Submitted(*cluster, settings, i));
    floor.push_back(spawned);
    product.push_back(submitted);
    all.Add(absl::Milliseconds(submitted));
  }
  Row row{.name = "launch_process",
          .value = Median(product),
          .unit = "ms",
          .floor = Median(floor),
          .goal = {Goal::Kind::kBeyondAtMost, kGoalMs},
          .note = StrCat("submit (before the call) to main(), against fork and exec alone; p99 ",
                         all.PercentileMs(0.99),
                         " ms of ",
                         product.size())};
  return std::vector<Row>{std::move(row)};
}

}  // namespace det::bench
