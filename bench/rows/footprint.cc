// What the processes take while nothing happens, and what the command line costs.
#include "bench/base/cluster.h"
#include "bench/base/stats.h"
#include "bench/rows/rows.h"
#include <unistd.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/pause.h"
#include "common/os/process.h"

namespace det::bench {
namespace {

constexpr double kMasterGoalMiB = 40;
constexpr double kAgentGoalMiB = 8;
constexpr double kHelpGoalMs = 15;
constexpr double kListGoalMs = 50;
constexpr absl::Duration kSettle = absl::Seconds(3);  // after the start, until nothing happens

absl::StatusOr<double> RunMs(Program::Options options) {
  options.output = true;  // into a pipe, as a script would
  const absl::Duration begun = SteadyNow();
  DET_ASSIGN_OR_RETURN(Program program, Program::Start(std::move(options)));
  const int status = program.Wait();
  const double ms = absl::ToDoubleMilliseconds(SteadyNow() - begun);
  if (status == 0) return ms;
  return Error(absl::StatusCode::kInternal, "PROGRAM_FAILED", StrCat("exit status ", status));
}

// The command against fork and exec of a program that does nothing, in turn.
absl::StatusOr<Row> TimeCommand(const Settings& settings,
                                const Program::Options& options,
                                Row row) {
  std::vector<double> product;
  std::vector<double> floor;
  for (int i = 0; i < settings.Size(100, 2); ++i) {
    DET_ASSIGN_OR_RETURN(const double nothing, RunMs({.argv = {"/bin/true"}}));
    DET_ASSIGN_OR_RETURN(const double command, RunMs(options));
    floor.push_back(nothing);
    product.push_back(command);
  }
  row.value = Median(product);
  row.floor = Median(floor);
  return row;
}

}  // namespace

Rows CliHelp(const Settings& settings) {
  DET_ASSIGN_OR_RETURN(Row row,
                       TimeCommand(settings,
                                   {.argv = {settings.bin + "/det", "--help"}},
                                   {.name = "cli_help",
                                    .unit = "ms",
                                    .goal = {Goal::Kind::kAtMost, kHelpGoalMs},
                                    .note = "`det --help` into a pipe, against /bin/true"}));
  return std::vector<Row>{std::move(row)};
}

Rows CliList(const Settings& settings) {
  DET_ASSIGN_OR_RETURN(const auto cluster, Cluster::Start(settings));
  const int experiments = settings.Size(200, 3);
  for (int i = 0; i < experiments; ++i) {
    DET_RETURN_IF_ERROR(cluster->CreateExperiment(
        StrCat("name: experiment ",
               i,
               "\nentrypoint: [\"true\"]\nsearcher: {name: single, metric: loss}\n"
               "hyperparameters: {lr: 0.1}\n")));
  }
  DET_ASSIGN_OR_RETURN(
      Row row,
      TimeCommand(
          settings,
          {.argv = {settings.bin + "/det", "experiment", "list", "--quiet"},
           .env = cluster->CliEnvironment()},
          {.name = "cli_list",
           .unit = "ms",
           .goal = {Goal::Kind::kAtMost, kListGoalMs},
           .note = StrCat("`det experiment list` of ", experiments, ", against /bin/true")}));
  return std::vector<Row>{std::move(row)};
}

Rows RssMaster(const Settings& settings) {
  DET_ASSIGN_OR_RETURN(const auto cluster, Cluster::Start(settings));
  PauseFor(settings.Size(kSettle, absl::Milliseconds(100)));
  return std::vector<Row>{{.name = "rss_master",
                           .value = RssMiB(cluster->master_pid()),
                           .unit = "MiB",
                           .goal = {Goal::Kind::kAtMost, kMasterGoalMiB},
                           .note = "idle, without its PostgreSQL"}};
}

Rows RssAgent(const Settings& settings) {
  DET_ASSIGN_OR_RETURN(const auto cluster, Cluster::Start(settings));
  DET_ASSIGN_OR_RETURN(const pid_t agent, cluster->StartAgent("agent", 4));
  DET_ASSIGN_OR_RETURN(const std::string token, cluster->Token("agent"));
  DET_ASSIGN_OR_RETURN(Program bare,
                       Program::Start({.argv = {settings.bin + "/det-bench-client",
                                                "--master",
                                                cluster->target(),
                                                "--prefix",
                                                "bare"},
                                       .env = {"DET_TOKEN=" + token},
                                       .output = true}));
  DET_RETURN_IF_ERROR(bare.ReadLine(absl::Seconds(30)));
  DET_RETURN_IF_ERROR(AwaitAgents(*cluster, 2));
  PauseFor(settings.Size(kSettle, absl::Milliseconds(100)));
  return std::vector<Row>{{.name = "rss_agent",
                           .value = RssMiB(agent),
                           .unit = "MiB",
                           .floor = RssMiB(bare.pid()),
                           .goal = {Goal::Kind::kBeyondAtMost, kAgentGoalMiB},
                           .note = "idle, against a bare gRPC client with one stream"}};
}

}  // namespace det::bench
