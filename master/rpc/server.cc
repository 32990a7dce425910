#include "master/rpc/server.h"

#include <chrono>
#include <vector>

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/service_type.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "master/rpc/services.h"

namespace det::rpc {
namespace {

constexpr int kMessageBytesMax = 16 << 20;
constexpr int kStreamsPerConnectionMax = 100;
constexpr int kMetadataBytesMax = 16 << 10;

// A peer that is silent for 10 s is asked, and given up after 5 s more; peers may ask as often.
void SetKeepalive(grpc::ServerBuilder& builder) {
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 10000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
}

}  // namespace

struct Server::Parts {
  std::vector<std::unique_ptr<grpc::Service>> services;
  std::unique_ptr<grpc::Server> server;
  int port = 0;
};

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const Deps& deps, const Options& options) {
  auto parts = std::make_unique<Parts>();
  for (auto make : {MakeExperimentService,
                    MakeTrialService,
                    MakeLogService,
                    MakeCheckpointService,
                    MakeClusterService,
                    MakeContextService,
                    MakeCatalogService,
                    MakeAgentControlService,
                    MakeAgentDataService}) {
    parts->services.push_back(make(deps));
  }
  grpc::ServerBuilder builder;
  const std::string address = StrCat(options.host, ":", options.port);
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &parts->port);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kStreamsPerConnectionMax);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMetadataBytesMax);
  SetKeepalive(builder);
  builder.SetMaxReceiveMessageSize(kMessageBytesMax);
  for (const auto& service : parts->services) builder.RegisterService(service.get());
  parts->server = builder.BuildAndStart();
  if (parts->server == nullptr || parts->port == 0) {
    return Error(absl::StatusCode::kAlreadyExists,
                 "PORT_IN_USE",
                 StrCat(address, " can't be listened on: the port is in use or not allowed"),
                 "choose another port, or 0 for a free one");
  }
  return std::unique_ptr<Server>(new Server(std::move(parts)));
}

Server::~Server() {
  parts_->server->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(500));
}

int Server::port() const {
  return parts_->port;
}

}  // namespace det::rpc
