#include "common/rng/counter_rng.h"

#include <map>

#include <gtest/gtest.h>

namespace det {
namespace {

// Known answers published with the reference implementation (Random123, kat_vectors).
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(Philox4x32({0, 0, 0, 0}, {0, 0}),
            (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (std::array<uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(CounterRng, IsAFunctionOfItsArguments) {
  const CounterRng rng(42, StreamId("hparam", 0, 7, "lr"));
  EXPECT_EQ(rng.Bits(3), CounterRng(42, StreamId("hparam", 0, 7, "lr")).Bits(3));
  EXPECT_NE(rng.Bits(3), rng.Bits(4));
  EXPECT_NE(rng.Bits(3), CounterRng(43, StreamId("hparam", 0, 7, "lr")).Bits(3));
  EXPECT_NE(rng.Bits(3), CounterRng(42, StreamId("hparam", 1, 7, "lr")).Bits(3));
  EXPECT_NE(StreamId("ab", 0, 0, "c"), StreamId("a", 0, 0, "bc"));
}

TEST(CounterRng, UniformStaysInRangeAndCentres) {
  const CounterRng rng(1, 2);
  double sum = 0;
  for (uint64_t i = 0; i < 20000; ++i) {
    const double u = rng.Uniform(i);
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u;
  }
  EXPECT_NEAR(sum / 20000, 0.5, 0.01);
}

TEST(CounterRng, BelowIsUniform) {
  const CounterRng rng(9, 9);
  std::map<uint64_t, int> counts;
  for (uint64_t i = 0; i < 60000; ++i) ++counts[rng.Below(6, i)];
  ASSERT_EQ(counts.size(), 6U);
  for (const auto& [value, count] : counts) EXPECT_NEAR(count, 10000, 500) << value;
  EXPECT_EQ(rng.Below(1, 5), 0U);
  EXPECT_LT(rng.Below((uint64_t{1} << 63) + 1, 5), (uint64_t{1} << 63) + 1);
}

}  // namespace
}  // namespace det
