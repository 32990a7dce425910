#pragma once

#include "absl/status/statusor.h"
#include "det/agent/v1/agent.pb.h"

#include "master/config/secret_store.h"
#include "master/core/command.h"
#include "master/core/desired.h"
#include "master/ingest/batch_writer.h"

// Messages of agents as core values and back. Nothing that comes in is trusted.
namespace det::rpc {

absl::StatusOr<core::ConnectAgent> FromProto(const agent::v1::Hello& hello);
absl::StatusOr<core::ReportStatus> FromProto(const AgentId& agent, const agent::v1::Status& status);
absl::StatusOr<ingest::Shipment> FromProto(const AgentId& agent, agent::v1::ShipRequest request);

// The keys that orders need are looked up in `secrets` as their experiments' owners: what comes out
// is for agents alone.
agent::v1::DesiredSet ToProto(const core::DesiredSet& desired,
                              int64_t epoch,
                              const config::SecretStore& secrets);

}  // namespace det::rpc
