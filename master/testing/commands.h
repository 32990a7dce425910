#pragma once

#include <memory>
#include <string>

#include "master/core/command.h"
#include "master/spec/experiment_spec.h"

// Commands as users, agents and the master give them, short enough for tests.
namespace det::test {

// Of JSON; entrypoint, metric ("loss") and one hyperparameter are filled in when they are absent.
std::shared_ptr<const spec::ExperimentSpec> MakeSpec(std::string_view json);

core::Command AsUser(core::CommandBody body, std::string name = "ann");
core::Command AsAgent(const AgentId& agent, core::CommandBody body);

// One trial, after a random search, unless the configuration says otherwise.
core::Command Submit(std::string_view json = R"({"searcher":{"name":"random","max_trials":1}})");
core::Command Connect(const AgentId& agent, int slots);
core::Command Running(const AgentId& agent, AllocationId allocation);
core::Command Exited(const AgentId& agent, AllocationId allocation, int64_t code = 0);
core::Command Validated(const AgentId& agent, core::ReportId report, Value loss);

}  // namespace det::test
