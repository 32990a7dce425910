#include "master/ingest/log_matcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace det::ingest {
namespace {

using spec::LogAction;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class LogMatcherTest : public ::testing::Test {
 protected:
  std::vector<std::string> Match(std::vector<std::string> lines, int64_t allocation = 1) {
    Shipment shipment{
        .agent = AgentId("a"), .allocation = AllocationId(allocation), .trial = TrialId(1)};
    for (std::string& line : lines) shipment.logs.push_back({.text = std::move(line)});
    const auto found = matcher.Match(shipment);
    last = found->matches;
    any_told = found->any_told;
    std::vector<std::string> policies;
    for (const core::ReportLogMatch& match : last) policies.push_back(match.match.policy);
    return policies;
  }

  int loads = 0;
  std::vector<core::ReportLogMatch> last;
  bool any_told = false;
  LogMatcher matcher{[this](TrialId) {
    ++loads;
    return std::vector<spec::LogPolicySpec>{
        {"oom", ".*CUDA out of memory.*", LogAction::kCancelRetries},
        {"", "uncorrectable ECC", LogAction::kExcludeNode},
        {"off", "", LogAction::kNone},
        {"bad pattern", "(", LogAction::kNone}};
  }};
};

TEST_F(LogMatcherTest, TellsOfEachPolicyOnceARun) {
  EXPECT_THAT(Match({"epoch 1"}), IsEmpty());
  EXPECT_FALSE(any_told);
  EXPECT_THAT(Match({"epoch 1", "RuntimeError: CUDA out of memory. Tried"}), ElementsAre("oom"));
  EXPECT_TRUE(any_told);
  EXPECT_EQ(last[0].match.action, LogAction::kCancelRetries);
  EXPECT_EQ(last[0].match.line, "RuntimeError: CUDA out of memory. Tried");
  EXPECT_THAT(Match({"CUDA out of memory", "uncorrectable ECC error"}),
              ElementsAre("uncorrectable ECC"));
  EXPECT_THAT(Match({"CUDA out of memory", "uncorrectable ECC error"}), IsEmpty());
  EXPECT_THAT(Match({"CUDA out of memory"}, 2), ElementsAre("oom"));
  EXPECT_EQ(loads, 1);
}

TEST_F(LogMatcherTest, WhatTheCoreDidNotHearIsFoundAgain) {
  EXPECT_THAT(Match({"CUDA out of memory"}), ElementsAre("oom"));
  matcher.Forget(last[0]);
  EXPECT_THAT(Match({"CUDA out of memory"}), ElementsAre("oom"));
}

TEST_F(LogMatcherTest, LinesOfTheConfigurationAndAnyBytesDoNoHarm) {
  EXPECT_THAT(Match({R"({"log_policies": ["CUDA out of memory"]})"}), IsEmpty());
  EXPECT_THAT(Match({std::string("\xff\x00 CUDA out of memory \x80", 24)}), ElementsAre("oom"));
}

}  // namespace
}  // namespace det::ingest
