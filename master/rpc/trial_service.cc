#include "det/api/v1/trial.grpc.pb.h"

#include "master/rpc/call.h"
#include "master/rpc/convert.h"
#include "master/rpc/metric_calls.h"
#include "master/rpc/services.h"

namespace det::rpc {
namespace {

namespace pb = det::api::v1;

constexpr int64_t kHistoryMax = 200;

absl::Status Get(const Deps& deps,
                 const core::Principal& by,
                 const pb::GetTrialRequest& request,
                 pb::GetTrialResponse* response) {
  const TrialId id(request.id());
  DET_RETURN_IF_ERROR(AuthorizeOn(deps, by, core::Verb::kRead, id));
  DET_ASSIGN_OR_RETURN(const store::TrialRow row, deps.store.Trial(id));
  DET_ASSIGN_OR_RETURN(const auto history, deps.store.History("trial", id.ToString(), kHistoryMax));
  *response->mutable_trial() = ToProto(row);
  for (const auto& line : history) *response->add_history() = ToProto(line);
  return absl::OkStatus();
}

absl::Status List(const Deps& deps,
                  const core::Principal& by,
                  const pb::ListTrialsRequest& request,
                  pb::ListTrialsResponse* response) {
  const ExperimentId experiment(request.experiment());
  if (experiment.value() != 0) {
    DET_RETURN_IF_ERROR(MayLookInto(deps, by, experiment));
    DET_ASSIGN_OR_RETURN(const int64_t total, deps.store.CountTrials(experiment));
    response->set_total(total);
  }
  store::ListQuery query = QueryOf(deps, request);
  if (query.page.empty() && request.offset() > 0) query.page = StrCat("o", request.offset());
  DET_ASSIGN_OR_RETURN(
      const auto page,
      deps.store.ListTrials(query,
                            {.experiment = experiment,
                             .by_best = request.order() == pb::ListTrialsRequest::ORDER_BY_BEST,
                             .only_live = request.only_live(),
                             .workspaces = VisibleTo(by)}));
  for (const auto& row : page.rows) *response->add_trials() = ToProto(row);
  response->set_next_page(page.next);
  return absl::OkStatus();
}

absl::Status CompleteKill(const Deps& deps,
                          const absl::StatusOr<core::Events>& events,
                          TrialId id,
                          pb::KillTrialResponse* response) {
  const bool not_live = ErrorReason(events.status()) == "TRIAL_NOT_LIVE";
  if (!events.ok() && !not_live) return events.status();
  DET_ASSIGN_OR_RETURN(const store::TrialRow row, deps.store.Trial(id));
  // What ended as it was asked to is no error.
  if (not_live && row.state != core::Name(core::TrialState::kCanceled)) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "TRIAL_ENDED",
                 StrCat("trial ",
                        id.value(),
                        " is ",
                        row.state,
                        " (",
                        row.reason.text,
                        "): it can't be killed"));
  }
  *response->mutable_trial() = ToProto(row);
  return absl::OkStatus();
}

class TrialService final : public pb::TrialService::CallbackService {
 public:
  explicit TrialService(const Deps& deps) : deps_(deps) {}

  grpc::ServerUnaryReactor* GetTrial(grpc::CallbackServerContext* context,
                                     const pb::GetTrialRequest* request,
                                     pb::GetTrialResponse* response) override {
    return Unary(
        deps_, context, request, response, [this](const auto& by, const auto& req, auto* res) {
          return Get(deps_, by, req, res);
        });
  }
  grpc::ServerUnaryReactor* ListTrials(grpc::CallbackServerContext* context,
                                       const pb::ListTrialsRequest* request,
                                       pb::ListTrialsResponse* response) override {
    return Unary(
        deps_, context, request, response, [this](const auto& by, const auto& req, auto* res) {
          return List(deps_, by, req, res);
        });
  }
  grpc::ServerUnaryReactor* KillTrial(grpc::CallbackServerContext* context,
                                      const pb::KillTrialRequest* request,
                                      pb::KillTrialResponse* response) override {
    return Mutate(
        deps_,
        Wire{context, request, response},
        [this](const auto& principal, const auto& req, auto*) -> MaybeCommand {
          const TrialId id(req.id());
          DET_RETURN_IF_ERROR(AuthorizeOn(deps_, principal, core::Verb::kControl, id));
          return core::Command{principal, core::KillTrial{id}};
        },
        [this](const auto& outcome, const auto& req, auto* res) {
          return CompleteKill(deps_, outcome, TrialId(req.id()), res);
        });
  }
  grpc::ServerUnaryReactor* GetMetrics(grpc::CallbackServerContext* context,
                                       const pb::GetMetricsRequest* request,
                                       pb::GetMetricsResponse* response) override {
    return Unary(
        deps_, context, request, response, [this](const auto& by, const auto& req, auto* res) {
          return rpc::GetMetrics(deps_, by, req, res);
        });
  }
  grpc::ServerUnaryReactor* GetMetricSummaries(grpc::CallbackServerContext* context,
                                               const pb::GetMetricSummariesRequest* request,
                                               pb::GetMetricSummariesResponse* response) override {
    return Unary(
        deps_, context, request, response, [this](const auto& by, const auto& req, auto* res) {
          return rpc::GetMetricSummaries(deps_, by, req, res);
        });
  }
  grpc::ServerUnaryReactor* GetMetricSeries(grpc::CallbackServerContext* context,
                                            const pb::GetMetricSeriesRequest* request,
                                            pb::GetMetricSeriesResponse* response) override {
    return UnaryOn(deps_.searches,
                   deps_,
                   Wire{context, request, response},
                   [this](const auto& by, const auto& req, auto* res) {
                     return rpc::GetMetricSeries(deps_, by, req, res);
                   });
  }

 private:
  const Deps& deps_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeTrialService(const Deps& deps) {
  return std::make_unique<TrialService>(deps);
}

}  // namespace det::rpc
