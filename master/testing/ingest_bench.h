#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/concurrency/topics.h"
#include "common/testing/eventually.h"
#include "master/ingest/ingestor.h"
#include "master/journal/postgres_journal.h"
#include "master/store/log_scan.h"
#include "master/store/metric_store.h"
#include "master/store/read_store.h"
#include "master/testing/commands.h"
#include "master/testing/test_database.h"
#include "master/testing/test_engine.h"

namespace det::ingest {

inline const AgentId kAgent("a");
inline constexpr int64_t kTestQueueBytes = 1 << 20;

inline Report MetricsReport(int64_t seq, std::string group, Value values) {
  return {.id = {.seq = seq},
          .at = absl::FromUnixSeconds(1000 + seq),
          .body = Metrics{std::move(group), seq, std::move(values)}};
}
inline Report Loss(int64_t seq, Value loss) {
  return MetricsReport(seq, "validation", Value(Value::Object{{"loss", std::move(loss)}}));
}
inline LogRecord Line(int64_t seq, std::string text) {
  return {.seq = seq, .at = absl::FromUnixSeconds(1000 + seq), .text = std::move(text)};
}

// A sender, and what it was told of its only stream.
class Acks : public Sender {
 public:
  void OnDurable(const StreamKey& /*stream*/, int64_t seq) override {
    MutexLock lock(mutex_);
    high_ = std::max(high_, seq);
  }
  void OnRoom() override { room_ = true; }

  int64_t high() {
    MutexLock lock(mutex_);
    return high_;
  }
  absl::Status error() {
    MutexLock lock(mutex_);
    return error_;
  }
  bool room() const { return room_; }
  bool Reaches(int64_t seq) {
    return Eventually([&] { return high() >= seq; });
  }

 protected:
  void OnRefused(const absl::Status& why) override {
    MutexLock lock(mutex_);
    error_ = why;
  }

 private:
  Mutex mutex_;
  int64_t high_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status error_ ABSL_GUARDED_BY(mutex_);
  std::atomic<bool> room_{false};
};
using AcksPtr = std::shared_ptr<Acks>;
inline AcksPtr NewAcks() {
  return std::make_shared<Acks>();
}

// A master's data plane with one run on one agent.
class Bench {
 public:
  explicit Bench(const std::string& conninfo)
      : journal_(conninfo, "a/1/1"),
        engine_(journal_),
        store_(conninfo),
        logs_(conninfo),
        metrics_(conninfo) {
    engine_.Must(test::Connect(kAgent, 1));
    engine_.Must(test::Submit());
    run_ = engine_.OnlyAllocation();
    engine_.Read([&](const core::State& state) { trial_ = state.FindByAllocation(run_)->trial; });
    engine_.Must(test::Running(kAgent, run_));
    const auto on_fatal = [this](absl::Status status) {
      MutexLock lock(mutex_);
      fatal_ = std::move(status);
    };
    ingestor_ = std::make_unique<Ingestor>(Ingestor::Deps{.conninfo = conninfo,
                                                          .engine = engine_.engine(),
                                                          .on_fatal = on_fatal,
                                                          .queued_bytes_max = kTestQueueBytes,
                                                          .log_news = &news_});
  }

  Shipment Reports(std::vector<Report> reports) const {
    Shipment shipment{.agent = kAgent, .allocation = run_, .trial = trial_};
    for (Report& report : reports) {
      report.id.allocation = run_;
      report.trial = trial_;
    }
    shipment.reports = std::move(reports);
    return shipment;
  }
  Shipment Logs(std::vector<LogRecord> logs) const {
    return {.agent = kAgent,
            .allocation = run_,
            .trial = trial_,
            .stream = kLogStream,
            .logs = std::move(logs)};
  }
  void Ship(Shipment shipment, const AcksPtr& acks) {
    ASSERT_TRUE(ingestor_->Offer(&shipment, acks));
  }
  std::vector<std::string> LogTexts() {
    std::vector<std::string> texts;
    for (const store::LogRow& row : Lines()) texts.push_back(row.line);
    return texts;
  }
  std::vector<store::LogRow> Lines() {
    std::vector<store::LogRow> rows;
    store::LogScan scan(&logs_, trial_, {}, store::LogScan::Direction::kForward);
    absl::StatusOr<bool> more = true;
    while (more.ok() && *more) more = scan.Step(1000, &rows);
    EXPECT_TRUE(more.ok()) << more.status();
    return rows;
  }
  std::vector<int64_t> MetricSteps() {
    std::vector<int64_t> steps;
    const auto rows = metrics_.Points(trial_, {.limit = 10000});
    EXPECT_TRUE(rows.ok()) << rows.status();
    for (const store::MetricRow& row : *rows) steps.push_back(row.place.steps);
    return steps;
  }
  int64_t Validations() {
    int64_t count = 0;
    engine_.Read([&](const core::State& state) { count = state.Find(trial_)->validations; });
    return count;
  }
  absl::Status fatal() {
    MutexLock lock(mutex_);
    return fatal_;
  }

  test::TestEngine& engine() { return engine_; }
  store::ReadStore& store() { return store_; }
  store::LogStore& logs() { return logs_; }
  store::MetricStore& metrics() { return metrics_; }
  Topics& news() { return news_; }
  Ingestor& ingestor() { return *ingestor_; }
  AllocationId run() const { return run_; }
  TrialId trial() const { return trial_; }

 private:
  journal::PostgresJournal journal_;
  test::TestEngine engine_;
  store::ReadStore store_;
  store::LogStore logs_;
  store::MetricStore metrics_;
  Topics news_;
  AllocationId run_;
  TrialId trial_;
  Mutex mutex_;
  absl::Status fatal_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Ingestor> ingestor_;
};

}  // namespace det::ingest
