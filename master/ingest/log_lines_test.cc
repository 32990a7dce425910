#include <gtest/gtest.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "master/ingest/line_matcher.h"
#include "master/ingest/log_level.h"
#include "master/ingest/retention.h"

// What is read out of single lines, and how long they are kept.
namespace det::ingest {
namespace {

TEST(LogLevel, IsReadFromTheLinesBeginning) {
  const std::pair<const char*, LogLevel> lines[] = {
      {"WARNING:root:low disk", LogLevel::kWarning},
      {"ERROR: no such file", LogLevel::kError},
      {"error: expected ';'", LogLevel::kError},
      {"[error] worker 7", LogLevel::kError},
      {"[2026-11-21 10:00:00,123] DEBUG in app: x", LogLevel::kDebug},
      {"2026-11-21 10:00:00,123 - train.loop - CRITICAL - out", LogLevel::kCritical},
      {"2026-11-21T10:00:00Z [rank=3] || TRACE: begun", LogLevel::kTrace},
      {"2026-11-21 10:00:00.123 | WARN | x", LogLevel::kWarning},
      {"INFO:     Uvicorn running", LogLevel::kInfo},
      {"E1121 10:00:00.123456  7 a.cc:1] no", LogLevel::kError},
      {"F1121 10:00:00.123456  7 a.cc:1] no", LogLevel::kCritical},
      {"FATAL", LogLevel::kCritical},
      {"loss=0.3 ERROR later", LogLevel::kInfo},
      {"Error bars are shown", LogLevel::kInfo},
      {"errors: 0", LogLevel::kInfo},
      {"warning_count 3", LogLevel::kInfo},
      {"", LogLevel::kInfo},
      {"E", LogLevel::kInfo},
      {"E1121", LogLevel::kInfo},
      {"\xff\xfe ERROR", LogLevel::kInfo},
      {"Traceback (most recent call last):", LogLevel::kInfo}};
  for (const auto& [line, level] : lines) EXPECT_EQ(LevelOf(line), level) << line;
  EXPECT_EQ(LevelOf(std::string(1 << 20, ' ') + "ERROR"), LogLevel::kInfo);
}

TEST(LineMatcher, NamesThePoliciesThatALineMeets) {
  const auto matcher = LineMatcher::Compile(
      {{"oom", ".*CUDA out of memory.*"}, {"ecc", "uncorrectable ECC"}, {"any", ""}});
  ASSERT_TRUE(matcher.ok()) << matcher.status();
  using Names = std::vector<std::string_view>;
  EXPECT_EQ(matcher->Match("RuntimeError: CUDA out of memory. Tried"), (Names{"oom", "any"}));
  EXPECT_EQ(matcher->Match("an uncorrectable ECC error"), (Names{"ecc", "any"}));
  EXPECT_EQ(matcher->Match(std::string_view("\xff\0", 2)), Names{"any"});
  EXPECT_EQ(matcher->Match(R"({"log_policies": [{"pattern": "uncorrectable ECC"}]})"), Names{});
}

TEST(LineMatcher, SaysWhichPolicyIsNone) {
  const absl::Status status = LineMatcher::Compile({{"good", "a"}, {"bad", "(a"}}).status();
  EXPECT_EQ(ErrorReason(status), "INVALID_PATTERN");
  EXPECT_TRUE(FromAbsl(status.message()).starts_with("log policy bad: ")) << status;
}

TEST(Retention, WhatIsKeptIsKeptAtLeastAsLongAsAsked) {
  for (int64_t days = 0; days <= 3650; ++days) {
    EXPECT_GE(RetentionClass(days), days);
    EXPECT_EQ(RetentionClass(RetentionClass(days)), RetentionClass(days));
  }
  EXPECT_EQ(RetentionClass(-1), -1);
  EXPECT_EQ(RetentionClass(3651), -1);
  EXPECT_EQ(RetentionClass(INT64_MAX), -1);
}

}  // namespace
}  // namespace det::ingest
