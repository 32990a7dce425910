#include <cmath>

#include <gtest/gtest.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "master/testing/ingest_bench.h"

// Metrics from the wire to the reader: pages, summaries, series, and what a restarted run shadows.
namespace det::ingest {
namespace {

constexpr double kLargest = std::numeric_limits<double>::max();
constexpr double kSmallest = std::numeric_limits<double>::denorm_min();

class MetricsTest : public testing::Test {
 protected:
  void Report(int64_t steps, const std::string& group, Value::Object values) {
    Send(steps, group, std::move(values), kRelayStream);
  }
  void Send(int64_t steps, const std::string& group, Value::Object values, int64_t stream) {
    Report_ report = MetricsReport(++seq_, group, Value(std::move(values)));
    std::get<Metrics>(report.body).steps_completed = steps;
    Shipment shipment = bench.Reports({report});
    shipment.stream = stream;
    shipment.reports[0].id.stream = stream;
    shipment.allocation = run_;
    shipment.reports[0].id.allocation = run_;
    bench.Ship(std::move(shipment), acks);
    ASSERT_TRUE(acks->Reaches(seq_));
  }
  using Report_ = ingest::Report;
  // The run ends by a fault and another takes its place.
  void Restart() {
    bench.engine().Must(test::Exited(kAgent, run_, 1));
    run_ = bench.engine().OnlyAllocation();
    bench.engine().Must(test::Running(kAgent, run_));
    acks = NewAcks();
    seq_ = 0;
  }
  store::MetricSummaryRow Summary(const std::string& group, const std::string& name) {
    const auto rows =
        bench.metrics().Summaries({.trials = {bench.trial().value()}, .group = group});
    EXPECT_TRUE(rows.ok()) << rows.status();
    for (const auto& row : *rows) {
      if (row.name == name) return row;
    }
    return {};
  }
  std::vector<int64_t> Steps(bool shadowed) {
    std::vector<int64_t> steps;
    const auto rows = bench.metrics().Points(bench.trial(), {.limit = 1000});
    EXPECT_TRUE(rows.ok()) << rows.status();
    for (const auto& row : *rows) {
      if (row.shadowed == shadowed) steps.push_back(row.place.steps);
    }
    return steps;
  }

  test::TestDatabase database;
  Bench bench{database.conninfo()};
  AcksPtr acks = NewAcks();
  AllocationId run_ = bench.run();
  int64_t seq_ = 0;
};

TEST_F(MetricsTest, SummariesAreKeptWithThePoints) {
  Report(10, "training", {{"loss", 4.0}, {"note", "x"}});
  Report(20, "training", {{"loss", 1.0}});
  Report(30, "training", {{"loss", std::nan("")}});
  Report(40, "training", {{"loss", "-Infinity"}});
  Report(50, "training", {{"loss", 1.0}});
  const auto loss = Summary("training", "loss");
  EXPECT_EQ(loss.count, 3);
  EXPECT_EQ(loss.nans, 1);
  EXPECT_EQ(loss.infinities, 1);
  EXPECT_EQ(loss.min, 1.0);
  EXPECT_EQ(loss.max, 4.0);
  EXPECT_DOUBLE_EQ(*loss.mean, 2.0);
  EXPECT_EQ(loss.last, 1.0);
  EXPECT_EQ(loss.last_steps, 50);
  const auto note = Summary("training", "note");
  EXPECT_EQ(note.others, 1);
  EXPECT_EQ(note.count, 0);
  EXPECT_FALSE(note.mean.has_value());
  EXPECT_FALSE(note.last.has_value());
}

TEST_F(MetricsTest, NumbersAtTheEndsOfTheirTypesAreSummarized) {
  for (int64_t i = 0; i < 7; ++i) {
    Report(
        INT64_MAX - 7 + i,
        "training",
        {{"large", kLargest}, {"both", i % 2 == 0 ? kLargest : -kLargest}, {"small", kSmallest}});
  }
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(Summary("training", "large").count, 7);
    EXPECT_NEAR(*Summary("training", "large").mean / kLargest, 1, 1e-12);
    EXPECT_NEAR(*Summary("training", "both").mean / kLargest, 1.0 / 7, 1e-12);
    EXPECT_EQ(Summary("training", "small").min, kSmallest);
    EXPECT_EQ(Summary("training", "small").mean, 0);
    // The same from the points.
    database.Exec(StrCat("SELECT det_summarize(ARRAY[", bench.trial().value(), "::bigint])"));
  }
  const auto series = bench.metrics().ReadSeries(
      {.trial = bench.trial(), .group = "training", .name = "both", .buckets = 2});
  ASSERT_TRUE(series.ok()) << series.status();
  EXPECT_EQ(series->count, 7);
}

// A run that goes on from step 20 reports 30 again: what the older one reported from there on in
// this group, and beyond it in others, counts no more.
TEST_F(MetricsTest, ARunThatGoesBackShadowsWhatItGoesOverAgain) {
  for (const int64_t steps : {10, 20, 30, 40}) {
    Report(steps, "training", {{"loss", static_cast<double>(steps)}});
    Report(steps, "validation", {{"acc", static_cast<double>(steps)}});
  }
  Send(100, "cpu", {{"cpu_util_simple", 50.0}}, kSampleStream);
  Restart();
  Report(30, "training", {{"loss", 3.0}});
  EXPECT_EQ(Steps(true), (std::vector<int64_t>{30, 40, 40}));
  EXPECT_EQ(Steps(false), (std::vector<int64_t>{100, 10, 20, 30, 10, 20, 30}));
  const auto loss = Summary("training", "loss");
  EXPECT_EQ(loss.count, 3);
  EXPECT_EQ(loss.max, 20.0);
  EXPECT_DOUBLE_EQ(*loss.mean, 11.0);
  EXPECT_EQ(loss.last, 3.0);
  EXPECT_EQ(loss.last_steps, 30);
  EXPECT_EQ(Summary("validation", "acc").count, 3);
  EXPECT_EQ(Summary("cpu", "cpu_util_simple").count, 1);
  Report(30, "validation", {{"acc", 3.0}});
  EXPECT_EQ(Summary("validation", "acc").count, 3);
  EXPECT_EQ(Summary("validation", "acc").last, 3.0);
  const auto series =
      bench.metrics().ReadSeries({.trial = bench.trial(), .group = "training", .name = "loss"});
  ASSERT_TRUE(series.ok() && series->points.size() == 3U);
  EXPECT_EQ(series->points[2].value, 3.0);
}

TEST_F(MetricsTest, SummariesMadeAnewAreThoseThatWereKept) {
  for (int64_t i = 1; i <= 50; ++i) {
    Report(
        i, "training", {{"a", std::sin(static_cast<double>(i))}, {"b", i % 7 == 0 ? "NaN" : "x"}});
  }
  const char* all =
      "SELECT string_agg(concat_ws(' ', grp, name, count, nans, infinities, others, min, max, "
      "round(mean::numeric, 9), last, last_steps, last_run, max_steps), ';' ORDER BY grp, name) "
      "FROM metric_summaries";
  const std::string kept = database.Text(all);
  database.Exec(StrCat("SELECT det_summarize(ARRAY[", bench.trial().value(), "::bigint])"));
  EXPECT_EQ(database.Text(all), kept);
}

TEST_F(MetricsTest, ASeriesKeepsEachBucketsPeaks) {
  database.Exec(StrCat(
      "INSERT INTO metrics (trial_id, allocation_id, stream, seq, grp, name, steps, value, at, "
      "received_at) SELECT ",
      bench.trial().value(),
      ", ",
      run_.value(),
      ", 0, n, 'training', 'loss', n, CASE n WHEN 77777 THEN 1e9 WHEN 55555 THEN -1e9 WHEN 3 "
      "THEN 'NaN' ELSE sin(n) END, to_timestamp(n), now() FROM generate_series(1, 100000) n"));
  store::SeriesQuery query{
      .trial = bench.trial(), .group = "training", .name = "loss", .buckets = 50};
  const auto series = bench.metrics().ReadSeries(query);
  ASSERT_TRUE(series.ok()) << series.status();
  EXPECT_TRUE(series->sampled);
  EXPECT_EQ(series->count, 99'999);
  EXPECT_EQ(series->not_finite, 1);
  EXPECT_LE(series->points.size(), 100U);
  double low = 0;
  double high = 0;
  for (size_t i = 0; i < series->points.size(); ++i) {
    low = std::min(low, series->points[i].value);
    high = std::max(high, series->points[i].value);
    if (i == 0) continue;
    EXPECT_LE(series->points[i - 1].x, series->points[i].x);
  }
  EXPECT_EQ(low, -1e9);
  EXPECT_EQ(high, 1e9);
  query.from = 77'770;
  query.to = 77'779;
  const auto part = bench.metrics().ReadSeries(query);
  ASSERT_TRUE(part.ok());
  EXPECT_FALSE(part->sampled);
  EXPECT_EQ(part->points.size(), 10U);
  query.from.reset();
  query.to.reset();
  query.axis = store::MetricAxis::kTime;
  EXPECT_EQ(bench.metrics().ReadSeries(query)->points.back().x,
            static_cast<double>(series->points.back().steps));
  query.name = "none";
  EXPECT_TRUE(bench.metrics().ReadSeries(query)->points.empty());
}

TEST_F(MetricsTest, EpochsAreAnAxisWhereTheyAreReported) {
  for (int64_t i = 1; i <= 6; ++i) {
    Report(i * 100,
           "validation",
           {{"acc", 0.1 * static_cast<double>(i)}, {"epoch", 0.5 * static_cast<double>(i)}});
  }
  Report(700, "validation", {{"acc", 9.0}});
  store::SeriesQuery query{.trial = bench.trial(),
                           .group = "validation",
                           .name = "acc",
                           .axis = store::MetricAxis::kEpoch};
  const auto series = bench.metrics().ReadSeries(query);
  ASSERT_TRUE(series.ok()) << series.status();
  ASSERT_EQ(series->points.size(), 6U);
  EXPECT_EQ(series->points.back().x, 3.0);
  query.group = "training";
  EXPECT_EQ(ErrorReason(bench.metrics().ReadSeries(query).status()), "NO_EPOCHS");
}

TEST_F(MetricsTest, PagesHaveNoGapAndNoRepetition) {
  database.Exec(
      "INSERT INTO metrics (trial_id, allocation_id, stream, seq, grp, name, steps, value, at, "
      "received_at) SELECT 9, a, s, q, g, n, q, q, now(), now() FROM generate_series(1, 2) AS a, "
      "generate_series(0, 1) AS s, generate_series(1, 5) AS q, unnest(ARRAY['B', 'a', '']) AS n, "
      "unnest(ARRAY['x', 'Y']) AS g");
  const auto all = bench.metrics().Points(TrialId(9), {.limit = 1000});
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->size(), 120U);
  size_t seen = 0;
  store::MetricStore::PointQuery query{.limit = 7};
  while (true) {
    const auto page = bench.metrics().Points(TrialId(9), query);
    ASSERT_TRUE(page.ok()) << page.status();
    if (page->empty()) break;
    for (const store::MetricRow& row : *page) {
      const store::MetricCursor& expected = all->at(seen++).place;
      EXPECT_EQ(row.place.group, expected.group);
      EXPECT_EQ(row.place.name, expected.name);
      EXPECT_EQ(row.place.steps, expected.steps);
      EXPECT_EQ(row.place.seq, expected.seq);
    }
    query.after = page->back().place;
  }
  EXPECT_EQ(seen, 120U);
  EXPECT_EQ(bench.metrics().Points(TrialId(9), {.group = "x", .limit = 1000})->size(), 60U);
  EXPECT_EQ(bench.metrics().Points(TrialId(9), {.name = "B", .limit = 1000})->size(), 40U);
}

TEST_F(MetricsTest, AReportOfAHundredThousandNamesIsStored) {
  Value::Object values;
  for (int i = 0; i < 100'000; ++i) values[StrCat("metric-", i)] = i;
  Report(1, "training", std::move(values));
  EXPECT_EQ(database.Count("SELECT count(*) FROM metrics"), 100'000);
  EXPECT_EQ(database.Count("SELECT count(*) FROM metric_summaries"), 100'000);
  EXPECT_EQ(bench.ingestor().totals().unreadable, 0);
}

}  // namespace
}  // namespace det::ingest
