#include <atomic>

#include "bench/base/open_loop.h"
#include "bench/base/row.h"
#include "bench/base/stats.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/os/process.h"

namespace det::bench {
namespace {

using ::testing::DoubleNear;
using ::testing::HasSubstr;
using ::testing::Optional;

Row RowOf(Goal goal, double value, std::optional<double> floor = std::nullopt) {
  return {.name = "row", .value = value, .unit = "ms", .floor = floor, .goal = goal};
}

TEST(Row, IsJudgedByItsGoal) {
  EXPECT_EQ(Holds(RowOf({}, 1)), std::nullopt);
  EXPECT_THAT(Holds(RowOf({Goal::Kind::kAtMost, 2}, 2)), Optional(true));
  EXPECT_THAT(Holds(RowOf({Goal::Kind::kAtMost, 2}, 2.1)), Optional(false));
  EXPECT_THAT(Holds(RowOf({Goal::Kind::kAtLeast, 2}, 2.1)), Optional(true));
  EXPECT_THAT(Holds(RowOf({Goal::Kind::kRatioAtLeast, 0.5}, 49, 100)), Optional(false));
  EXPECT_THAT(Holds(RowOf({Goal::Kind::kRatioAtMost, 3}, 300, 100)), Optional(true));
  EXPECT_THAT(Holds(RowOf({Goal::Kind::kBeyondAtMost, 30}, 131, 100)), Optional(false));
}

TEST(Row, WithoutItsFloorDoesNotHold) {
  EXPECT_THAT(Holds(RowOf({Goal::Kind::kRatioAtMost, 3}, 1)), Optional(false));
  EXPECT_THAT(Holds(RowOf({Goal::Kind::kRatioAtMost, 3}, 1, 0)), Optional(false));
  EXPECT_THAT(Holds(RowOf({Goal::Kind::kBeyondAtMost, 3}, 1)), Optional(false));
}

TEST(Row, IsWrittenForPeopleAndForMachines) {
  const Row row = RowOf({Goal::Kind::kRatioAtLeast, 0.5}, 40, 100);
  EXPECT_THAT(Table({row}), HasSubstr("at least 0.5 x floor  NO"));
  EXPECT_EQ(ToValue(row).ToJson(),
            R"({"floor":100.0,"goal":"at least 0.5 x floor","holds":false,"name":"row","note":"",)"
            R"("ratio":0.4,"unit":"ms","value":40.0})");
}

TEST(Stats, Median) {
  EXPECT_EQ(Median({}), 0);
  EXPECT_EQ(Median({3, 1, 2}), 2);
  EXPECT_EQ(Median({4, 1, 2, 3}), 2.5);
}

TEST(Stats, PercentilesAreWithinOnePercent) {
  LatencyHistogram latencies;
  EXPECT_EQ(latencies.PercentileMs(0.5), 0);
  for (int i = 1; i <= 1000; ++i) latencies.Add(absl::Milliseconds(i));
  EXPECT_THAT(latencies.PercentileMs(0.5), DoubleNear(500, 6));
  EXPECT_THAT(latencies.PercentileMs(0.99), DoubleNear(990, 11));
  EXPECT_THAT(latencies.PercentileMs(1), DoubleNear(1000, 11));
}

TEST(OpenLoop, MakesEachRequestOnceAndNotBeforeItIsDue) {
  std::atomic<int64_t> sum{0};
  std::atomic<bool> early{false};
  const absl::Status status =
      RunOpenLoop({.per_second = 1000, .connections = 3, .duration = absl::Milliseconds(100)},
                  [&](int connection, int64_t number, absl::Duration due) {
                    EXPECT_EQ(number % 3, connection);
                    if (SteadyNow() < due) early = true;
                    sum += number;
                    return absl::OkStatus();
                  });
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(sum, 99 * 100 / 2);
  EXPECT_FALSE(early);
}

TEST(OpenLoop, TellsOfAnError) {
  const absl::Status status =
      RunOpenLoop({.per_second = 1000, .connections = 2, .duration = absl::Milliseconds(10)},
                  [](int, int64_t number, absl::Duration) {
                    return number == 3 ? absl::InternalError("broken") : absl::OkStatus();
                  });
  EXPECT_EQ(status.message(), "broken");
}

}  // namespace
}  // namespace det::bench
