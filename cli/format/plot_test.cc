#include "cli/format/plot.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "cli/format/width.h"

namespace det::cli {
namespace {

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

TEST(PlotTest, DrawsAFallingLineInAscii) {
  const Series loss{"loss", {{0, 4}, {1, 3}, {2, 2}, {3, 1}, {4, 0}}};
  EXPECT_EQ(PlotText({loss}, "batches", {.width = 30, .height = 8}, {}),
            "4 +*******\n"
            "  |       ******\n"
            "  |             *******\n"
            "  |                    ******\n"
            "0 +                          *\n"
            "  +---------------------------\n"
            "   0         batches         4\n"
            "   * loss\n");
}

TEST(PlotTest, BrailleHasEightDotsToACharacter) {
  const Series line{"up", {{0, 0}, {1, 1}}};
  const std::string text =
      PlotText({line}, "x", {.width = 30, .height = 8}, {.tty = true, .utf8 = true});
  EXPECT_NE(text.find("⣀"), std::string::npos) << text;
  EXPECT_NE(text.find("┤"), std::string::npos);
}

TEST(PlotTest, WhatIsNoNumberIsLeftOutAndNothingGivesNothing) {
  const double nan = std::nan("");
  EXPECT_EQ(PlotText({{"a", {{0, nan}, {1, HUGE_VAL}}}}, "x", {}, {}), "");
  EXPECT_EQ(PlotText({}, "x", {}, {}), "");
  EXPECT_NE(PlotText({{"a", {{0, nan}, {1, 5}}}}, "x", {}, {}), "");
}

RC_GTEST_PROP(PlotPropertyTest, StaysWithinItsSize, ()) {
  static const std::vector<double> kValues = {0,
                                              -1,
                                              1e-300,
                                              1e300,
                                              std::numeric_limits<double>::max(),
                                              -std::numeric_limits<double>::max(),
                                              std::nan(""),
                                              HUGE_VAL,
                                              3.25,
                                              1e6};
  std::vector<Series> series;
  const int lines = *rc::gen::inRange(1, 4);
  for (int i = 0; i < lines; ++i) {
    Series line{.name = std::string(1, static_cast<char>('a' + i))};
    const int points = *rc::gen::inRange(0, 20);
    for (int p = 0; p < points; ++p) {
      line.points.emplace_back(*rc::gen::elementOf(kValues), *rc::gen::elementOf(kValues));
    }
    series.push_back(std::move(line));
  }
  const PlotSize size{.width = *rc::gen::inRange(30, 200), .height = *rc::gen::inRange(6, 60)};
  const bool utf8 = *rc::gen::inRange(0, 2) == 1;
  const std::vector<std::string> rows =
      LinesOf(PlotText(series, "batches", size, {.tty = true, .utf8 = utf8}));
  RC_ASSERT(static_cast<int>(rows.size()) <= size.height);
  for (const std::string& row : rows) RC_ASSERT(DisplayWidth(row) <= size.width);
}

}  // namespace
}  // namespace det::cli
