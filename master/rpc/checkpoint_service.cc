#include "det/api/v1/checkpoint.grpc.pb.h"

#include "common/json/json.h"
#include "master/rpc/call.h"
#include "master/rpc/convert.h"
#include "master/rpc/services.h"
#include "master/spec/parse.h"
#include "master/storage/place_of.h"

namespace det::rpc {
namespace {

namespace pb = det::api::v1;

absl::Status List(const Deps& deps,
                  const core::Principal& by,
                  const pb::ListCheckpointsRequest& request,
                  pb::ListCheckpointsResponse* response) {
  const TrialId trial(request.trial());
  const ExperimentId experiment(trial.value() != 0 ? 0 : request.experiment());
  if (trial.value() != 0) DET_RETURN_IF_ERROR(AuthorizeOn(deps, by, core::Verb::kRead, trial));
  if (experiment.value() != 0) DET_RETURN_IF_ERROR(MayLookInto(deps, by, experiment));
  std::vector<std::string> states(request.states().begin(), request.states().end());
  if (states.empty()) states = {"COMPLETED", "PARTIALLY_DELETED"};
  DET_ASSIGN_OR_RETURN(
      const auto page,
      deps.store.ListCheckpoints(QueryOf(deps, request),
                                 {experiment, trial, std::move(states), VisibleTo(by)}));
  for (const auto& row : page.rows) *response->add_checkpoints() = ToProto(row);
  response->set_next_page(page.next);
  return absl::OkStatus();
}

constexpr int kNamesMax = 1000;
constexpr size_t kPatchBytesMax = 1 << 20;
constexpr int64_t kKeepMax = int64_t{1} << 31;

pb::Deletion DeletionToProto(const deletion::Deletion& deletion) {
  pb::Deletion out;
  out.set_id(deletion.id);
  out.set_experiment(deletion.experiment.value());
  out.set_trial(deletion.target.trial.value());
  out.set_uuid(deletion.target.uuid);
  for (const std::string& glob : deletion.globs) out.add_globs(glob);
  out.set_state(deletion.state);
  out.set_reason(deletion.reason);
  out.set_attempts(deletion.attempts);
  out.set_actor(deletion.actor);
  return out;
}

absl::Status Invalid(std::string_view what) {
  return Error(absl::StatusCode::kInvalidArgument, "INVALID_REQUEST", what);
}

absl::Status Get(const Deps& deps,
                 const core::Principal& by,
                 const pb::GetCheckpointRequest& request,
                 pb::GetCheckpointResponse* response) {
  DET_ASSIGN_OR_RETURN(const store::CheckpointRow row,
                       deps.store.Checkpoint(request.uuid(), VisibleTo(by)));
  DET_RETURN_IF_ERROR(AuthorizeOn(deps, by, core::Verb::kRead, row.trial));
  *response->mutable_checkpoint() = ToProto(row);
  DET_ASSIGN_OR_RETURN(const std::string config, deps.store.EffectiveConfig(row.experiment));
  DET_ASSIGN_OR_RETURN(const Value value, ParseJson(config));
  std::string fault;
  const spec::ExperimentSpec spec = spec::ParseRecorded(value, &fault);
  response->mutable_checkpoint()->set_storage(
      storage::ToUrl(storage::PlaceOf(spec.checkpoint_storage)));
  return absl::OkStatus();
}

absl::Status Delete(const Deps& deps,
                    const core::Principal& principal,
                    const pb::DeleteCheckpointsRequest& request,
                    pb::DeleteCheckpointsResponse* response) {
  if (request.uuids().empty()) return Invalid("no checkpoint is named");
  if (request.uuids_size() > kNamesMax) return Invalid("at most 1000 checkpoints at a time");
  std::vector<deletion::Target> targets;
  for (const std::string& name : request.uuids()) {
    DET_ASSIGN_OR_RETURN(const store::CheckpointRow row,
                         deps.store.Checkpoint(name, VisibleTo(principal)));
    DET_RETURN_IF_ERROR(AuthorizeOn(deps, principal, core::Verb::kDelete, row.experiment));
    targets.push_back({row.trial, row.uuid});
    *response->add_checkpoints() = ToProto(row);
  }
  const std::vector<std::string> globs(request.globs().begin(), request.globs().end());
  if (request.validate_only()) return deps.deletions.Check(targets, globs);
  DET_ASSIGN_OR_RETURN(const std::vector<deletion::Deletion> deletions,
                       deps.deletions.Request(targets, globs, principal.Actor()));
  for (const deletion::Deletion& one : deletions) *response->add_deletions() = DeletionToProto(one);
  return absl::OkStatus();
}

absl::Status DeletionsOf(const Deps& deps,
                         const core::Principal& by,
                         const pb::ListDeletionsRequest& request,
                         pb::ListDeletionsResponse* response) {
  if (request.ids_size() > kNamesMax) return Invalid("at most 1000 deletions at a time");
  absl::StatusOr<std::vector<deletion::Deletion>> found;
  if (request.experiment() != 0) {
    const ExperimentId id(request.experiment());
    DET_RETURN_IF_ERROR(AuthorizeOn(deps, by, core::Verb::kRead, id));
    found = deps.deletions.ByExperiment(id, Limit(request.limit(), 100, 1000));
  } else {
    found = deps.deletions.ByIds({request.ids().begin(), request.ids().end()});
  }
  DET_RETURN_IF_ERROR(found.status());
  for (const deletion::Deletion& one : *found)
    DET_RETURN_IF_ERROR(AuthorizeOn(deps, by, core::Verb::kRead, one.experiment));
  for (const deletion::Deletion& one : *found) *response->add_deletions() = DeletionToProto(one);
  return absl::OkStatus();
}

absl::Status Patch(const Deps& deps,
                   const core::Principal& principal,
                   const pb::PatchCheckpointMetadataRequest& request,
                   pb::PatchCheckpointMetadataResponse* response) {
  DET_ASSIGN_OR_RETURN(const store::CheckpointRow row,
                       deps.store.Checkpoint(request.uuid(), VisibleTo(principal)));
  DET_RETURN_IF_ERROR(AuthorizeOn(deps, principal, core::Verb::kControl, row.experiment));
  const absl::StatusOr<Value> patch =
      ParseJson(request.patch_json(), {.bytes_max = kPatchBytesMax});
  DET_RETURN_IF_ERROR(Annotate(patch.status(), "patch_json"));
  if (!patch->is_object()) return Invalid("patch_json must be a JSON object");
  DET_RETURN_IF_ERROR(deps.deletions.PatchMetadata({row.trial, row.uuid}, *patch).status());
  DET_ASSIGN_OR_RETURN(const store::CheckpointRow now,
                       deps.store.Checkpoint(StrCat(row.trial.value(), "/", row.uuid)));
  *response->mutable_checkpoint() = ToProto(now);
  return absl::OkStatus();
}

absl::Status Retain(const Deps& deps,
                    const core::Principal& principal,
                    const pb::SetRetentionRequest& request,
                    pb::SetRetentionResponse* response) {
  const ExperimentId id(request.experiment());
  DET_RETURN_IF_ERROR(AuthorizeOn(deps, principal, core::Verb::kDelete, id));
  DET_ASSIGN_OR_RETURN(deletion::Retention plan, deps.deletions.Preview(id, std::nullopt));
  gc::Policy policy = plan.policy;
  if (request.has_save_experiment_best()) {
    policy.save_experiment_best = request.save_experiment_best();
  }
  if (request.has_save_trial_best()) policy.save_trial_best = request.save_trial_best();
  if (request.has_save_trial_latest()) policy.save_trial_latest = request.save_trial_latest();
  for (const int64_t keep :
       {policy.save_experiment_best, policy.save_trial_best, policy.save_trial_latest}) {
    if (keep < 0 || keep > kKeepMax) return Invalid("a number of checkpoints to keep is from 0 on");
  }
  if (request.validate_only()) {
    DET_ASSIGN_OR_RETURN(plan, deps.deletions.Preview(id, policy));
  } else {
    DET_ASSIGN_OR_RETURN(plan, deps.deletions.SetPolicy(id, policy, principal.Actor()));
  }
  response->mutable_policy()->set_save_experiment_best(policy.save_experiment_best);
  response->mutable_policy()->set_save_trial_best(policy.save_trial_best);
  response->mutable_policy()->set_save_trial_latest(policy.save_trial_latest);
  for (size_t i = 0; i < plan.going.size() && i < kNamesMax; ++i) {
    pb::Deletion* going = response->add_going();
    going->set_trial(plan.going[i].trial.value());
    going->set_uuid(plan.going[i].uuid);
  }
  response->set_going_count(static_cast<int64_t>(plan.going.size()));
  response->set_going_bytes(plan.bytes);
  response->set_kept_count(plan.kept);
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
    return Unary(
        deps_, context, request, response, [this](const auto& by, const auto& req, auto* res) {
          return Get(deps_, by, req, res);
        });
  }
  grpc::ServerUnaryReactor* DeleteCheckpoints(grpc::CallbackServerContext* context,
                                              const pb::DeleteCheckpointsRequest* request,
                                              pb::DeleteCheckpointsResponse* response) override {
    return Unary(deps_,
                 context,
                 request,
                 response,
                 [this](const auto& principal, const auto& req, auto* res) {
                   return Delete(deps_, principal, req, res);
                 });
  }
  grpc::ServerUnaryReactor* ListDeletions(grpc::CallbackServerContext* context,
                                          const pb::ListDeletionsRequest* request,
                                          pb::ListDeletionsResponse* response) override {
    return Unary(
        deps_, context, request, response, [this](const auto& by, const auto& req, auto* res) {
          return DeletionsOf(deps_, by, req, res);
        });
  }
  grpc::ServerUnaryReactor* PatchCheckpointMetadata(
      grpc::CallbackServerContext* context,
      const pb::PatchCheckpointMetadataRequest* request,
      pb::PatchCheckpointMetadataResponse* response) override {
    return Unary(deps_,
                 context,
                 request,
                 response,
                 [this](const auto& principal, const auto& req, auto* res) {
                   return Patch(deps_, principal, req, res);
                 });
  }
  grpc::ServerUnaryReactor* SetRetention(grpc::CallbackServerContext* context,
                                         const pb::SetRetentionRequest* request,
                                         pb::SetRetentionResponse* response) override {
    return Unary(deps_,
                 context,
                 request,
                 response,
                 [this](const auto& principal, const auto& req, auto* res) {
                   return Retain(deps_, principal, req, res);
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
