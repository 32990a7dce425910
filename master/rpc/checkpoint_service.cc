#include "det/api/v1/checkpoint.grpc.pb.h"

#include "master/rpc/call.h"
#include "master/rpc/convert.h"
#include "master/rpc/services.h"

namespace det::rpc {
namespace {

namespace pb = det::api::v1;

absl::Status List(const Deps& deps,
                  const pb::ListCheckpointsRequest& request,
                  pb::ListCheckpointsResponse* response) {
  const TrialId trial(request.trial());
  const ExperimentId experiment(trial.value() != 0 ? 0 : request.experiment());
  if (trial.value() != 0) DET_RETURN_IF_ERROR(deps.store.Trial(trial).status());
  if (experiment.value() != 0) DET_RETURN_IF_ERROR(deps.store.Experiment(experiment).status());
  DET_ASSIGN_OR_RETURN(const auto page,
                       deps.store.ListCheckpoints(QueryOf(deps, request), {experiment, trial}));
  for (const auto& row : page.rows) *response->add_checkpoints() = ToProto(row);
  response->set_next_page(page.next);
  return absl::OkStatus();
}

class CheckpointService final : public pb::CheckpointService::CallbackService {
 public:
  explicit CheckpointService(const Deps& deps) : deps_(deps) {}

  grpc::ServerUnaryReactor* ListCheckpoints(grpc::CallbackServerContext* context,
                                            const pb::ListCheckpointsRequest* request,
                                            pb::ListCheckpointsResponse* response) override {
    return Unary(
        deps_, context, request, response, [this](const auto&, const auto& req, auto* res) {
          return List(deps_, req, res);
        });
  }
  grpc::ServerUnaryReactor* GetCheckpoint(grpc::CallbackServerContext* context,
                                          const pb::GetCheckpointRequest* request,
                                          pb::GetCheckpointResponse* response) override {
    return Unary(deps_,
                 context,
                 request,
                 response,
                 [this](const auto&, const auto& req, auto* res) -> absl::Status {
                   DET_ASSIGN_OR_RETURN(const store::CheckpointRow row,
                                        deps_.store.Checkpoint(req.uuid()));
                   *res->mutable_checkpoint() = ToProto(row);
                   return absl::OkStatus();
                 });
  }

 private:
  const Deps& deps_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeCheckpointService(const Deps& deps) {
  return std::make_unique<CheckpointService>(deps);
}

}  // namespace det::rpc
