#include "det/api/v1/checkpoint.grpc.pb.h"

#include "master/rpc/call.h"
#include "master/rpc/convert.h"
#include "master/rpc/services.h"

namespace det::rpc {
namespace {

namespace pb = det::api::v1;

absl::Status List(const Deps& deps,
                  const core::Principal& by,
                  const pb::ListCheckpointsRequest& request,
                  pb::ListCheckpointsResponse* response) {
  const int64_t limit = Limit(request.limit(), 100, 1000);
  absl::StatusOr<std::vector<store::CheckpointRow>> rows;
  if (request.trial() != 0) {
    DET_RETURN_IF_ERROR(AuthorizeOn(deps, by, core::Verb::kRead, TrialId(request.trial())));
    rows = deps.store.CheckpointsOf(TrialId(request.trial()), limit);
  } else {
    const ExperimentId experiment(request.experiment());
    DET_RETURN_IF_ERROR(AuthorizeOn(deps, by, core::Verb::kRead, experiment));
    rows = deps.store.CheckpointsOf(ExperimentId(request.experiment()), limit);
  }
  DET_RETURN_IF_ERROR(rows.status());
  for (const auto& row : *rows) *response->add_checkpoints() = ToProto(row);
  return absl::OkStatus();
}

class CheckpointService final : public pb::CheckpointService::CallbackService {
 public:
  explicit CheckpointService(const Deps& deps) : deps_(deps) {}

  grpc::ServerUnaryReactor* ListCheckpoints(grpc::CallbackServerContext* context,
                                            const pb::ListCheckpointsRequest* request,
                                            pb::ListCheckpointsResponse* response) override {
    return Unary(
        deps_, context, request, response, [this](const auto& by, const auto& req, auto* res) {
          return List(deps_, by, req, res);
        });
  }
  grpc::ServerUnaryReactor* GetCheckpoint(grpc::CallbackServerContext* context,
                                          const pb::GetCheckpointRequest* request,
                                          pb::GetCheckpointResponse* response) override {
    return Unary(deps_,
                 context,
                 request,
                 response,
                 [this](const auto& by, const auto& req, auto* res) -> absl::Status {
                   DET_ASSIGN_OR_RETURN(const store::CheckpointRow row,
                                        deps_.store.Checkpoint(req.uuid()));
                   DET_RETURN_IF_ERROR(AuthorizeOn(deps_, by, core::Verb::kRead, row.trial));
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
