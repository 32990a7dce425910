#include "common/math/math.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace det::math {
namespace {

double Ulps(double got, double want) {
  if (got == want) return 0;
  const double unit = std::nextafter(std::fabs(want), INFINITY) - std::fabs(want);
  return std::fabs(got - want) / unit;
}

TEST(Math, ExpIsWithinTwoUlpsOfTheCLibrary) {
  for (double x = -700; x < 700; x += 0.37) EXPECT_LE(Ulps(Exp(x), std::exp(x)), 2) << x;
  for (double x = -1; x < 1; x += 0.001) EXPECT_LE(Ulps(Exp(x), std::exp(x)), 2) << x;
}

TEST(Math, LogIsWithinTwoUlpsOfTheCLibrary) {
  for (double x = 1e-300; x < 1e300; x *= 1.7) EXPECT_LE(Ulps(Log(x), std::log(x)), 2) << x;
  for (double x = 0.5; x < 2; x += 0.0007) EXPECT_LE(Ulps(Log(x), std::log(x)), 2) << x;
}

TEST(Math, WholePowersOfTenAreTheNearestDoubles) {
  EXPECT_EQ(Pow(10, -3), 0.001);
  EXPECT_EQ(Pow(10, -5), 1e-5);
  EXPECT_EQ(Pow(10, 2), 100.0);
  EXPECT_EQ(Pow(2, 10), 1024.0);
  EXPECT_EQ(Pow(10, 0), 1.0);
}

TEST(Math, FractionalPowers) {
  for (double x = -8.25; x < 8; x += 0.0625) {
    EXPECT_NEAR(Pow(10, x) / std::pow(10, x), 1, 1e-14) << x;
  }
}

TEST(Math, Limits) {
  EXPECT_EQ(Exp(1000), INFINITY);
  EXPECT_EQ(Exp(-1000), 0);
  EXPECT_TRUE(std::isnan(Exp(NAN)));
  EXPECT_EQ(Log(0), -INFINITY);
  EXPECT_TRUE(std::isnan(Log(-1)));
  EXPECT_EQ(Log(INFINITY), INFINITY);
  EXPECT_EQ(Log(1), 0);
  EXPECT_EQ(Exp(0), 1);
}

TEST(Math, RoundsHalfAwayFromZero) {
  EXPECT_EQ(Round(2.5), 3);
  EXPECT_EQ(Round(-2.5), -3);
  EXPECT_EQ(Round(2.4), 2);
}

}  // namespace
}  // namespace det::math
