#include "master/config/master_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/fs.h"

namespace det::config {
namespace {

using testing::HasSubstr;

absl::StatusOr<MasterConfig> Load(const std::string& yaml) {
  const std::string path = StrCat(testing::TempDir(), "/master.yaml");
  EXPECT_TRUE(AtomicWriteFile(path, yaml, 0644).ok());
  return LoadMasterConfig(path, "/data");
}

std::string Fault(const std::string& yaml) {
  return std::string(FromAbsl(Load(yaml).status().message()));
}

TEST(MasterConfig, PoolsAreAsDeterminedWritesThem) {
  const auto config = Load(R"(
resource_pools:
  - pool_name: fair
    description: for all
    max_aux_containers_per_agent: 7
    scheduler: {type: fair_share}
  - {pool_name: plain}
  - {pool_name: line, scheduler: {type: fifo, fitting_policy: best}}
resource_manager:
  scheduler: {type: priority, preemption: true, fitting_policy: worst, default_priority: 50}
quotas:
  users: {ann: {slots: 8}}
  workspaces: {Vision: {slots: 32}}
)");
  ASSERT_TRUE(config.ok()) << config.status();
  const scheduler::Rules& rules = config->rules;
  EXPECT_EQ(rules.ForPool("any").policy, scheduler::Policy::kPriority);
  EXPECT_TRUE(rules.ForPool("any").preemption);
  EXPECT_EQ(rules.ForPool("plain"), rules.defaults);
  EXPECT_EQ(rules.ForPool("fair").policy, scheduler::Policy::kFairShare);
  EXPECT_TRUE(rules.ForPool("fair").preemption) << "what a pool does not say is as for all";
  EXPECT_EQ(rules.ForPool("fair").fitting, scheduler::Fitting::kWorst);
  EXPECT_EQ(rules.ForPool("fair").aux_per_agent_max, 7);
  EXPECT_EQ(rules.ForPool("line").policy, scheduler::Policy::kFifo);
  EXPECT_EQ(config->default_priority, 50);
  EXPECT_EQ(config->pool_priorities.at("fair"), 50);
  EXPECT_EQ(rules.user_slots.at("ann"), 8);
  EXPECT_EQ(rules.workspace_slots.at("Vision"), 32);
}

TEST(MasterConfig, WhatCannotBeIsToldByName) {
  EXPECT_THAT(Fault("resource_manager: {scheduler: {type: round_robin}}"),
              testing::AllOf(HasSubstr("round_robin"), HasSubstr("fair_share")));
  EXPECT_THAT(Fault("resource_manager: {scheduler: {type: lottery}}"), HasSubstr("fair_share"));
  EXPECT_THAT(Fault("resource_manager: {scheduler: {type: fifo, preemption: true}}"),
              HasSubstr("run to its end"));
  EXPECT_THAT(Fault("resource_manager: {type: kubernetes}"), HasSubstr("agent"));
  EXPECT_THAT(Fault("resource_pools: {pool_name: a}"), HasSubstr("list of pools"));
  EXPECT_THAT(Fault("resource_pools: [{description: a}]"), HasSubstr("pool_name"));
  EXPECT_THAT(Fault("resource_pools: [{pool_name: a}, {pool_name: a}]"), HasSubstr("twice"));
  EXPECT_THAT(Fault("quotas: {users: {ann: {slots: -1}}}"), HasSubstr("slots"));
  EXPECT_THAT(Fault("quotas: {users: {ann: {}}}"), HasSubstr("slots"));
  EXPECT_THAT(Fault("quotas: {teams: {}}"), HasSubstr("teams"));
}

}  // namespace
}  // namespace det::config
