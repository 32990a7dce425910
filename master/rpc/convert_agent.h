#pragma once

#include "absl/status/statusor.h"
#include "det/agent/v1/agent.pb.h"

#include "master/core/command.h"
#include "master/core/desired.h"
#include "master/ingest/batch_writer.h"

// Messages of agents as core values and back. Nothing that comes in is trusted.
namespace det::rpc {

absl::StatusOr<core::ConnectAgent> FromProto(const agent::v1::Hello& hello);
absl::StatusOr<core::ReportStatus> FromProto(const AgentId& agent, const agent::v1::Status& status);
absl::StatusOr<ingest::Shipment> FromProto(const AgentId& agent, agent::v1::ShipRequest request);

agent::v1::DesiredSet ToProto(const core::DesiredSet& desired, int64_t epoch);

}  // namespace det::rpc
