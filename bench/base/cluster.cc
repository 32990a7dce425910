#include "bench/base/cluster.h"

#include <chrono>

#include "det/api/v1/experiment.grpc.pb.h"

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/json/json.h"
#include "common/net/grpc_status.h"
#include "common/os/fs.h"
#include "common/os/pause.h"
#include "common/os/process.h"
#include "common/pg/private_server.h"
#include "common/testing/eventually.h"

namespace det::bench {
namespace {

namespace api = ::det::api::v1;

constexpr absl::Duration kServePatience = absl::Seconds(120);
constexpr absl::Duration kServePoll = absl::Milliseconds(1);
constexpr std::chrono::seconds kAwaitPatience(120);
constexpr size_t kSmallFileBytesMax = 1 << 20;

}  // namespace

absl::Status Await(const std::string& what, const std::function<bool()>& holds) {
  if (Eventually(holds, kAwaitPatience)) return absl::OkStatus();
  return Error(
      absl::StatusCode::kUnavailable, "BENCH_TIMEOUT", StrCat(what, " did not come about"));
}

Cluster::Cluster(const Settings& settings) : settings_(settings) {}

Cluster::~Cluster() {
  agents_.clear();
  master_.reset();
}

absl::StatusOr<std::unique_ptr<Cluster>> Cluster::Start(const Settings& settings) {
  auto cluster = std::make_unique<Cluster>(settings);
  DET_RETURN_IF_ERROR(cluster->StartMaster());
  return cluster;
}

absl::StatusOr<absl::Duration> Cluster::StartMaster() {
  DET_RETURN_IF_ERROR(AtomicWriteFileUnsynced(dir_ / "master.yaml",
                                              StrCat("data_dir: ",
                                                     data_dir(),
                                                     "\nlisten: {grpc_port: 0, http_port: 0}\n"
                                                     "log: {file: ",
                                                     dir_ / "master.log",
                                                     "}\n"),
                                              0600));
  const absl::Duration begun = SteadyNow();
  DET_ASSIGN_OR_RETURN(
      Program program,
      Program::Start({.argv = {settings_.bin + "/det-master", "--config", dir_ / "master.yaml"}}));
  master_.emplace(std::move(program));
  // The master removes what an earlier one announced before anything else.
  while (SteadyNow() - begun < kServePatience) {
    const absl::StatusOr<std::string> ready =
        ReadFile(data_dir() + "/master.json", kSmallFileBytesMax);
    const absl::StatusOr<Value> value = ParseJson(ready.value_or(""));
    if (value.ok() && value->Find("pid")->as_int() == master_->pid()) {
      const absl::Duration took = SteadyNow() - begun;
      grpc_port_ = static_cast<int>(value->Find("grpc_port")->as_int());
      DET_ASSIGN_OR_RETURN(admin_, Token("admin"));
      channel_ = Channel();
      return took;
    }
    PauseFor(kServePoll);
  }
  return Error(absl::StatusCode::kUnavailable,
               "MASTER_SILENT",
               StrCat("det-master does not serve: ",
                      ReadFile(dir_ / "master.log", kSmallFileBytesMax).value_or("no log")));
}

void Cluster::StopMaster(bool kill) {
  if (kill) master_->Kill();
  master_.reset();
}

absl::StatusOr<pid_t> Cluster::StartAgent(const std::string& name, int slots) {
  const std::string config = dir_ / (name + ".yaml");
  DET_RETURN_IF_ERROR(AtomicWriteFileUnsynced(config,
                                              StrCat("data_dir: ",
                                                     dir_ / name,
                                                     "\nmaster: ",
                                                     target(),
                                                     "\njoin_token_file: ",
                                                     data_dir(),
                                                     "/tokens/agent\nagent_id: ",
                                                     name,
                                                     "\nartificial_slots: ",
                                                     slots,
                                                     "\nlog: {file: ",
                                                     dir_ / (name + ".log"),
                                                     "}\n"),
                                              0600));
  DET_ASSIGN_OR_RETURN(
      Program program,
      Program::Start({.argv = {settings_.bin + "/det-agent", "--config", config}}));
  agents_.push_back(std::move(program));
  return agents_.back().pid();
}

std::string Cluster::target() const {
  return StrCat("127.0.0.1:", grpc_port_);
}

absl::StatusOr<std::string> Cluster::Conninfo() const {
  return pg::PrivateServer::ConninfoOf(data_dir() + "/postgres");
}

absl::StatusOr<std::string> Cluster::Token(const std::string& name) const {
  DET_ASSIGN_OR_RETURN(std::string token, ReadFile(StrCat(data_dir(), "/tokens/", name), 4096));
  token.erase(token.find_last_not_of('\n') + 1);
  return token;
}

std::shared_ptr<grpc::Channel> Cluster::Channel() const {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return grpc::CreateCustomChannel(target(), grpc::InsecureChannelCredentials(), arguments);
}

std::unique_ptr<grpc::ClientContext> Cluster::Context() const {
  auto context = std::make_unique<grpc::ClientContext>();
  context->AddMetadata("authorization", StrCat("Bearer ", admin_));
  return context;
}

std::vector<std::string> Cluster::CliEnvironment() const {
  return {StrCat("DET_MASTER=", target()), StrCat("DET_TOKEN=", admin_)};
}

absl::StatusOr<int64_t> Cluster::CreateExperiment(const std::string& config) const {
  api::CreateExperimentRequest request;
  request.set_config(config);
  request.set_config_name("bench.yaml");
  api::CreateExperimentResponse response;
  DET_RETURN_IF_ERROR(net::FromGrpc(api::ExperimentService::NewStub(channel_)->CreateExperiment(
      Context().get(), request, &response)));
  return response.experiment().id();
}

}  // namespace det::bench
