#pragma once

#include <functional>
#include <memory>
#include <string>

#include "master/core/state.h"
#include "master/engine/probe.h"

namespace det::http {

// Prometheus metrics of the master, as docs/metrics.md lists them. Any thread, but one at a time
// for Set.
class Metrics : public engine::Probe {
 public:
  Metrics();
  ~Metrics() override;

  void OnCommit(int64_t events, absl::Duration latency) override;
  void OnCommitRetry() override;
  void OnTurn(int64_t commands, absl::Duration scheduling) override;

  // What is read when somebody asks.
  struct Levels {
    int64_t commands_queued = 0;
    int64_t ingest_queued_bytes = 0;
    int64_t metric_rows = 0;
    int64_t log_rows = 0;
    int64_t ingest_refused = 0;
    int64_t ingest_unreadable = 0;
    int64_t ingest_retries = 0;
  };
  void Set(const Levels& levels);
  // Agents, slots and trials as they are. O(state): once a scrape.
  void Set(const core::State& state);

  // Prometheus's text format, version 0.0.4.
  std::string Text() const;

 private:
  struct Families;
  std::unique_ptr<Families> families_;
};

}  // namespace det::http
