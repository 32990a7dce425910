// Many agents at one master.
#include "bench/base/cluster.h"
#include "bench/base/open_loop.h"
#include "bench/base/stats.h"
#include "bench/rows/rows.h"
#include "det/api/v1/cluster.grpc.pb.h"
#include "det/api/v1/experiment.grpc.pb.h"

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/net/grpc_status.h"
#include "common/os/pause.h"
#include "common/os/process.h"

namespace det::bench {
namespace {

namespace api = ::det::api::v1;

constexpr double kBytesGoalKiB = 64;
constexpr double kLatencyGoal = 2;
constexpr int kClients = 2;  // processes, for one has no more than 20,000 descriptors here
constexpr absl::Duration kConnectPatience = absl::Minutes(5);
constexpr absl::Duration kSettle = absl::Seconds(6);  // more than one heartbeat of each

absl::StatusOr<int64_t> ConnectedAgents(const Cluster& cluster) {
  api::GetClusterResponse response;
  DET_RETURN_IF_ERROR(net::FromGrpc(api::ClusterService::NewStub(cluster.Channel())
                                        ->GetCluster(cluster.Context().get(), {}, &response)));
  return response.agents();
}

struct Client {
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<api::ClusterService::Stub> clusters;
  std::unique_ptr<api::ExperimentService::Stub> experiments;
};

// What costs the same whatever the number of agents: the cluster's summary, ten agents, a page of
// experiments.
absl::Status Ask(const Cluster& cluster, const Client& client, int64_t number) {
  const auto context = cluster.Context();
  if (number % 3 == 0) {
    api::GetClusterResponse response;
    return net::FromGrpc(client.clusters->GetCluster(context.get(), {}, &response));
  }
  if (number % 3 == 1) {
    api::ListAgentsRequest request;
    request.set_limit(10);
    api::ListAgentsResponse response;
    return net::FromGrpc(client.clusters->ListAgents(context.get(), request, &response));
  }
  api::ListExperimentsRequest request;
  request.set_limit(50);
  api::ListExperimentsResponse response;
  return net::FromGrpc(client.experiments->ListExperiments(context.get(), request, &response));
}

absl::StatusOr<double> ApiP99Ms(const Cluster& cluster, const Settings& settings) {
  const OpenLoop load{.duration = settings.Size(absl::Seconds(20), absl::Milliseconds(200))};
  std::vector<Client> clients(static_cast<size_t>(load.connections));
  for (Client& client : clients) {
    client.channel = cluster.Channel();
    client.clusters = api::ClusterService::NewStub(client.channel);
    client.experiments = api::ExperimentService::NewStub(client.channel);
    DET_RETURN_IF_ERROR(Ask(cluster, client, 0));  // connects
  }
  LatencyHistogram latencies;
  DET_RETURN_IF_ERROR(RunOpenLoop(load, [&](int connection, int64_t number, absl::Duration due) {
    const absl::Status status = Ask(cluster, clients[static_cast<size_t>(connection)], number);
    latencies.Add(SteadyNow() - due);
    return status;
  }));
  return latencies.PercentileMs(0.99);
}

absl::StatusOr<Program> StartClient(const Cluster& cluster,
                                    const Settings& settings,
                                    const std::string& prefix,
                                    int count) {
  DET_ASSIGN_OR_RETURN(const std::string token, cluster.Token("agent"));
  return Program::Start({.argv = {settings.bin + "/det-bench-client",
                                  "--master",
                                  cluster.target(),
                                  "--prefix",
                                  prefix,
                                  "--count",
                                  std::to_string(count)},
                         .env = {"DET_TOKEN=" + token},
                         .output = true});
}

}  // namespace

absl::Status AwaitAgents(const Cluster& cluster, int64_t count) {
  return Await(StrCat(count, " connected agents"), [&] {
    const absl::StatusOr<int64_t> connected = ConnectedAgents(cluster);
    return connected.ok() && *connected >= count;
  });
}

Rows AgentsTenThousand(const Settings& settings) {
  constexpr int kFew = 10;
  const int many = settings.Size(10000, 40);
  DET_ASSIGN_OR_RETURN(const auto cluster, Cluster::Start(settings));
  std::vector<Program> clients;
  DET_ASSIGN_OR_RETURN(Program first, StartClient(*cluster, settings, "few", kFew));
  clients.push_back(std::move(first));
  DET_RETURN_IF_ERROR(clients[0].ReadLine(kConnectPatience));
  DET_ASSIGN_OR_RETURN(const double few_ms, ApiP99Ms(*cluster, settings));
  const double few_mib = RssMiB(cluster->master_pid());

  const absl::Duration begun = SteadyNow();
  for (int i = 0; i < kClients; ++i) {
    DET_ASSIGN_OR_RETURN(
        Program client,
        StartClient(*cluster, settings, StrCat("many-", i), (many - kFew) / kClients));
    clients.push_back(std::move(client));
  }
  for (int i = 1; i <= kClients; ++i)
    DET_RETURN_IF_ERROR(clients[static_cast<size_t>(i)].ReadLine(kConnectPatience));
  const absl::Duration connecting = SteadyNow() - begun;
  DET_RETURN_IF_ERROR(AwaitAgents(*cluster, many));
  PauseFor(settings.Size(kSettle, absl::Milliseconds(10)));
  const absl::Duration cpu = CpuTime(cluster->master_pid());
  const absl::Duration measuring = SteadyNow();
  DET_ASSIGN_OR_RETURN(const double many_ms, ApiP99Ms(*cluster, settings));
  const double cores = absl::ToDoubleSeconds(CpuTime(cluster->master_pid()) - cpu) /
                       absl::ToDoubleSeconds(SteadyNow() - measuring);
  const double many_mib = RssMiB(cluster->master_pid());
  return std::vector<Row>{{.name = "agents_10k.memory",
                           .value = (many_mib - few_mib) * 1024 / (many - kFew),
                           .unit = "KiB",
                           .goal = {Goal::Kind::kAtMost, kBytesGoalKiB},
                           .note = StrCat("of det-master a connected agent, from ",
                                          kFew,
                                          " to ",
                                          many,
                                          "; all connected after ",
                                          absl::ToDoubleSeconds(connecting),
                                          " s")},
                          {.name = "agents_10k.api_p99",
                           .value = many_ms,
                           .unit = "ms",
                           .floor = few_ms,
                           .goal = {Goal::Kind::kRatioAtMost, kLatencyGoal},
                           .note = StrCat("100 requests/s over 25 connections with ",
                                          many,
                                          " agents against ",
                                          kFew,
                                          "; the master takes ",
                                          cores,
                                          " cores meanwhile")}};
}

}  // namespace det::bench
