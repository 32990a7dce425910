#include "common/net/http_target.h"

#include <gtest/gtest.h>

namespace det {
namespace {

TEST(HttpTarget, PathAndQueryAreDecoded) {
  const auto target = ParseHttpTarget("/v1/a%20b+c?x=1&y=%2Fp%3d+q&empty&x=2&&#end");
  ASSERT_TRUE(target.has_value());
  EXPECT_EQ(target->path, "/v1/a b+c");
  EXPECT_EQ(target->query.at("x"), "2");
  EXPECT_EQ(target->query.at("y"), "/p= q");
  EXPECT_EQ(target->query.at("empty"), "");
  EXPECT_EQ(target->query.size(), 3U);
}

TEST(HttpTarget, AbsoluteForm) {
  EXPECT_EQ(ParseHttpTarget("http://det/v1/info?a=b")->path, "/v1/info");
  EXPECT_EQ(ParseHttpTarget("http://det")->path, "/");
  // A query without a path is not worth a guess.
  EXPECT_FALSE(ParseHttpTarget("http://det?a=b").has_value());
}

TEST(HttpTarget, WhatIsNeitherIsRefused) {
  for (const char* bad : {"", "v1", "*", "/%", "/%4", "/%zz", "/%00", "/a?b=%0a", "/a?%1=b"}) {
    EXPECT_FALSE(ParseHttpTarget(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace det
