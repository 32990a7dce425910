#include "det/api/v1/trial.grpc.pb.h"

#include "master/rpc/call.h"
#include "master/rpc/convert.h"
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
  DET_RETURN_IF_ERROR(AuthorizeOn(deps, by, core::Verb::kRead, experiment));
  DET_ASSIGN_OR_RETURN(
      const auto rows,
      deps.store.Trials({.experiment = experiment,
                         .by_best = request.order() == pb::ListTrialsRequest::ORDER_BY_BEST,
                         .limit = Limit(request.limit(), 100, 1000),
                         .offset = std::max(request.offset(), 0)}));
  DET_ASSIGN_OR_RETURN(const int64_t total, deps.store.CountTrials(experiment));
  for (const auto& row : rows) *response->add_trials() = ToProto(row);
  response->set_total(total);
  return absl::OkStatus();
}

absl::Status GetMetrics(const Deps& deps,
                        const core::Principal& by,
                        const pb::GetMetricsRequest& request,
                        pb::GetMetricsResponse* response) {
  const TrialId trial(request.trial());
  DET_RETURN_IF_ERROR(AuthorizeOn(deps, by, core::Verb::kRead, trial));
  const int64_t limit = Limit(request.limit(), 1000, 100000);
  const pb::MetricPlace& after = request.after();
  // One more than is asked for tells whether there is more.
  DET_ASSIGN_OR_RETURN(
      auto rows,
      deps.store.Metrics(trial,
                         request.group(),
                         limit + 1,
                         {after.allocation(), after.stream(), after.seq(), after.name()}));
  if (static_cast<int64_t>(rows.size()) > limit) {
    rows.pop_back();
    const store::MetricCursor& last = rows.back().place;
    pb::MetricPlace* next = response->mutable_next_after();
    next->set_allocation(last.allocation);
    next->set_stream(last.stream);
    next->set_seq(last.seq);
    next->set_name(last.name);
  }
  for (const store::MetricRow& row : rows) {
    pb::MetricPoint* point = response->add_points();
    point->set_group(row.group);
    point->set_name(row.name);
    point->set_steps_completed(row.steps);
    point->set_value(row.value);
    point->set_text(row.other);
    point->set_at_unix_nanos(absl::ToUnixNanos(row.at));
  }
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
  grpc::ServerUnaryReactor* GetMetrics(grpc::CallbackServerContext* context,
                                       const pb::GetMetricsRequest* request,
                                       pb::GetMetricsResponse* response) override {
    return Unary(
        deps_, context, request, response, [this](const auto& by, const auto& req, auto* res) {
          return rpc::GetMetrics(deps_, by, req, res);
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
