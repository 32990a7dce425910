#include "common/text/pattern.h"

#include <gtest/gtest.h>

#include "common/base/status.h"

namespace det {
namespace {

bool Found(std::string_view pattern, std::string_view text, Pattern::Options options = {}) {
  const auto compiled = Pattern::Compile(pattern, options);
  EXPECT_TRUE(compiled.ok()) << compiled.status();
  return compiled.ok() && compiled->FoundIn(text);
}

std::string WhyNot(std::string_view pattern) {
  const absl::Status status = Pattern::Compile(pattern).status();
  EXPECT_EQ(ErrorReason(status), "INVALID_PATTERN") << status;
  return std::string(status.message());
}

TEST(Pattern, IsFoundAnywhere) {
  EXPECT_TRUE(Found("loss=\\d+", "step 3 loss=12"));
  EXPECT_FALSE(Found("^loss", "step 3 loss=12"));
  EXPECT_TRUE(Found("", "anything"));
  EXPECT_FALSE(Found("error", "ERROR"));
  EXPECT_TRUE(Found("error", "ERROR", {.ignore_case = true}));
}

TEST(Pattern, TextsMayBeAnyBytes) {
  EXPECT_TRUE(Found("b.d",
                    std::string_view("a\xff\0b\xc3\xa9"
                                     "d",
                                     7)));
  EXPECT_TRUE(Found("end$", std::string_view("\xff\xfe\0 end", 7)));
  EXPECT_TRUE(Found("\xff", "a\xff"));
}

TEST(Pattern, AFaultIsShownWithItsPlace) {
  EXPECT_EQ(WhyNot("loss(\\d+"),
            "the pattern is no regular expression, at byte 1: missing ): loss(\\d+\n"
            "  loss(\\d+\n"
            "  ^");
  EXPECT_EQ(WhyNot("a**b"),
            "the pattern is no regular expression, at byte 2: bad repetition operator: **\n"
            "  a**b\n"
            "   ^");
  EXPECT_EQ(WhyNot("ab[z-a]"),
            "the pattern is no regular expression, at byte 4: invalid character class range: z-a\n"
            "  ab[z-a]\n"
            "     ^");
  EXPECT_EQ(WhyNot("caf\xc3\xa9\\"),
            "the pattern is no regular expression, at byte 6: trailing \\\n"
            "  caf\xc3\xa9\\\n"
            "      ^");
}

TEST(Pattern, IsBounded) {
  EXPECT_NE(WhyNot(std::string(5000, 'a')).find("5000 bytes"), std::string::npos);
  EXPECT_NE(WhyNot("((a{100}){100}){100}"), "");
  // Quadratic or worse where matching goes back.
  EXPECT_FALSE(Found("(a*)*b", std::string(100000, 'a')));
}

}  // namespace
}  // namespace det
