#pragma once

#include "det/agent/v1/agent.pb.h"

#include "agent/core/agent_core.h"

// The protocol's messages as the agent's core knows them.
namespace det::agent {

DesiredSet FromProto(const v1::DesiredSet& desired);
Phase FromProto(v1::AllocationState state);
v1::AllocationState ToProto(Phase phase);
v1::Status ToProto(const SendStatus& status);

}  // namespace det::agent
