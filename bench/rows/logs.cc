// Lines that a real trial prints, through det-shim, det-agent and det-master.
#include <charconv>

#include "bench/base/cluster.h"
#include "bench/base/copy_floor.h"
#include "bench/base/stats.h"
#include "bench/rows/rows.h"
#include "det/api/v1/log.grpc.pb.h"

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/net/grpc_status.h"
#include "common/os/fs.h"
#include "common/os/process.h"
#include "common/pg/pg.h"

namespace det::bench {
namespace {

namespace api = ::det::api::v1;

constexpr double kAgentCoresGoal = 1;
constexpr double kAgentMiBGoal = 64;
constexpr double kDelayP50GoalMs = 100;
constexpr double kDelayP99GoalMs = 300;
constexpr int64_t kTicksPerSecond = 10;

std::string ConfigOf(const Settings& settings, const std::string& arguments) {
  return StrCat("name: lines\nentrypoint: [",
                settings.bin,
                "/det-bench-child, ",
                arguments,
                "]\nsearcher: {name: single, metric: loss}\nhyperparameters: {}\n"
                "max_restarts: 0\n");
}

// Log lines of all trials that are stored.
absl::StatusOr<int64_t> Stored(pg::Connection& connection) {
  int64_t count = 0;
  DET_RETURN_IF_ERROR(connection.Transact([&](pqxx::work& tx) {
    count = tx.exec1("SELECT coalesce(max(high_seq), 0) FROM streams WHERE stream = 1")[0]
                .as<int64_t>();
  }));
  return count;
}

struct Flood {
  double lines_per_second = 0;
  double agent_cores = 0;
  double agent_mib = 0;
};

absl::StatusOr<Flood> RunFlood(const Settings& settings, int64_t lines) {
  DET_ASSIGN_OR_RETURN(const auto cluster, Cluster::Start(settings));
  DET_ASSIGN_OR_RETURN(const pid_t agent, cluster->StartAgent("agent", 1));
  DET_RETURN_IF_ERROR(AwaitAgents(*cluster, 1));
  DET_ASSIGN_OR_RETURN(const std::string conninfo, cluster->Conninfo());
  pg::Connection connection(conninfo);
  const std::string begin_file = cluster->Path("begun");
  const absl::Duration cpu = CpuTime(agent);
  DET_RETURN_IF_ERROR(cluster->CreateExperiment(
      ConfigOf(settings, StrCat("flood, \"", lines, "\", ", begin_file))));
  absl::Status failed;
  DET_RETURN_IF_ERROR(Await("the last line", [&] {
    const absl::StatusOr<int64_t> stored = Stored(connection);
    failed = stored.status();
    return !stored.ok() || *stored >= lines;
  }));
  const absl::Duration ended = SteadyNow();
  DET_RETURN_IF_ERROR(failed);
  DET_ASSIGN_OR_RETURN(const std::string begun, ReadFile(begin_file, 64));
  const double seconds = absl::ToDoubleSeconds(ended - absl::Nanoseconds(std::stoll(begun)));
  return Flood{.lines_per_second = static_cast<double>(lines) / seconds,
               .agent_cores = absl::ToDoubleSeconds(CpuTime(agent) - cpu) / seconds,
               .agent_mib = PeakRssMiB(agent)};
}

// Reads the log as it grows; how old each line was when it came.
absl::Status Follow(const Cluster& cluster, int64_t trial, LatencyHistogram* ages) {
  const auto stub = api::LogService::NewStub(cluster.Channel());
  const auto context = cluster.Context();
  api::TailLogsRequest request;
  request.set_trial(trial);
  request.set_follow(true);
  const auto reader = stub->TailLogs(context.get(), request);
  api::LogBatch batch;
  while (reader->Read(&batch)) {
    const absl::Duration now = SteadyNow();
    for (const api::LogLine& line : batch.lines()) {
      constexpr std::string_view kTick = "tick ";
      if (!line.text().starts_with(kTick)) continue;
      int64_t nanos = 0;
      const char* end = line.text().data() + line.text().size();
      std::from_chars(line.text().data() + kTick.size(), end, nanos);
      ages->Add(now - absl::Nanoseconds(nanos));
    }
  }
  return net::FromGrpc(reader->Finish());
}

}  // namespace

Rows LogFlood(const Settings& settings) {
  std::vector<double> speed;
  std::vector<double> cores;
  std::vector<double> mib;
  const int64_t lines = settings.Size<int64_t>(500000, 2000);
  for (int round = 0; round < settings.Size(3, 1); ++round) {
    DET_ASSIGN_OR_RETURN(const Flood flood, RunFlood(settings, lines));
    speed.push_back(flood.lines_per_second);
    cores.push_back(flood.agent_cores);
    mib.push_back(flood.agent_mib);
  }
  const std::string note = StrCat("while one trial prints ", lines, " lines as fast as it can");
  return std::vector<Row>{
      {.name = "ingest_log_lines.printed",
       .value = Median(speed),
       .unit = "lines/s",
       .note = "from the trial's first line to the last in PostgreSQL, all on this machine"},
      {.name = "ingest_log_lines.agent_cpu",
       .value = Median(cores),
       .unit = "cores",
       .goal = {Goal::Kind::kAtMost, kAgentCoresGoal},
       .note = note},
      {.name = "ingest_log_lines.agent_rss",
       .value = Median(mib),
       .unit = "MiB",
       .goal = {Goal::Kind::kAtMost, kAgentMiBGoal},
       .note = note}};
}

Rows FollowDelay(const Settings& settings) {
  DET_ASSIGN_OR_RETURN(const auto cluster, Cluster::Start(settings));
  DET_RETURN_IF_ERROR(cluster->StartAgent("agent", 1));
  DET_RETURN_IF_ERROR(AwaitAgents(*cluster, 1));
  DET_RETURN_IF_ERROR(cluster->CreateExperiment(ConfigOf(
      settings, StrCat("drip, \"", kTicksPerSecond, "\", \"", settings.Size(30, 1), "\""))));
  LatencyHistogram ages;
  DET_RETURN_IF_ERROR(Follow(*cluster, 1, &ages));
  const std::string note =
      StrCat("line printed to line read by a follower, ", ages.count(), " lines, 10 a second");
  return std::vector<Row>{{.name = "follow_delay.p50",
                           .value = ages.PercentileMs(0.5),
                           .unit = "ms",
                           .goal = {Goal::Kind::kAtMost, kDelayP50GoalMs},
                           .note = note},
                          {.name = "follow_delay.p99",
                           .value = ages.PercentileMs(0.99),
                           .unit = "ms",
                           .goal = {Goal::Kind::kAtMost, kDelayP99GoalMs}}};
}

}  // namespace det::bench
