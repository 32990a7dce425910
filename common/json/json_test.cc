#include "common/json/json.h"

#include <string>

#include <gtest/gtest.h>

namespace det {
namespace {

TEST(Json, RoundTrips) {
  for (const char* text : {"null",
                           "true",
                           "[]",
                           "{}",
                           R"({"a":[1,2.5,"x"],"b":{"c":null}})",
                           "-3",
                           "1e-05",
                           "9223372036854775807"}) {
    const absl::StatusOr<Value> value = ParseJson(text);
    ASSERT_TRUE(value.ok()) << value.status();
    EXPECT_EQ(value->ToJson(), text);
  }
}

TEST(Json, IntegersAndDoublesStayApart) {
  EXPECT_TRUE(ParseJson("1")->is_int());
  EXPECT_TRUE(ParseJson("1.0")->is_double());
  EXPECT_TRUE(ParseJson("18446744073709551615")->is_double());
}

TEST(Json, RefusesWhatIsNotAllowed) {
  EXPECT_EQ(ParseJson(R"({"a":1,"a":2})").status().message(), "invalid JSON: duplicate key \"a\"");
  for (const char* text :
       {"", "{", "1 2", "[1,]", "NaN", "1e999", "\"\xff\"", "\"\\ud800\"", "{a:1}"}) {
    EXPECT_FALSE(ParseJson(text).ok()) << text;
  }
  EXPECT_FALSE(ParseJson(std::string(100000, '[')).ok());
  EXPECT_FALSE(ParseJson("\"0123456789\"", {.bytes_max = 5}).ok());
}

}  // namespace
}  // namespace det
