#include <future>
#include <utility>

#include "det/api/v1/checkpoint.grpc.pb.h"
#include "det/api/v1/cluster.grpc.pb.h"
#include "det/api/v1/context.grpc.pb.h"
#include "det/api/v1/experiment.grpc.pb.h"
#include "det/api/v1/log.grpc.pb.h"
#include "det/api/v1/trial.grpc.pb.h"
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include "cli/base/cause.h"
#include "cli/client/client.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/net/message_text.h"

namespace det::cli {
namespace {

// Longer than the five minutes below which a gRPC server takes pings for abuse.
constexpr int kKeepaliveMs = 310'000;
constexpr int kMessageBytesMax = 64 << 20;
constexpr int kReconnectMinMs = 100;
constexpr int kReconnectMaxMs = 1000;
constexpr int kConnectMs = 20'000;  // gRPC's own: for how long an attempt may take

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address) {
  grpc::ChannelArguments arguments;
  // A proxy for the web would only be in the way to a cluster.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // A stream whose master has vanished without a word ends after this time.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
  // Whoever follows something waits for a master that restarts; gRPC itself would wait for minutes.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMinMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMaxMs);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

absl::StatusCode Code(const grpc::Status& status) {
  return static_cast<absl::StatusCode>(status.error_code());
}

absl::Status Annotated(const grpc::Status& status,
                       std::string_view message,
                       std::string_view hint) {
  return WithCause(Error(Code(status), "", message, hint), status.error_message());
}

// "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:8090: Failed to connect
// to remote host: Connection refused": the end of it is what people know.
std::string_view WhyUnreachable(std::string_view message) {
  constexpr std::string_view kLast = "Failed to connect to remote host: ";
  const size_t at = message.rfind(kLast);
  return at == std::string_view::npos ? message : message.substr(at + kLast.size());
}

std::string TokenHint(const Connection& connection) {
  if (connection.token.empty()) return "none was sent: see --token-file and DET_TOKEN";
  return StrCat("the one sent came from ", connection.token_source);
}

// An error that the master's own code did not make.
absl::Status TransportError(const Connection& connection,
                            const grpc::Status& status,
                            absl::Duration deadline) {
  const std::string& address = connection.address;
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      return WithCause(Error(Code(status),
                             "UNREACHABLE",
                             StrCat("cannot reach the master at ", address),
                             StrCat("det up starts a cluster on this machine; --master or "
                                    "DET_MASTER names another (this address comes from ",
                                    connection.address_source,
                                    ")")),
                       WhyUnreachable(status.error_message()));
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return Error(
          Code(status),
          "DEADLINE_EXCEEDED",
          StrCat(
              "the master at ", address, " did not answer within ", absl::FormatDuration(deadline)),
          "--timeout gives it longer");
    case grpc::StatusCode::UNIMPLEMENTED:
      return Annotated(status,
                       StrCat("the master at ", address, " does not know this call"),
                       "it may be older than this command: see det status and det version");
    case grpc::StatusCode::UNAUTHENTICATED:
      return Annotated(
          status, StrCat("the master at ", address, " wants a token"), TokenHint(connection));
    default:
      return Error(Code(status), "", status.error_message());
  }
}

// Turns what gRPC says about a call into an error for people.
absl::Status Convert(const Connection& connection,
                     const grpc::Status& status,
                     absl::Duration deadline) {
  if (status.ok()) return absl::OkStatus();
  api::ErrorDetail detail;
  // Details of another shape are no reason to lose the error itself.
  if (!detail.ParseFromString(status.error_details())) detail.Clear();
  if (detail.reason().empty()) return TransportError(connection, status, deadline);
  return Error(Code(status), detail.reason(), status.error_message(), detail.hint());
}

struct Shared {
  Connection connection;
  ClientOptions options;

  void Authorize(grpc::ClientContext* context) const {
    if (connection.token.empty()) return;
    context->AddMetadata("authorization", StrCat("Bearer ", connection.token.Reveal()));
  }
};

template <class Message>
class GrpcStream : public Stream<Message> {
 public:
  template <class Open>
  GrpcStream(const Shared& shared, Open open) : shared_(shared) {
    shared_.Authorize(&context_);
    reader_ = open(&context_);
  }

  bool Read(Message* message) override { return reader_->Read(message); }
  absl::Status Finish() override {
    return Convert(shared_.connection, reader_->Finish(), absl::ZeroDuration());
  }
  void Cancel() override { context_.TryCancel(); }

 private:
  const Shared& shared_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<Message>> reader_;
};

class GrpcUpload : public Upload {
 public:
  GrpcUpload(const Shared& shared, api::ContextService::Stub* stub, std::string sha256)
      : shared_(shared), sha256_(std::move(sha256)) {
    shared_.Authorize(&context_);
    writer_ = stub->UploadContext(&context_, &response_);
  }

  bool Write(std::string_view bytes) override {
    api::UploadContextRequest request;
    request.set_sha256(std::exchange(sha256_, {}));
    request.set_data(std::string(bytes));
    return writer_->Write(request);
  }
  absl::StatusOr<api::UploadContextResponse> Finish() override {
    writer_->WritesDone();
    DET_RETURN_IF_ERROR(Convert(shared_.connection, writer_->Finish(), absl::ZeroDuration()));
    return response_;
  }

 private:
  const Shared& shared_;
  std::string sha256_;
  grpc::ClientContext context_;
  api::UploadContextResponse response_;
  std::unique_ptr<grpc::ClientWriter<api::UploadContextRequest>> writer_;
};

class GrpcClient : public Client {
 public:
  GrpcClient(Connection connection, ClientOptions options)
      : shared_{std::move(connection), std::move(options)},
        channel_(MakeChannel(shared_.connection.address)),
        experiments_(api::ExperimentService::NewStub(channel_)),
        trials_(api::TrialService::NewStub(channel_)),
        logs_(api::LogService::NewStub(channel_)),
        checkpoints_(api::CheckpointService::NewStub(channel_)),
        contexts_(api::ContextService::NewStub(channel_)),
        cluster_(api::ClusterService::NewStub(channel_)) {}

  absl::StatusOr<api::CreateExperimentResponse> CreateExperiment(
      const api::CreateExperimentRequest& request) override {
    return Call("CreateExperiment", *experiments_, &Experiments::CreateExperiment, request);
  }
  absl::StatusOr<api::GetExperimentResponse> GetExperimentConfig(
      const api::GetExperimentRequest& request) override {
    return Call("GetExperiment", *experiments_, &Experiments::GetExperiment, request);
  }
  absl::StatusOr<api::GetExperimentResponse> GetExperiment(int64_t id) override {
    return Call("GetExperiment",
                *experiments_,
                &Experiments::GetExperiment,
                Id<api::GetExperimentRequest>(id));
  }
  absl::StatusOr<api::ListExperimentsResponse> ListExperiments(
      const api::ListExperimentsRequest& request) override {
    return Call("ListExperiments", *experiments_, &Experiments::ListExperiments, request);
  }
  absl::StatusOr<api::ExperimentResponse> PauseExperiment(int64_t id) override {
    return Act("PauseExperiment", &Experiments::PauseExperiment, id);
  }
  absl::StatusOr<api::ExperimentResponse> ActivateExperiment(int64_t id) override {
    return Act("ActivateExperiment", &Experiments::ActivateExperiment, id);
  }
  absl::StatusOr<api::ExperimentResponse> CancelExperiment(int64_t id) override {
    return Act("CancelExperiment", &Experiments::CancelExperiment, id);
  }
  absl::StatusOr<api::ExperimentResponse> KillExperiment(int64_t id) override {
    return Act("KillExperiment", &Experiments::KillExperiment, id);
  }
  absl::StatusOr<api::ExperimentResponse> DeleteExperiment(int64_t id) override {
    return Act("DeleteExperiment", &Experiments::DeleteExperiment, id);
  }
  absl::StatusOr<api::ExperimentResponse> ConfigureExperiment(
      const api::ConfigureExperimentRequest& request) override {
    return Call("ConfigureExperiment", *experiments_, &Experiments::ConfigureExperiment, request);
  }
  absl::StatusOr<api::ExperimentResponse> ContinueExperiment(
      const api::ContinueExperimentRequest& request) override {
    return Call("ContinueExperiment", *experiments_, &Experiments::ContinueExperiment, request);
  }
  std::unique_ptr<Stream<api::WatchExperimentResponse>> WatchExperiment(int64_t id) override {
    const auto request = Id<api::WatchExperimentRequest>(id);
    return std::make_unique<GrpcStream<api::WatchExperimentResponse>>(
        shared_, [&](grpc::ClientContext* context) {
          return experiments_->WatchExperiment(context, request);
        });
  }

  absl::StatusOr<api::GetTrialResponse> GetTrial(int64_t id) override {
    return Call("GetTrial", *trials_, &Trials::GetTrial, Id<api::GetTrialRequest>(id));
  }
  absl::StatusOr<api::KillTrialResponse> KillTrial(int64_t id) override {
    return Call("KillTrial", *trials_, &Trials::KillTrial, Id<api::KillTrialRequest>(id));
  }
  absl::StatusOr<api::ListTrialsResponse> ListTrials(
      const api::ListTrialsRequest& request) override {
    return Call("ListTrials", *trials_, &Trials::ListTrials, request);
  }
  absl::StatusOr<api::GetMetricsResponse> GetMetrics(
      const api::GetMetricsRequest& request) override {
    return Call("GetMetrics", *trials_, &Trials::GetMetrics, request);
  }
  absl::StatusOr<api::GetMetricSummariesResponse> GetMetricSummaries(
      const api::GetMetricSummariesRequest& request) override {
    return Call("GetMetricSummaries", *trials_, &Trials::GetMetricSummaries, request);
  }
  absl::StatusOr<api::GetMetricSeriesResponse> GetMetricSeries(
      const api::GetMetricSeriesRequest& request) override {
    return Call("GetMetricSeries", *trials_, &Trials::GetMetricSeries, request);
  }
  absl::StatusOr<api::SearchLogsResponse> SearchLogs(
      const api::SearchLogsRequest& request) override {
    return Call("SearchLogs", *logs_, &Logs::SearchLogs, request);
  }
  std::unique_ptr<Stream<api::LogBatch>> TailLogs(const api::TailLogsRequest& request) override {
    return std::make_unique<GrpcStream<api::LogBatch>>(
        shared_, [&](grpc::ClientContext* context) { return logs_->TailLogs(context, request); });
  }

  absl::StatusOr<api::ListCheckpointsResponse> ListCheckpoints(
      const api::ListCheckpointsRequest& request) override {
    return Call("ListCheckpoints", *checkpoints_, &Checkpoints::ListCheckpoints, request);
  }
  absl::StatusOr<api::GetCheckpointResponse> GetCheckpoint(const std::string& uuid) override {
    api::GetCheckpointRequest request;
    request.set_uuid(uuid);
    return Call("GetCheckpoint", *checkpoints_, &Checkpoints::GetCheckpoint, request);
  }
  absl::StatusOr<api::DeleteCheckpointsResponse> DeleteCheckpoints(
      const api::DeleteCheckpointsRequest& request) override {
    return Call("DeleteCheckpoints", *checkpoints_, &Checkpoints::DeleteCheckpoints, request);
  }
  absl::StatusOr<api::ListDeletionsResponse> ListDeletions(
      const api::ListDeletionsRequest& request) override {
    return Call("ListDeletions", *checkpoints_, &Checkpoints::ListDeletions, request);
  }
  absl::StatusOr<api::SetRetentionResponse> SetRetention(
      const api::SetRetentionRequest& request) override {
    return Call("SetRetention", *checkpoints_, &Checkpoints::SetRetention, request);
  }

  absl::StatusOr<bool> HasContext(const std::string& sha256) override {
    api::HasContextRequest request;
    request.set_sha256(sha256);
    DET_ASSIGN_OR_RETURN(const api::HasContextResponse response,
                         Call("HasContext", *contexts_, &Contexts::HasContext, request));
    return response.present();
  }
  std::unique_ptr<Upload> UploadContext(const std::string& sha256) override {
    return std::make_unique<GrpcUpload>(shared_, contexts_.get(), sha256);
  }

  absl::StatusOr<api::GetClusterResponse> GetCluster() override {
    return Call("GetCluster", *cluster_, &Cluster::GetCluster, api::GetClusterRequest());
  }
  absl::StatusOr<api::GetHealthResponse> GetHealth(const api::GetHealthRequest& request) override {
    return Call("GetHealth", *cluster_, &Cluster::GetHealth, request);
  }
  absl::StatusOr<api::ListAgentsResponse> ListAgents(
      const api::ListAgentsRequest& request) override {
    return Call("ListAgents", *cluster_, &Cluster::ListAgents, request);
  }
  absl::StatusOr<api::DisableAgentResponse> DisableAgent(
      const api::DisableAgentRequest& request) override {
    return Call("DisableAgent", *cluster_, &Cluster::DisableAgent, request);
  }
  absl::StatusOr<api::EnableAgentResponse> EnableAgent(
      const api::EnableAgentRequest& request) override {
    return Call("EnableAgent", *cluster_, &Cluster::EnableAgent, request);
  }
  absl::StatusOr<api::ListJobsResponse> ListJobs(const api::ListJobsRequest& request) override {
    return Call("ListJobs", *cluster_, &Cluster::ListJobs, request);
  }
  absl::StatusOr<api::ExplainResponse> Explain(const api::ExplainRequest& request) override {
    return Call("Explain", *cluster_, &Cluster::Explain, request);
  }
  absl::StatusOr<api::PlanExperimentResponse> PlanExperiment(
      const api::PlanExperimentRequest& request) override {
    return Call("PlanExperiment", *cluster_, &Cluster::PlanExperiment, request);
  }
  absl::StatusOr<api::PreviewSearchResponse> PreviewSearch(
      const api::PreviewSearchRequest& request) override {
    return Call("PreviewSearch", *cluster_, &Cluster::PreviewSearch, request);
  }
  absl::StatusOr<api::ExplainConfigResponse> ExplainConfig(
      const api::ExplainConfigRequest& request) override {
    return Call("ExplainConfig", *cluster_, &Cluster::ExplainConfig, request);
  }

  std::unique_ptr<Stream<api::DownloadContextResponse>> DownloadContext(
      int64_t experiment) override {
    api::DownloadContextRequest request;
    request.set_experiment(experiment);
    return std::make_unique<GrpcStream<api::DownloadContextResponse>>(
        shared_,
        [&](grpc::ClientContext* context) { return contexts_->DownloadContext(context, request); });
  }

  absl::Status Invoke(const std::string& call,
                      const google::protobuf::Message& request,
                      google::protobuf::Message* response) override {
    using google::protobuf::MessageLite;
    const std::unique_ptr<google::protobuf::Message> sent(request.New());
    sent->CopyFrom(request);
    net::MakeStringsUtf8(sent.get());
    const MessageLite* const out = sent.get();
    MessageLite* const in = response;
    grpc::TemplatedGenericStub<MessageLite, MessageLite> stub(channel_);
    return Timed(call.substr(call.find('/') + 1), [&](grpc::ClientContext* context) {
      std::promise<grpc::Status> done;
      stub.UnaryCall(
          context, StrCat("/det.api.v1.", call), {}, out, in, [&done](grpc::Status status) {
            done.set_value(std::move(status));
          });
      return done.get_future().get();
    });
  }

  const Connection& connection() const override { return shared_.connection; }

 private:
  using Experiments = api::ExperimentService::Stub;
  using Trials = api::TrialService::Stub;
  using Logs = api::LogService::Stub;
  using Checkpoints = api::CheckpointService::Stub;
  using Contexts = api::ContextService::Stub;
  using Cluster = api::ClusterService::Stub;
  template <class Stub, class Request, class Response>
  using Method = grpc::Status (Stub::*)(grpc::ClientContext*, const Request&, Response*);

  template <class Request>
  static Request Id(int64_t id) {
    Request request;
    request.set_id(id);
    return request;
  }

  template <class Stub, class Request, class Response>
  absl::StatusOr<Response> Call(std::string_view name,
                                Stub& stub,
                                Method<Stub, Request, Response> method,
                                Request request) {
    net::MakeStringsUtf8(&request);
    Response response;
    DET_RETURN_IF_ERROR(Timed(name, [&](grpc::ClientContext* context) {
      return (stub.*method)(context, request, &response);
    }));
    return response;
  }

  // A call within the deadline, of which the observer is told.
  absl::Status Timed(std::string_view name,
                     const std::function<grpc::Status(grpc::ClientContext*)>& call) {
    grpc::ClientContext context;
    shared_.Authorize(&context);
    const absl::Time start = absl::Now();
    const absl::Duration deadline = shared_.options.deadline;
    context.set_deadline(absl::ToChronoTime(start + deadline));
    absl::Status status = Convert(shared_.connection, call(&context), deadline);
    if (shared_.options.observer) shared_.options.observer(name, absl::Now() - start, status);
    return status;
  }

  absl::StatusOr<api::ExperimentResponse> Act(
      std::string_view name,
      Method<Experiments, api::ExperimentRequest, api::ExperimentResponse> method,
      int64_t id) {
    return Call(name, *experiments_, method, Id<api::ExperimentRequest>(id));
  }

  const Shared shared_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<api::ExperimentService::Stub> experiments_;
  const std::unique_ptr<api::TrialService::Stub> trials_;
  const std::unique_ptr<api::LogService::Stub> logs_;
  const std::unique_ptr<api::CheckpointService::Stub> checkpoints_;
  const std::unique_ptr<api::ContextService::Stub> contexts_;
  const std::unique_ptr<api::ClusterService::Stub> cluster_;
};

}  // namespace

std::unique_ptr<Client> Client::Create(Connection connection, ClientOptions options) {
  return std::make_unique<GrpcClient>(std::move(connection), std::move(options));
}

}  // namespace det::cli
