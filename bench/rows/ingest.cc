// Metrics and logs on their way to PostgreSQL.
#include <sstream>
#include <thread>

#include "bench/base/cluster.h"
#include "bench/base/copy_floor.h"
#include "bench/base/fake_agent.h"
#include "bench/base/stats.h"
#include "bench/rows/rows.h"

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/fs.h"
#include "common/os/process.h"

namespace det::bench {
namespace {

namespace v1 = ::det::agent::v1;

constexpr double kMetricsGoal = 0.5;
constexpr double kLogsGoal = 0.33;
constexpr double kDirectGoal = 3;
constexpr double kRelayGoal = 6;
constexpr int kStreams = 32;
constexpr int kMetricsPerReport = 4;
constexpr int kReportsPerMessage = 100;
constexpr int kLinesPerMessage = 1000;
constexpr size_t kLineBytes = 119;  // and a newline

enum class Kind : uint8_t { kMetrics, kLogs };

v1::ShipRequest RequestOf(const FakeAgent::Run& run, Kind kind) {
  v1::ShipRequest request;
  request.set_allocation(run.allocation);
  request.set_trial(run.trial);
  request.set_stream(kind == Kind::kMetrics ? 0 : 1);
  return request;
}

// A message's worth of records, numbered from `seq`.
void Renumber(int64_t seq, v1::ShipRequest* request) {
  for (v1::Report& report : *request->mutable_reports()) {
    report.mutable_metrics()->set_steps_completed(seq);
    report.set_seq(seq++);
  }
  for (v1::LogRecord& record : *request->mutable_logs()) record.set_seq(seq++);
}

v1::ShipRequest FullRequest(const FakeAgent::Run& run, Kind kind) {
  v1::ShipRequest request = RequestOf(run, kind);
  const int64_t now = absl::ToUnixNanos(absl::Now());
  for (int i = 0; kind == Kind::kMetrics && i < kReportsPerMessage; ++i) {
    v1::Report* report = request.add_reports();
    report->set_at_unix_nanos(now);
    report->mutable_metrics()->set_group("training");
    report->mutable_metrics()->set_metrics_json(
        R"({"loss":0.123456,"accuracy":0.98765,"grad":1.5,"rate":0.001})");
  }
  for (int i = 0; kind == Kind::kLogs && i < kLinesPerMessage; ++i) {
    v1::LogRecord* record = request.add_logs();
    record->set_at_unix_nanos(now);
    record->set_source(v1::LogRecord::SOURCE_STDOUT);
    record->set_text(std::string(kLineBytes, 'x'));
  }
  return request;
}

// Through 32 streams at once, until the last record of each is acknowledged.
class Senders {
 public:
  explicit Senders(std::vector<std::unique_ptr<FakeAgent>> agents) : agents_(std::move(agents)) {}

  int streams() const { return static_cast<int>(agents_.size()); }
  absl::StatusOr<double> RowsPerSecond(Kind kind, int messages_each) {
    std::vector<absl::Status> results(agents_.size());
    std::vector<std::thread> threads;
    int64_t& seq = kind == Kind::kMetrics ? reports_ : lines_;
    const absl::Duration begun = SteadyNow();
    for (size_t i = 0; i < agents_.size(); ++i) {
      threads.emplace_back([&, i] { results[i] = Send(*agents_[i], kind, messages_each, seq); });
    }
    for (std::thread& thread : threads) thread.join();
    const double seconds = absl::ToDoubleSeconds(SteadyNow() - begun);
    for (const absl::Status& result : results) DET_RETURN_IF_ERROR(result);
    const int64_t records = messages_each * RecordsPerMessage(kind);
    seq += records;
    const int64_t rows = records * (kind == Kind::kMetrics ? kMetricsPerReport : 1);
    return static_cast<double>(rows) * static_cast<double>(agents_.size()) / seconds;
  }

 private:
  static int64_t RecordsPerMessage(Kind kind) {
    return kind == Kind::kMetrics ? kReportsPerMessage : kLinesPerMessage;
  }
  static absl::Status Send(FakeAgent& agent, Kind kind, int messages, int64_t seq) {
    v1::ShipRequest request = FullRequest(*agent.run(), kind);
    for (int i = 0; i < messages; ++i) {
      Renumber(seq + 1, &request);
      seq += RecordsPerMessage(kind);
      DET_RETURN_IF_ERROR(agent.Send(request));
    }
    return agent.AwaitAck(seq);
  }

  std::vector<std::unique_ptr<FakeAgent>> agents_;
  int64_t reports_ = 0;
  int64_t lines_ = 0;
};

// CPU of the master and of its PostgreSQL.
absl::Duration ServerCpu(pid_t master) {
  absl::Duration sum = CpuTime(master);
  const absl::StatusOr<std::vector<ProcessId>> all = Descendants(master);
  if (!all.ok()) return sum;
  for (const ProcessId& process : *all) sum += CpuTime(process.pid);
  return sum;
}

absl::StatusOr<Row> Throughput(const Settings& settings, Kind kind, Row row) {
  DET_ASSIGN_OR_RETURN(const auto cluster, Cluster::Start(settings));
  DET_ASSIGN_OR_RETURN(const std::string conninfo, cluster->Conninfo());
  DET_ASSIGN_OR_RETURN(const auto raw, CopyFloor::Open(conninfo));
  DET_ASSIGN_OR_RETURN(auto agents, StartRuns(*cluster, settings.Size(kStreams, 2)));
  Senders senders(std::move(agents));
  const bool metrics = kind == Kind::kMetrics;
  const auto table = metrics ? CopyFloor::Table::kMetrics : CopyFloor::Table::kLogs;
  std::vector<double> floor;
  std::vector<double> product;
  std::vector<double> cpu_us;
  for (int round = 0; round < settings.rounds(); ++round) {
    DET_ASSIGN_OR_RETURN(const double copied,
                         raw->RowsPerSecond(table, settings.Size(200000, 2000)));
    const absl::Duration before = ServerCpu(cluster->master_pid());
    const int messages = settings.Size(metrics ? 20 : 8, 2);
    DET_ASSIGN_OR_RETURN(const double sent, senders.RowsPerSecond(kind, messages));
    const double rows =
        kStreams * messages * (metrics ? kReportsPerMessage * kMetricsPerReport : kLinesPerMessage);
    cpu_us.push_back(absl::ToDoubleMicroseconds(ServerCpu(cluster->master_pid()) - before) / rows);
    floor.push_back(copied);
    product.push_back(sent);
  }
  row.value = Median(product);
  row.floor = Median(floor);
  StrAppend(row.note, "; CPU of master and PostgreSQL ", Median(cpu_us), " us a row");
  return row;
}

absl::StatusOr<double> DirectMs(FakeAgent& agent, int64_t* seq, int count) {
  std::vector<double> times;
  v1::ShipRequest request = RequestOf(*agent.run(), Kind::kMetrics);
  v1::Report* report = request.add_reports();
  report->mutable_metrics()->set_group("training");
  report->mutable_metrics()->set_metrics_json(R"({"loss":0.5})");
  for (int i = 0; i < count; ++i) {
    report->set_seq(++*seq);
    report->set_at_unix_nanos(absl::ToUnixNanos(absl::Now()));
    const absl::Duration begun = SteadyNow();
    DET_RETURN_IF_ERROR(agent.Ship(request));
    times.push_back(absl::ToDoubleMilliseconds(SteadyNow() - begun));
  }
  return Median(times);
}

// A trial posts so many reports, one after the other; the median by its own clock.
absl::StatusOr<double> RelayMs(const Cluster& cluster, const Settings& settings, int round) {
  const std::string file = cluster.Path(StrCat("relay-", round));
  DET_RETURN_IF_ERROR(cluster.CreateExperiment(
      StrCat("name: relay\nentrypoint: [",
             settings.bin,
             "/det-bench-child, report, \"",
             settings.Size(500, 5),
             "\", ",
             file,
             "]\nsearcher: {name: single, metric: loss}\nhyperparameters: {}\nmax_restarts: 0\n"
             "resources: {slots_per_trial: 2}\n")));
  std::string text;
  DET_RETURN_IF_ERROR(Await("the reports of a trial", [&] {
    text = ReadFile(file, 1 << 20).value_or("");
    return !text.empty();
  }));
  std::istringstream in(text);
  std::vector<double> times;
  for (double nanos = 0; in >> nanos;) times.push_back(nanos / 1e6);
  return Median(times);
}

}  // namespace

Rows IngestMetricRows(const Settings& settings) {
  DET_ASSIGN_OR_RETURN(
      Row row,
      Throughput(settings,
                 Kind::kMetrics,
                 {.name = "ingest_metric_rows",
                  .unit = "rows/s",
                  .goal = {Goal::Kind::kRatioAtLeast, kMetricsGoal},
                  .note = "32 streams, 4 metrics a report, against COPY on one connection"}));
  return std::vector<Row>{std::move(row)};
}

Rows IngestLogLines(const Settings& settings) {
  DET_ASSIGN_OR_RETURN(
      Row row,
      Throughput(settings,
                 Kind::kLogs,
                 {.name = "ingest_log_lines",
                  .unit = "lines/s",
                  .goal = {Goal::Kind::kRatioAtLeast, kLogsGoal},
                  .note = "32 streams, lines of 120 bytes, against COPY on one connection"}));
  DET_ASSIGN_OR_RETURN(std::vector<Row> rows, LogFlood(settings));
  rows.insert(rows.begin(), std::move(row));
  return rows;
}

Rows IngestReport(const Settings& settings) {
  DET_ASSIGN_OR_RETURN(const auto cluster, Cluster::Start(settings));
  DET_ASSIGN_OR_RETURN(const std::string conninfo, cluster->Conninfo());
  DET_ASSIGN_OR_RETURN(const auto raw, CopyFloor::Open(conninfo));
  DET_ASSIGN_OR_RETURN(const auto agents, StartRuns(*cluster, 1));
  // Of two slots, so that the trials which need two go there.
  DET_RETURN_IF_ERROR(cluster->StartAgent("agent", 2));
  DET_RETURN_IF_ERROR(AwaitAgents(*cluster, 2));
  std::vector<double> floor;
  std::vector<double> direct;
  std::vector<double> relay;
  int64_t seq = 0;
  const int count = settings.Size(500, 5);
  for (int round = 0; round < settings.rounds(); ++round) {
    DET_ASSIGN_OR_RETURN(const double inserted, raw->InsertMs(count));
    DET_ASSIGN_OR_RETURN(const double sent, DirectMs(*agents[0], &seq, count));
    DET_ASSIGN_OR_RETURN(const double posted, RelayMs(*cluster, settings, round));
    floor.push_back(inserted);
    direct.push_back(sent);
    relay.push_back(posted);
  }
  return std::vector<Row>{
      {.name = "ingest_report_p50.direct",
       .value = Median(direct),
       .unit = "ms",
       .floor = Median(floor),
       .goal = {Goal::Kind::kRatioAtMost, kDirectGoal},
       .note = "one report over gRPC until its acknowledgement, against INSERT and commit"},
      {.name = "ingest_report_p50.relay",
       .value = Median(relay),
       .unit = "ms",
       .floor = Median(floor),
       .goal = {Goal::Kind::kRatioAtMost, kRelayGoal},
       .note = "POST to the relay until its answer: the report is on the agent's disk, and is "
               "shipped meanwhile"}};
}

}  // namespace det::bench
