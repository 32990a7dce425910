#include "agent/config/agent_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/testing.h"

namespace det::agent {
namespace {

using ::testing::HasSubstr;

class AgentConfigTest : public ::testing::Test {
 protected:
  absl::StatusOr<AgentConfig> Load(const std::string& text) {
    EXPECT_TRUE(AtomicWriteFile(path_, text, 0600).ok());
    return LoadAgentConfig(path_);
  }

  testing::TempDir dir_;
  const std::string path_ = dir_ / "agent.yaml";
};

TEST_F(AgentConfigTest, HasDefaults) {
  const auto config = Load("data_dir: /data\njoin_token_file: /token\n");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->data_dir, "/data");
  EXPECT_EQ(config->master, "127.0.0.1:8090");
  EXPECT_EQ(config->pool, "default");
  EXPECT_FALSE(config->agent_id.empty());
  EXPECT_EQ(config->slots, 0);
  EXPECT_EQ(config->stop_grace, absl::Seconds(30));
  EXPECT_EQ(config->log_level, LogLevel::kInfo);
}

TEST_F(AgentConfigTest, ReadsEveryKey) {
  const auto config = Load(R"(
data_dir: /data
master: host:1
join_token_file: /token
agent_id: me
pool: p
slots: 3
artificial_slots: 2
stop_grace_seconds: 0
log: {level: error, file: /log}
)");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->master, "host:1");
  EXPECT_EQ(config->agent_id, "me");
  EXPECT_EQ(config->pool, "p");
  EXPECT_EQ(config->slots, 3);
  EXPECT_EQ(config->artificial_slots, 2);
  EXPECT_EQ(config->stop_grace, absl::ZeroDuration());
  EXPECT_EQ(config->log_level, LogLevel::kError);
  EXPECT_EQ(config->log_file, "/log");
}

TEST_F(AgentConfigTest, NamesEveryMistakeAndItsPlace) {
  const auto config = Load(R"(data_dir: relative
slots: -1
artificial_slots: many
stop_grace_seconds: 1e9
colour: red
log:
  level: loud
)");
  ASSERT_TRUE(absl::IsInvalidArgument(config.status()));
  const std::string text(config.status().message());
  for (const std::string& part : {StrCat(path_, ":1"),
                                  std::string("must be absolute"),
                                  StrCat(path_, ":2"),
                                  std::string("slots"),
                                  StrCat(path_, ":3"),
                                  std::string("artificial_slots"),
                                  std::string("stop_grace_seconds"),
                                  StrCat(path_, ":5"),
                                  std::string("colour"),
                                  StrCat(path_, ":7"),
                                  std::string("level"),
                                  std::string("join_token_file")}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

// gRPC would end the process at its first call.
TEST_F(AgentConfigTest, ANameThatFitsInNoHeaderIsRefused) {
  for (const char* id : {"gpu-\xc3\xa9", "gpu 1", "\"gpu\\n1\""}) {
    const auto config = Load(StrCat("data_dir: /d\njoin_token_file: /t\nagent_id: ", id, "\n"));
    EXPECT_THAT(std::string(config.status().message()),
                HasSubstr(StrCat(path_, ":3:11: error: agent_id")));
  }
  EXPECT_TRUE(Load("data_dir: /d\njoin_token_file: /t\nagent_id: GPU-1.site_2\n").ok());
}

TEST_F(AgentConfigTest, WhatIsNoConfiguration) {
  for (const char* text : {"", "[]", "data_dir: [", "just text", "data_dir: {}\n"}) {
    EXPECT_FALSE(Load(text).ok()) << text;
  }
  EXPECT_FALSE(LoadAgentConfig(dir_ / "missing.yaml").ok());
  EXPECT_EQ(ErrorReason(LoadAgentConfig("").status()), "USAGE");
}

}  // namespace
}  // namespace det::agent
