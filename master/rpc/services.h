#pragma once

#include <memory>

#include "master/rpc/deps.h"

namespace grpc {
class Service;
}

// The gRPC services, one a file. A handler authenticates, converts, and posts a command or reads
// the store; decisions are the core's.
namespace det::rpc {

std::unique_ptr<grpc::Service> MakeExperimentService(const Deps& deps);
std::unique_ptr<grpc::Service> MakeTrialService(const Deps& deps);
std::unique_ptr<grpc::Service> MakeLogService(const Deps& deps);
std::unique_ptr<grpc::Service> MakeCheckpointService(const Deps& deps);
std::unique_ptr<grpc::Service> MakeClusterService(const Deps& deps);
std::unique_ptr<grpc::Service> MakeContextService(const Deps& deps);
std::unique_ptr<grpc::Service> MakeCatalogService(const Deps& deps);
std::unique_ptr<grpc::Service> MakeAgentControlService(const Deps& deps);
std::unique_ptr<grpc::Service> MakeAgentDataService(const Deps& deps);

}  // namespace det::rpc
