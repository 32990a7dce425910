#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "det/api/v1/catalog.pb.h"
#include "det/api/v1/checkpoint.pb.h"
#include "det/api/v1/cluster.pb.h"
#include "det/api/v1/context.pb.h"
#include "det/api/v1/experiment.pb.h"
#include "det/api/v1/log.pb.h"
#include "det/api/v1/trial.pb.h"

#include "cli/client/connection.h"

namespace det::cli {

namespace api = ::det::api::v1;

// What a server streams. One thread reads; Cancel may be called from any, and ends a Read that
// waits.
template <class Message>
class Stream {
 public:
  virtual ~Stream() = default;
  // False at the end, or when something went wrong: Finish tells.
  virtual bool Read(Message* message) = 0;
  virtual absl::Status Finish() = 0;
  virtual void Cancel() = 0;
};

// A model directory on its way to the master. Write's false means that Finish has an error.
class Upload {
 public:
  virtual ~Upload() = default;
  virtual bool Write(std::string_view bytes) = 0;
  virtual absl::StatusOr<api::UploadContextResponse> Finish() = 0;
};

struct ClientOptions {
  absl::Duration deadline = absl::Seconds(10);  // of each call that is no stream
  // Told about each call that has ended, for --verbose.
  std::function<void(std::string_view call, absl::Duration took, const absl::Status&)> observer;
};

// The public API as functions. Errors are those of the master, with reason, hint and cause where it
// gives them; UNAVAILABLE and DEADLINE_EXCEEDED name the address. Any thread.
class Client {
 public:
  virtual ~Client() = default;
  // Does not connect yet: that happens with the first call.
  static std::unique_ptr<Client> Create(Connection connection, ClientOptions options);

  virtual absl::StatusOr<api::CreateExperimentResponse> CreateExperiment(
      const api::CreateExperimentRequest& request) = 0;
  virtual absl::StatusOr<api::GetExperimentResponse> GetExperiment(int64_t id) = 0;
  virtual absl::StatusOr<api::GetExperimentResponse> GetExperimentConfig(
      const api::GetExperimentRequest& request) = 0;
  virtual absl::StatusOr<api::ListExperimentsResponse> ListExperiments(
      const api::ListExperimentsRequest& request) = 0;
  virtual absl::StatusOr<api::ExperimentResponse> PauseExperiment(int64_t id) = 0;
  virtual absl::StatusOr<api::ExperimentResponse> ActivateExperiment(int64_t id) = 0;
  virtual absl::StatusOr<api::ExperimentResponse> CancelExperiment(int64_t id) = 0;
  virtual absl::StatusOr<api::ExperimentResponse> KillExperiment(int64_t id) = 0;
  virtual absl::StatusOr<api::ExperimentResponse> DeleteExperiment(int64_t id) = 0;
  virtual absl::StatusOr<api::ExperimentResponse> ConfigureExperiment(
      const api::ConfigureExperimentRequest& request) = 0;
  virtual absl::StatusOr<api::ExperimentResponse> ContinueExperiment(
      const api::ContinueExperimentRequest& request) = 0;
  virtual std::unique_ptr<Stream<api::WatchExperimentResponse>> WatchExperiment(int64_t id) = 0;

  virtual absl::StatusOr<api::GetTrialResponse> GetTrial(int64_t id) = 0;
  virtual absl::StatusOr<api::KillTrialResponse> KillTrial(int64_t id) = 0;
  virtual absl::StatusOr<api::ListTrialsResponse> ListTrials(
      const api::ListTrialsRequest& request) = 0;
  virtual absl::StatusOr<api::GetMetricsResponse> GetMetrics(
      const api::GetMetricsRequest& request) = 0;
  virtual absl::StatusOr<api::GetMetricSummariesResponse> GetMetricSummaries(
      const api::GetMetricSummariesRequest& request) = 0;
  virtual absl::StatusOr<api::GetMetricSeriesResponse> GetMetricSeries(
      const api::GetMetricSeriesRequest& request) = 0;
  virtual std::unique_ptr<Stream<api::LogBatch>> TailLogs(const api::TailLogsRequest& request) = 0;
  virtual absl::StatusOr<api::SearchLogsResponse> SearchLogs(
      const api::SearchLogsRequest& request) = 0;

  virtual absl::StatusOr<api::ListCheckpointsResponse> ListCheckpoints(
      const api::ListCheckpointsRequest& request) = 0;
  virtual absl::StatusOr<api::GetCheckpointResponse> GetCheckpoint(const std::string& uuid) = 0;
  virtual absl::StatusOr<api::DeleteCheckpointsResponse> DeleteCheckpoints(
      const api::DeleteCheckpointsRequest& request) = 0;
  virtual absl::StatusOr<api::ListDeletionsResponse> ListDeletions(
      const api::ListDeletionsRequest& request) = 0;
  virtual absl::StatusOr<api::SetRetentionResponse> SetRetention(
      const api::SetRetentionRequest& request) = 0;

  virtual absl::StatusOr<bool> HasContext(const std::string& sha256) = 0;
  virtual std::unique_ptr<Upload> UploadContext(const std::string& sha256) = 0;

  virtual absl::StatusOr<api::GetClusterResponse> GetCluster() = 0;
  virtual absl::StatusOr<api::GetHealthResponse> GetHealth(
      const api::GetHealthRequest& request) = 0;
  virtual absl::StatusOr<api::ListAgentsResponse> ListAgents(
      const api::ListAgentsRequest& request) = 0;
  virtual absl::StatusOr<api::DisableAgentResponse> DisableAgent(
      const api::DisableAgentRequest& request) = 0;
  virtual absl::StatusOr<api::EnableAgentResponse> EnableAgent(
      const api::EnableAgentRequest& request) = 0;
  virtual absl::StatusOr<api::ListJobsResponse> ListJobs(const api::ListJobsRequest& request) = 0;
  virtual absl::StatusOr<api::ExplainResponse> Explain(const api::ExplainRequest& request) = 0;
  virtual absl::StatusOr<api::PlanExperimentResponse> PlanExperiment(
      const api::PlanExperimentRequest& request) = 0;
  virtual absl::StatusOr<api::PreviewSearchResponse> PreviewSearch(
      const api::PreviewSearchRequest& request) = 0;
  virtual absl::StatusOr<api::ExplainConfigResponse> ExplainConfig(
      const api::ExplainConfigRequest& request) = 0;

  // The archive of the experiment's model directory.
  virtual std::unique_ptr<Stream<api::DownloadContextResponse>> DownloadContext(
      int64_t experiment) = 0;

  // Any call that is no stream, by its name: "CatalogService/ListUsers".
  virtual absl::Status Invoke(const std::string& call,
                              const google::protobuf::Message& request,
                              google::protobuf::Message* response) = 0;
  template <class Response>
  absl::StatusOr<Response> Ask(const std::string& call, const google::protobuf::Message& request) {
    Response response;
    if (absl::Status status = Invoke(call, request, &response); !status.ok()) return status;
    return response;
  }

  virtual const Connection& connection() const = 0;
};

}  // namespace det::cli
