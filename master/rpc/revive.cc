#include "master/rpc/revive.h"

#include "common/json/json.h"
#include "common/storage/place.h"
#include "master/rpc/convert.h"
#include "master/rpc/experiment_catalog.h"
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

// Where it is, is not the configuration's to say: it may have been moved since.
absl::Status CheckPlaceStays(ExperimentId id,
                             const std::string& recorded,
                             const catalog::ProjectName& place,
                             spec::ExperimentSpec* spec) {
  DET_ASSIGN_OR_RETURN(const Value value, ParseJson(recorded));
  std::string fault;
  const spec::ExperimentSpec before = spec::ParseRecorded(value, &fault);
  const bool named = spec->workspace != before.workspace || spec->project != before.project;
  const bool elsewhere = spec->workspace != place.workspace || spec->project != place.project;
  if (named && elsewhere) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "PLACE_FIXED",
                 StrCat("experiment ",
                        id.value(),
                        " is in ",
                        place.workspace,
                        "/",
                        place.project,
                        ": to continue it does not move it"),
                 "det experiment move takes it elsewhere");
  }
  spec->workspace = place.workspace;
  spec->project = place.project;
  return absl::OkStatus();
}

// What is held until the continuation is durable.
struct Continuation {
  core::Command command;
  catalog::Placement place;
  std::shared_ptr<void> checkpoints;
};

absl::StatusOr<std::shared_ptr<const spec::ExperimentSpec>> Overridden(
    const Deps& deps,
    const core::Principal& principal,
    const pb::ContinueExperimentRequest& request,
    const Continuation& begun) {
  const ExperimentId id(request.id());
  const bool single = std::get<core::ContinueExperiment>(begun.command.body).ended.IsSingle();
  DET_ASSIGN_OR_RETURN(const std::string config, deps.store.EffectiveConfig(id));
  DET_ASSIGN_OR_RETURN(
      config::ParsedConfig parsed,
      ReadSubmitted(deps,
                    principal,
                    {.text = config,
                     .name = StrCat("experiment ", id.value()),
                     .overrides = {request.overrides().begin(), request.overrides().end()}}));
  DET_RETURN_IF_ERROR(CheckTexts(&parsed.spec));
  DET_RETURN_IF_ERROR(CheckStaysThere(id, config, parsed.spec));
  DET_RETURN_IF_ERROR(CheckPlaceStays(id, config, begun.place.names, &parsed.spec));
  // Another search would not know the trials that there are.
  if (!std::holds_alternative<spec::SingleSpec>(parsed.spec.searcher.method) && single) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "SEARCHER_FIXED",
                 StrCat("experiment ", id.value(), " has one trial: it can't become a search"),
                 "det experiment fork makes a new one with another searcher");
  }
  DET_RETURN_IF_ERROR(KeepSecrets(deps, principal, parsed));
  return std::make_shared<const spec::ExperimentSpec>(std::move(parsed.spec));
}

absl::StatusOr<std::shared_ptr<void>> HoldCheckpoints(const Deps& deps,
                                                      const core::ContinueExperiment& command) {
  std::vector<deletion::Target> targets;
  for (const core::EndedTrial& one : command.trials) {
    const auto& latest = one.trial.latest_checkpoint;
    if (latest.has_value()) targets.push_back({one.trial.id, latest->uuid});
  }
  return deps.deletions.Hold(targets);
}

absl::StatusOr<Continuation> MakeContinue(const Deps& deps,
                                          const core::Principal& principal,
                                          const pb::ContinueExperimentRequest& request) {
  const ExperimentId id(request.id());
  DET_RETURN_IF_ERROR(Check(deps, principal, ExperimentVerb::kContinue, id).status());
  Continuation out;
  DET_ASSIGN_OR_RETURN(core::ContinueExperiment command, deps.ended.Load(id));
  DET_ASSIGN_OR_RETURN(out.checkpoints, HoldCheckpoints(deps, command));
  // As a new one it would be refused where nothing may run any more.
  DET_ASSIGN_OR_RETURN(const store::ExperimentRow row, deps.store.Experiment(id));
  DET_ASSIGN_OR_RETURN(out.place, deps.catalog.Place(principal, {row.workspace, row.project}));
  out.command = {principal, std::move(command)};
  if (request.overrides_size() > 0) {
    DET_ASSIGN_OR_RETURN(std::get<core::ContinueExperiment>(out.command.body).spec,
                         Overridden(deps, principal, request, out));
  }
  return out;
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

// Calls `then` with who may do it, and with the lock; where that may not be, that was the answer.
template <class Call>
grpc::ServerUnaryReactor* Begin(const Deps& deps,
                                const Call& call,
                                core::Verb verb,
                                std::function<void(const Begun&)> then) {
  grpc::ServerUnaryReactor* reactor = call.context->DefaultReactor();
  auto ending = std::make_shared<Ending>(*call.context, reactor);
  std::optional<core::Principal> principal = AuthorOf(deps, *call.context, *ending);
  if (!principal.has_value()) return reactor;
  const bool queued = deps.pool.Post(
      [&deps, ending, verb, then, principal = *principal, id = ExperimentId(call.request->id())] {
        // A stranger takes nobody's turn.
        const absl::Status may = AuthorizeOn(deps, principal, verb, id);
        if (!may.ok()) return ending->Finish(may);
        auto held = deps.ended_locks.TryLock(id);
        if (!held.has_value()) return ending->Finish(ended::Busy(id));
        auto lock = std::make_shared<ended::EndedLocks::Held>(*std::move(held));
        AfterBarrier(deps, ending, [then, begun = Begun{ending, principal, std::move(lock)}] {
          then(begun);
        });
      });
  if (!queued) ending->Finish(TooManyCalls());
  return reactor;
}

}  // namespace

grpc::ServerUnaryReactor* Continue(
    const Deps& deps, Wire<pb::ContinueExperimentRequest, pb::ExperimentResponse> call) {
  return Begin(
      deps,
      call,
      core::Verb::kControl,
      [&deps, request = pb::ContinueExperimentRequest(*call.request), response = call.response](
          const Begun& begun) {
        absl::StatusOr<Continuation> made = MakeContinue(deps, begun.principal, request);
        if (!made.ok()) {
          begun.lock->Release();
          return AnswerNow(begun.ending, made.status());
        }
        const auto kept = std::make_shared<Continuation>(*std::move(made));
        RunCommand(deps,
                   begun.ending,
                   kept->command,
                   [&deps, id = ExperimentId(request.id()), response, lock = begun.lock, kept](
                       const auto& outcome) {
                     kept->place = {};
                     kept->checkpoints = nullptr;
                     lock->Release();
                     if (!outcome.ok()) return outcome.status();
                     return Answer(deps, id, response);
                   });
      });
}

grpc::ServerUnaryReactor* Delete(const Deps& deps,
                                 Wire<pb::ExperimentRequest, pb::ExperimentResponse> call) {
  return Begin(
      deps,
      call,
      core::Verb::kDelete,
      [&deps, id = ExperimentId(call.request->id()), response = call.response](const Begun& begun) {
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
}

}  // namespace det::rpc
