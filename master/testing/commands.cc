#include "master/testing/commands.h"

#include "common/base/check.h"
#include "common/json/json.h"
#include "master/core/authorize.h"
#include "master/spec/parse.h"

namespace det::test {

std::shared_ptr<const spec::ExperimentSpec> MakeSpec(std::string_view json) {
  absl::StatusOr<Value> parsed = ParseJson(json);
  DET_CHECK(parsed.ok(), parsed.status().ToString());
  Value config = *std::move(parsed);
  if (config.Find("entrypoint") == nullptr) config["entrypoint"] = "x";
  if (config.FindPath("searcher.metric") == nullptr) config["searcher"]["metric"] = "loss";
  if (config.Find("hyperparameters") == nullptr) {
    config["hyperparameters"]["x"] =
        Value::Object{{"type", "double"}, {"minval", 0}, {"maxval", 1}};
  }
  Problems problems;
  auto spec = std::make_shared<const spec::ExperimentSpec>(spec::ParseExperiment(
      config, {.name = "test", .seed = 1, .checkpoint_host_path = "/c"}, &problems));
  DET_CHECK(!HasErrors(problems), problems[0].path + ": " + problems[0].message);
  return spec;
}

core::Command AsUser(core::CommandBody body, std::string name) {
  return {core::EditorOf(kFirstWorkspace, std::move(name)), std::move(body)};
}

core::Command AsAgent(const AgentId& agent, core::CommandBody body) {
  return {{core::Role::kAgent, agent.value()}, std::move(body)};
}

core::Command Submit(std::string_view json) {
  return AsUser(core::CreateExperiment{.spec = MakeSpec(json)});
}

core::Command Connect(const AgentId& agent, int slots) {
  core::ConnectAgent connect{
      .id = agent, .pool = "default", .instance = agent.value(), .version = "1"};
  for (int i = 0; i < slots; ++i) connect.slots.push_back({i, "artificial", ""});
  return AsAgent(agent, std::move(connect));
}

core::Command Running(const AgentId& agent, AllocationId allocation) {
  return AsAgent(agent, core::ReportStatus{agent, allocation, core::AllocationState::kRunning, {}});
}

core::Command Exited(const AgentId& agent, AllocationId allocation, int64_t code) {
  return AsAgent(
      agent,
      core::ReportStatus{
          agent, allocation, core::AllocationState::kTerminated, core::Exit{.code = code}});
}

core::Command Validated(const AgentId& agent, core::ReportId report, Value loss) {
  core::ReportValidation validation{
      .agent = agent, .report = report, .steps_completed = report.seq, .metrics = Value()};
  validation.metrics["loss"] = std::move(loss);
  return AsAgent(agent, std::move(validation));
}

}  // namespace det::test
