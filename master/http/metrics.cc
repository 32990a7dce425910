#include "master/http/metrics.h"

#include <map>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "master/core/explain.h"

namespace det::http {
namespace {

using prometheus::Histogram;

const Histogram::BucketBoundaries& Latencies() {
  static const Histogram::BucketBoundaries bounds = {
      0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10};
  return bounds;
}

const Histogram::BucketBoundaries& Sizes() {
  static const Histogram::BucketBoundaries bounds = {1, 2, 4, 8, 16, 32, 64, 128, 256, 1024, 16384};
  return bounds;
}

// To a level that only grows.
void Raise(prometheus::Counter& counter, int64_t level) {
  const double more = static_cast<double>(level) - counter.Value();
  if (more > 0) counter.Increment(more);
}

}  // namespace

struct Metrics::Families {
  prometheus::Registry registry;

  prometheus::Gauge& NewGauge(const std::string& name, const std::string& help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
  }
  prometheus::Counter& NewCounter(const std::string& name, const std::string& help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
  }
  Histogram& NewHistogram(const std::string& name,
                          const std::string& help,
                          const Histogram::BucketBoundaries& bounds) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, bounds);
  }

  Histogram& commit_seconds = NewHistogram(
      "det_journal_commit_seconds", "Time of one journal commit, retries included.", Latencies());
  Histogram& commit_events =
      NewHistogram("det_journal_commit_events", "Events in one journal commit.", Sizes());
  prometheus::Counter& commit_retries = NewCounter(
      "det_journal_commit_retries_total", "Journal commits that failed and were repeated.");
  Histogram& turn_seconds =
      NewHistogram("det_scheduler_pass_seconds",
                   "Time of deadlines and scheduling in one turn of the core.",
                   Latencies());
  prometheus::Counter& commands =
      NewCounter("det_commands_total", "Commands and reads that the core thread ran.");
  prometheus::Gauge& queued =
      NewGauge("det_commands_queued", "Commands and reads that wait for the core thread.");
  prometheus::Gauge& ingest_queued =
      NewGauge("det_ingest_queued_bytes", "Metrics and logs that wait to be written.");
  prometheus::Counter& metric_rows =
      NewCounter("det_ingest_metric_rows_total", "Metric values written.");
  prometheus::Counter& log_rows = NewCounter("det_ingest_log_rows_total", "Log records written.");
  prometheus::Counter& refused =
      NewCounter("det_ingest_refused_total", "Shipments refused because their run was over.");
  prometheus::Counter& unreadable =
      NewCounter("det_ingest_unreadable_total",
                 "Reports and log records that could not be stored, and left a line in their log.");
  prometheus::Counter& retries =
      NewCounter("det_ingest_retries_total", "Writes that failed and were repeated.");

  prometheus::Gauge& experiments =
      NewGauge("det_experiments_live", "Experiments that have not ended.");
  prometheus::Family<prometheus::Gauge>& agents =
      prometheus::BuildGauge().Name("det_agents").Help("Agents by state.").Register(registry);
  prometheus::Family<prometheus::Gauge>& slots =
      prometheus::BuildGauge()
          .Name("det_slots")
          .Help("Slots of connected agents, by pool and use.")
          .Register(registry);
  prometheus::Family<prometheus::Gauge>& trials = prometheus::BuildGauge()
                                                      .Name("det_trials_live")
                                                      .Help("Trials that have not ended, by state.")
                                                      .Register(registry);
};

Metrics::Metrics() : families_(std::make_unique<Families>()) {}
Metrics::~Metrics() = default;

void Metrics::OnCommit(int64_t events, absl::Duration latency) {
  families_->commit_seconds.Observe(absl::ToDoubleSeconds(latency));
  families_->commit_events.Observe(static_cast<double>(events));
}

void Metrics::OnCommitRetry() {
  families_->commit_retries.Increment();
}

void Metrics::OnTurn(int64_t commands, absl::Duration scheduling) {
  families_->turn_seconds.Observe(absl::ToDoubleSeconds(scheduling));
  families_->commands.Increment(static_cast<double>(commands));
}

void Metrics::Set(const Levels& levels) {
  families_->queued.Set(static_cast<double>(levels.commands_queued));
  families_->ingest_queued.Set(static_cast<double>(levels.ingest_queued_bytes));
  Raise(families_->metric_rows, levels.metric_rows);
  Raise(families_->log_rows, levels.log_rows);
  Raise(families_->refused, levels.ingest_refused);
  Raise(families_->unreadable, levels.ingest_unreadable);
  Raise(families_->retries, levels.ingest_retries);
}

void Metrics::Set(const core::State& state) {
  families_->experiments.Set(static_cast<double>(state.experiments.size()));
  std::map<std::string, double> agents = {{"connected", 0}, {"away", 0}, {"lost", 0}};
  for (const auto& [id, agent] : state.agents) {
    ++agents[agent.connected ? "connected" : agent.lost ? "lost" : "away"];
  }
  for (const auto& [name, count] : agents) families_->agents.Add({{"state", name}}).Set(count);
  for (const auto& [name, pool] : state.indexes.view.pools()) {
    const auto free = static_cast<double>(pool.slots_free);
    families_->slots.Add({{"pool", name}, {"use", "free"}}).Set(free);
    families_->slots.Add({{"pool", name}, {"use", "held"}})
        .Set(static_cast<double>(pool.slots_total) - free);
  }
  std::map<std::string, double> trials = {{"QUEUED", 0},
                                          {"PULLING", 0},
                                          {"STARTING", 0},
                                          {"RUNNING", 0},
                                          {"PAUSED", 0},
                                          {"STOPPING", 0}};
  for (const auto& [id, trial] : state.trials) {
    ++trials[core::IsStopping(trial.state) ? "STOPPING" : core::ShownState(state, trial)];
  }
  for (const auto& [name, count] : trials) families_->trials.Add({{"state", name}}).Set(count);
}

std::string Metrics::Text() const {
  return prometheus::TextSerializer().Serialize(families_->registry.Collect());
}

}  // namespace det::http
