#include "master/rpc/revive.h"

#include "common/json/json.h"
#include "common/storage/place.h"
#include "master/rpc/convert.h"
#include "master/rpc/submitted_config.h"
#include "master/spec/parse.h"
#include "master/storage/place_of.h"

namespace det::rpc {
namespace {

namespace pb = det::api::v1;
using core::ExperimentVerb;

// Where the experiment stands, if the verb may be done to it there, by this principal.
absl::StatusOr<core::Answer> Check(const Deps& deps,
                                   const core::Principal& principal,
                                   ExperimentVerb verb,
                                   ExperimentId id) {
  const bool deletes = verb == ExperimentVerb::kDelete;
  DET_RETURN_IF_ERROR(
      AuthorizeOn(deps, principal, deletes ? core::Verb::kDelete : core::Verb::kControl, id));
  DET_ASSIGN_OR_RETURN(const ended::Standing standing, deps.ended.Where(id));
  const core::Answer answer = core::kExperimentVerbTable(verb, standing.state).answer;
  if (answer == core::Answer::kRefused) return ended::Refusal(verb, id, standing);
  return answer;
}

// The checkpoints that there are stay where they are. Their server may get another address, and its
// keys other names.
absl::Status CheckStaysThere(ExperimentId id,
                             const std::string& recorded,
                             const spec::ExperimentSpec& spec) {
  DET_ASSIGN_OR_RETURN(const Value value, ParseJson(recorded));
  std::string fault;
  const spec::ExperimentSpec before = spec::ParseRecorded(value, &fault);
  const auto url = [](const spec::ExperimentSpec& one) {
    return storage::CheckpointUrl(storage::PlaceOf(one.checkpoint_storage), "");
  };
  if (url(before) == url(spec)) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition,
               "STORAGE_FIXED",
               StrCat("experiment ",
                      id.value(),
                      " has its checkpoints in ",
                      url(before),
                      ": it can't go on with others in ",
                      url(spec)),
               "det experiment fork makes a new one with another checkpoint_storage");
}

absl::StatusOr<core::Command> MakeContinue(const Deps& deps,
                                           const core::Principal& principal,
                                           const pb::ContinueExperimentRequest& request) {
  const ExperimentId id(request.id());
  DET_RETURN_IF_ERROR(Check(deps, principal, ExperimentVerb::kContinue, id).status());
  DET_ASSIGN_OR_RETURN(core::ContinueExperiment command, deps.ended.Load(id));
  if (request.overrides_size() > 0) {
    DET_ASSIGN_OR_RETURN(const std::string config, deps.store.EffectiveConfig(id));
    DET_ASSIGN_OR_RETURN(
        config::ParsedConfig parsed,
        ReadSubmitted(deps,
                      principal,
                      {.text = config,
                       .name = StrCat("experiment ", id.value()),
                       .overrides = {request.overrides().begin(), request.overrides().end()}}));
    DET_RETURN_IF_ERROR(CheckStaysThere(id, config, parsed.spec));
    DET_RETURN_IF_ERROR(KeepSecrets(deps, principal, parsed));
    // Another search would not know the trials that there are.
    if (!std::holds_alternative<spec::SingleSpec>(parsed.spec.searcher.method) &&
        command.ended.IsSingle()) {
      return Error(absl::StatusCode::kFailedPrecondition,
                   "SEARCHER_FIXED",
                   StrCat("experiment ", id.value(), " has one trial: it can't become a search"),
                   "det experiment fork makes a new one with another searcher");
    }
    command.spec = std::make_shared<const spec::ExperimentSpec>(std::move(parsed.spec));
  }
  return core::Command{principal, std::move(command)};
}

absl::Status Answer(const Deps& deps, ExperimentId id, pb::ExperimentResponse* response) {
  DET_ASSIGN_OR_RETURN(const store::ExperimentRow row, deps.store.Experiment(id));
  *response->mutable_experiment() = ToProto(row);
  return absl::OkStatus();
}

// What has no row to show any more is an answer too: it was deleted, as was asked.
absl::Status DeletedOr(const absl::Status& status, ExperimentId id, pb::ExperimentResponse* out) {
  if (ErrorReason(status) != "EXPERIMENT_DELETED") return status;
  out->mutable_experiment()->set_id(id.value());
  out->mutable_experiment()->set_state(std::string(Name(core::ExperimentState::kDeleted)));
  return absl::OkStatus();
}

using Lock = std::shared_ptr<ended::EndedLocks::Held>;

struct Begun {
  std::shared_ptr<Ending> ending;
  core::Principal principal;
  Lock lock;
};

// Authenticated and with the lock; nothing when that may not be, which then was the answer.
template <class Call>
std::optional<Begun> Begin(const Deps& deps, const Call& call, grpc::ServerUnaryReactor* reactor) {
  auto ending = std::make_shared<Ending>(*call.context, reactor);
  std::optional<core::Principal> principal = AuthorOf(deps, *call.context, *ending);
  if (!principal.has_value()) return std::nullopt;
  const ExperimentId id(call.request->id());
  auto held = deps.ended_locks.TryLock(id);
  if (!held.has_value()) {
    ending->Finish(ended::Busy(id));
    return std::nullopt;
  }
  auto lock = std::make_shared<ended::EndedLocks::Held>(*std::move(held));
  return Begun{std::move(ending), *std::move(principal), std::move(lock)};
}

}  // namespace

grpc::ServerUnaryReactor* Continue(
    const Deps& deps, Wire<pb::ContinueExperimentRequest, pb::ExperimentResponse> call) {
  grpc::ServerUnaryReactor* reactor = call.context->DefaultReactor();
  std::optional<Begun> begun = Begin(deps, call, reactor);
  if (!begun.has_value()) return reactor;
  AfterBarrier(deps,
               begun->ending,
               [&deps,
                begun = *begun,
                request = pb::ContinueExperimentRequest(*call.request),
                response = call.response] {
                 absl::StatusOr<core::Command> command =
                     MakeContinue(deps, begun.principal, request);
                 if (!command.ok()) {
                   begun.lock->Release();
                   return AnswerNow(begun.ending, command.status());
                 }
                 const ExperimentId id(request.id());
                 RunCommand(deps,
                            begun.ending,
                            *std::move(command),
                            [&deps, id, response, lock = begun.lock](const auto& outcome) {
                              lock->Release();
                              if (!outcome.ok()) return outcome.status();
                              return Answer(deps, id, response);
                            });
               });
  return reactor;
}

grpc::ServerUnaryReactor* Delete(const Deps& deps,
                                 Wire<pb::ExperimentRequest, pb::ExperimentResponse> call) {
  grpc::ServerUnaryReactor* reactor = call.context->DefaultReactor();
  std::optional<Begun> begun = Begin(deps, call, reactor);
  if (!begun.has_value()) return reactor;
  AfterBarrier(
      deps,
      begun->ending,
      [&deps, begun = *begun, id = ExperimentId(call.request->id()), response = call.response] {
        const auto check = Check(deps, begun.principal, ExperimentVerb::kDelete, id);
        absl::Status status = check.status();
        if (status.ok() && *check == core::Answer::kAllowed) {
          status = deps.ended.BeginDelete(id, begun.principal);
          deps.ended_deleter.Wake();
        }
        begun.lock->Release();
        if (!begun.ending->Claim()) return;
        if (status.ok()) status = DeletedOr(Answer(deps, id, response), id, response);
        begun.ending->Finish(status);
      });
  return reactor;
}

}  // namespace det::rpc
