#pragma once

#include <functional>
#include <string>

#include "absl/time/time.h"
#include "det/api/v1/checkpoint.grpc.pb.h"
#include "det/api/v1/cluster.grpc.pb.h"
#include "det/api/v1/context.grpc.pb.h"
#include "det/api/v1/experiment.grpc.pb.h"
#include "det/api/v1/log.grpc.pb.h"
#include "det/api/v1/trial.grpc.pb.h"
#include <grpcpp/grpcpp.h>

#include "cli/testing/fake_master.h"
#include "common/base/mutex.h"

// The services of FakeMaster; only fake_master.cc and the files that implement them include this.
namespace det::cli {

// The model with its lock, and a count of its changes for those that wait.
class FakeState {
 public:
  explicit FakeState(Model model) : model_(std::move(model)) {}

  void Edit(const std::function<void(Model&)>& edit);
  bool Await(const std::function<bool(const Model&)>& condition, absl::Duration timeout);
  void Stop();

  // Notes the call, checks its token, fails or hangs as the model says, then runs `serve`.
  grpc::Status Serve(grpc::ServerContext* context,
                     const std::string& call,
                     const std::function<grpc::Status(Model&)>& serve);

  // Runs `step` now and after each change, until it returns false or the call is at an end.
  grpc::Status Stream(grpc::ServerContext* context, const std::function<bool(Model&)>& step);

 private:
  grpc::Status Admit(grpc::ServerContext* context, const std::string& call);

  Mutex mutex_;
  CondVar changed_;
  Model model_ ABSL_GUARDED_BY(mutex_);
  int64_t version_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

grpc::Status ToGrpc(const absl::Status& status);
grpc::Status NotFound(const std::string& what, int64_t id);

using grpc::ServerContext;

class FakeExperiments final : public api::ExperimentService::Service {
 public:
  explicit FakeExperiments(FakeState* state) : state_(state) {}
  grpc::Status CreateExperiment(ServerContext* context,
                                const api::CreateExperimentRequest* request,
                                api::CreateExperimentResponse* response) override;
  grpc::Status GetExperiment(ServerContext* context,
                             const api::GetExperimentRequest* request,
                             api::GetExperimentResponse* response) override;
  grpc::Status ListExperiments(ServerContext* context,
                               const api::ListExperimentsRequest* request,
                               api::ListExperimentsResponse* response) override;
  grpc::Status PauseExperiment(ServerContext* context,
                               const api::ExperimentRequest* request,
                               api::ExperimentResponse* response) override;
  grpc::Status ActivateExperiment(ServerContext* context,
                                  const api::ExperimentRequest* request,
                                  api::ExperimentResponse* response) override;
  grpc::Status CancelExperiment(ServerContext* context,
                                const api::ExperimentRequest* request,
                                api::ExperimentResponse* response) override;
  grpc::Status KillExperiment(ServerContext* context,
                              const api::ExperimentRequest* request,
                              api::ExperimentResponse* response) override;
  grpc::Status DeleteExperiment(ServerContext* context,
                                const api::ExperimentRequest* request,
                                api::ExperimentResponse* response) override;
  grpc::Status ConfigureExperiment(ServerContext* context,
                                   const api::ConfigureExperimentRequest* request,
                                   api::ExperimentResponse* response) override;
  grpc::Status ContinueExperiment(ServerContext* context,
                                  const api::ContinueExperimentRequest* request,
                                  api::ExperimentResponse* response) override;
  grpc::Status WatchExperiment(ServerContext* context,
                               const api::WatchExperimentRequest* request,
                               grpc::ServerWriter<api::WatchExperimentResponse>* writer) override;

 private:
  struct Move {
    std::string call;
    std::string from;  // empty: any that has not ended
    std::string to;
  };
  grpc::Status MoveTo(ServerContext* context,
                      int64_t id,
                      const Move& move,
                      api::ExperimentResponse* response);
  FakeState* const state_;
};

class FakeTrials final : public api::TrialService::Service {
 public:
  explicit FakeTrials(FakeState* state) : state_(state) {}
  grpc::Status GetTrial(ServerContext* context,
                        const api::GetTrialRequest* request,
                        api::GetTrialResponse* response) override;
  grpc::Status ListTrials(ServerContext* context,
                          const api::ListTrialsRequest* request,
                          api::ListTrialsResponse* response) override;
  grpc::Status GetMetrics(ServerContext* context,
                          const api::GetMetricsRequest* request,
                          api::GetMetricsResponse* response) override;
  grpc::Status KillTrial(ServerContext* context,
                         const api::KillTrialRequest* request,
                         api::KillTrialResponse* response) override;
  grpc::Status GetMetricSummaries(ServerContext* context,
                                  const api::GetMetricSummariesRequest* request,
                                  api::GetMetricSummariesResponse* response) override;

 private:
  FakeState* const state_;
};

class FakeLogs final : public api::LogService::Service {
 public:
  explicit FakeLogs(FakeState* state) : state_(state) {}
  grpc::Status TailLogs(ServerContext* context,
                        const api::TailLogsRequest* request,
                        grpc::ServerWriter<api::LogBatch>* writer) override;
  grpc::Status SearchLogs(ServerContext* context,
                          const api::SearchLogsRequest* request,
                          api::SearchLogsResponse* response) override;

 private:
  FakeState* const state_;
};

class FakeCheckpoints final : public api::CheckpointService::Service {
 public:
  explicit FakeCheckpoints(FakeState* state) : state_(state) {}
  grpc::Status ListCheckpoints(ServerContext* context,
                               const api::ListCheckpointsRequest* request,
                               api::ListCheckpointsResponse* response) override;
  grpc::Status GetCheckpoint(ServerContext* context,
                             const api::GetCheckpointRequest* request,
                             api::GetCheckpointResponse* response) override;
  grpc::Status DeleteCheckpoints(ServerContext* context,
                                 const api::DeleteCheckpointsRequest* request,
                                 api::DeleteCheckpointsResponse* response) override;

 private:
  FakeState* const state_;
};

class FakeContexts final : public api::ContextService::Service {
 public:
  explicit FakeContexts(FakeState* state) : state_(state) {}
  grpc::Status HasContext(ServerContext* context,
                          const api::HasContextRequest* request,
                          api::HasContextResponse* response) override;
  grpc::Status UploadContext(ServerContext* context,
                             grpc::ServerReader<api::UploadContextRequest>* reader,
                             api::UploadContextResponse* response) override;

 private:
  FakeState* const state_;
};

class FakeCluster final : public api::ClusterService::Service {
 public:
  explicit FakeCluster(FakeState* state) : state_(state) {}
  grpc::Status GetHealth(ServerContext* context,
                         const api::GetHealthRequest* request,
                         api::GetHealthResponse* response) override;
  grpc::Status GetCluster(ServerContext* context,
                          const api::GetClusterRequest* request,
                          api::GetClusterResponse* response) override;
  grpc::Status DisableAgent(ServerContext* context,
                            const api::DisableAgentRequest* request,
                            api::DisableAgentResponse* response) override;
  grpc::Status EnableAgent(ServerContext* context,
                           const api::EnableAgentRequest* request,
                           api::EnableAgentResponse* response) override;
  grpc::Status ListAgents(ServerContext* context,
                          const api::ListAgentsRequest* request,
                          api::ListAgentsResponse* response) override;
  grpc::Status ListJobs(ServerContext* context,
                        const api::ListJobsRequest* request,
                        api::ListJobsResponse* response) override;
  grpc::Status Explain(ServerContext* context,
                       const api::ExplainRequest* request,
                       api::ExplainResponse* response) override;
  grpc::Status PlanExperiment(ServerContext* context,
                              const api::PlanExperimentRequest* request,
                              api::PlanExperimentResponse* response) override;
  grpc::Status ExplainConfig(ServerContext* context,
                             const api::ExplainConfigRequest* request,
                             api::ExplainConfigResponse* response) override;
  grpc::Status PreviewSearch(ServerContext* context,
                             const api::PreviewSearchRequest* request,
                             api::PreviewSearchResponse* response) override;

 private:
  FakeState* const state_;
};

}  // namespace det::cli
