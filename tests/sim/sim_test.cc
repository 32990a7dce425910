#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/sim/world.h"

namespace det::sim {
namespace {

constexpr uint64_t kSeeds = 200;
// Some seed of so many must find a planted bug.
constexpr uint64_t kPlantedSeedsMax = 20;

TEST(Sim, InvariantsHoldAndWorkEnds) {
  Counters total;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const Outcome outcome = RunWorld({.seed = seed});
    ASSERT_EQ(outcome.failure, "") << "seed " << seed;
    total.Add(outcome.counters);
  }
  for (size_t i = 0; i < kFaults; ++i) EXPECT_GT(total.faults[i], 0) << kFaultNames[i];
  for (size_t i = 0; i < kCrashPoints; ++i) EXPECT_GT(total.crashes[i], 0) << kCrashPointNames[i];
}

TEST(Sim, ASeedSaysEverything) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    EXPECT_EQ(RunWorld({.seed = seed}).fingerprint, RunWorld({.seed = seed}).fingerprint) << seed;
  }
}

// The simulation finds the bugs that it is there to find: some seed fails with the bug, says how to
// repeat it, and passes without the bug.
std::string FailureWith(const Planted& planted) {
  for (uint64_t seed = 1; seed <= kPlantedSeedsMax; ++seed) {
    const Outcome outcome = RunWorld({.seed = seed, .planted = planted});
    if (outcome.failure.empty()) continue;
    EXPECT_NE(outcome.failure.find("./dev sim --seeds 1 --from "), std::string::npos);
    EXPECT_EQ(RunWorld({.seed = seed}).failure, "");
    return outcome.failure;
  }
  return "";
}

TEST(Sim, FindsAReplyBeforeItsCauseIsDurable) {
  EXPECT_NE(FailureWith({.reply_before_durable = true}), "");
}

TEST(Sim, FindsADoublePlacement) {
  EXPECT_THAT(FailureWith({.double_placement = true}), ::testing::HasSubstr("is held twice"));
}

}  // namespace
}  // namespace det::sim
