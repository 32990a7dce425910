#include "det/api/v1/experiment.grpc.pb.h"

#include "common/storage/place.h"
#include "master/rpc/call.h"
#include "master/rpc/convert.h"
#include "master/rpc/experiment_catalog.h"
#include "master/rpc/fork.h"
#include "master/rpc/polling_writer.h"
#include "master/rpc/revive.h"
#include "master/rpc/services.h"
#include "master/rpc/submitted_config.h"
#include "master/spec/parse.h"
#include "master/storage/place_of.h"

namespace det::rpc {
namespace {

namespace pb = det::api::v1;

constexpr int64_t kHistoryMax = 100;
constexpr int64_t kRunningShownMax = 50;
constexpr absl::Duration kWatchInterval = absl::Milliseconds(100);

absl::Status CheckWhole(const store::CheckpointRow& row) {
  if (row.state == "COMPLETED") return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition,
               "CHECKPOINT_DELETED",
               StrCat("checkpoint ", row.uuid, " of trial ", row.trial.value(), " is ", row.state),
               "det c list --trial ID shows those that are left");
}

// Trials load from where they save to.
absl::Status CheckReachable(const store::CheckpointRow& row, const spec::ExperimentSpec& spec) {
  DET_RETURN_IF_ERROR(CheckWhole(row));
  const std::string wanted =
      storage::CheckpointUrl(storage::PlaceOf(spec.checkpoint_storage), row.uuid);
  if (row.directory == wanted) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition,
               "CHECKPOINT_ELSEWHERE",
               StrCat("checkpoint ",
                      row.uuid,
                      " of trial ",
                      row.trial.value(),
                      " is ",
                      row.directory,
                      ", and the experiment's storage would have it as ",
                      wanted),
               "give the experiment the checkpoint_storage of the checkpoint");
}

// The checkpoint that every trial begins from; "" is none. Held until the experiment is durable.
struct Source {
  std::string uuid;
  std::shared_ptr<void> hold;
};

absl::StatusOr<Source> HoldSource(const Deps& deps,
                                  const store::CheckpointRow& row,
                                  const spec::ExperimentSpec& spec) {
  DET_RETURN_IF_ERROR(CheckReachable(row, spec));
  DET_ASSIGN_OR_RETURN(std::shared_ptr<void> hold, deps.deletions.Hold({{row.trial, row.uuid}}));
  return Source{row.uuid, std::move(hold)};
}

absl::StatusOr<Source> WarmStart(const Deps& deps,
                                 const core::Principal& by,
                                 const spec::ExperimentSpec& spec) {
  const spec::SearcherSpec& searcher = spec.searcher;
  if (searcher.source_checkpoint_uuid.has_value()) {
    DET_ASSIGN_OR_RETURN(const store::CheckpointRow row,
                         deps.store.Checkpoint(*searcher.source_checkpoint_uuid, VisibleTo(by)));
    DET_RETURN_IF_ERROR(AuthorizeOn(deps, by, core::Verb::kRead, row.trial));
    return HoldSource(deps, row, spec);
  }
  if (!searcher.source_trial_id.has_value()) return Source();
  const TrialId trial(*searcher.source_trial_id);
  DET_RETURN_IF_ERROR(AuthorizeOn(deps, by, core::Verb::kRead, trial));
  DET_ASSIGN_OR_RETURN(const std::string uuid, deps.store.LatestCheckpoint(trial));
  if (uuid.empty()) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "NO_CHECKPOINT",
                 StrCat("source_trial_id: trial ", trial.value(), " has no checkpoint"));
  }
  DET_ASSIGN_OR_RETURN(const store::CheckpointRow row,
                       deps.store.Checkpoint(StrCat(trial.value(), "/", uuid)));
  return HoldSource(deps, row, spec);
}

absl::Status CheckContext(const Deps& deps, const std::string& sha256) {
  if (sha256.empty()) return absl::OkStatus();
  DET_ASSIGN_OR_RETURN(const bool present, deps.contexts.Has(sha256));
  if (present) return absl::OkStatus();
  return Error(absl::StatusCode::kNotFound,
               "CONTEXT_NOT_FOUND",
               StrCat("the model directory ", sha256, " was not uploaded"));
}

// Held until the experiment is durable.
struct Held {
  catalog::Placement place;
  Source source;
};

struct Creation {
  Held* held;
  pb::CreateExperimentResponse* response;
};

MaybeCommand PrepareCreate(const Deps& deps,
                           const core::Principal& principal,
                           const pb::CreateExperimentRequest& asked,
                           Creation creation) {
  DET_ASSIGN_OR_RETURN(const pb::CreateExperimentRequest request,
                       WithParent(deps, principal, asked));
  pb::CreateExperimentResponse* response = creation.response;
  DET_ASSIGN_OR_RETURN(
      config::ParsedConfig parsed,
      ReadSubmitted(deps,
                    principal,
                    {.text = request.config(),
                     .name = request.config_name(),
                     .overrides = {request.overrides().begin(), request.overrides().end()},
                     .template_name = request.template_()}));
  DET_RETURN_IF_ERROR(CheckTexts(&parsed.spec));
  for (const std::string& warning : parsed.warnings) response->add_warnings(warning);
  DET_RETURN_IF_ERROR(CheckContext(deps, request.context_sha256()));
  DET_ASSIGN_OR_RETURN(creation.held->source, WarmStart(deps, principal, parsed.spec));
  catalog::Placement& place = creation.held->place;
  DET_ASSIGN_OR_RETURN(place, PlaceOf(deps, principal, request, parsed.spec));
  // Quotas go by it, whoever named it.
  parsed.spec.workspace = place.names.workspace;
  parsed.spec.project = place.names.project;
  response->set_effective_config(spec::ToValue(parsed.spec).ToJson());
  DET_ASSIGN_OR_RETURN(core::CodeVersion code, CodeOf(request));
  if (request.validate_only()) return std::nullopt;
  DET_RETURN_IF_ERROR(KeepSecrets(deps, principal, parsed));
  core::CreateExperiment create{
      .spec = std::make_shared<const spec::ExperimentSpec>(std::move(parsed.spec)),
      .config_text = std::move(parsed.text),
      .context = request.context_sha256(),
      .source_checkpoint = creation.held->source.uuid,
      .paused = request.paused(),
      .parent = ExperimentId(request.parent()),
      .workspace = place.workspace,
      .project = place.project,
      .code = std::move(code)};
  return core::Command{principal, std::move(create)};
}

absl::Status CompleteCreate(const Deps& deps,
                            const absl::StatusOr<core::Events>& events,
                            pb::CreateExperimentResponse* response) {
  DET_RETURN_IF_ERROR(events.status());
  const ExperimentId id = std::get<core::ExperimentCreated>(events->front()).id;
  DET_ASSIGN_OR_RETURN(const store::ExperimentRow row, deps.store.Experiment(id));
  *response->mutable_experiment() = ToProto(row);
  return absl::OkStatus();
}

absl::Status Get(const Deps& deps,
                 const core::Principal& by,
                 const pb::GetExperimentRequest& request,
                 pb::GetExperimentResponse* response) {
  const ExperimentId id(request.id());
  DET_RETURN_IF_ERROR(AuthorizeOn(deps, by, core::Verb::kRead, id));
  DET_ASSIGN_OR_RETURN(const store::ExperimentRow row, deps.store.Experiment(id));
  DET_ASSIGN_OR_RETURN(*response->mutable_effective_config(), deps.store.EffectiveConfig(id));
  if (request.with_submitted()) {
    DET_ASSIGN_OR_RETURN(*response->mutable_submitted_config(), deps.store.SubmittedConfig(id));
  }
  DET_ASSIGN_OR_RETURN(const auto history,
                       deps.store.History("experiment", id.ToString(), kHistoryMax));
  DET_ASSIGN_OR_RETURN(const store::ExperimentDetails details, deps.store.Details(id));
  *response->mutable_experiment() = ToProto(row);
  PutDetails(details, response->mutable_experiment());
  for (const auto& line : history) *response->add_history() = ToProto(line);
  return absl::OkStatus();
}

absl::Status List(const Deps& deps,
                  const core::Principal& principal,
                  const pb::ListExperimentsRequest& request,
                  pb::ListExperimentsResponse* response) {
  store::ListQuery query = QueryOf(deps, request);
  if (query.page.empty() && request.before_id() > 0) query.page = StrCat("i", request.before_id());
  DET_ASSIGN_OR_RETURN(const auto scope, ScopeOf(deps, principal, request));
  DET_ASSIGN_OR_RETURN(const auto page, deps.store.ListExperiments(query, scope));
  for (const auto& row : page.rows) *response->add_experiments() = ToProto(row);
  response->set_next_page(page.next);
  if (page.next.starts_with('i') && request.sort().empty() && !page.rows.empty()) {
    response->set_next_before_id(page.rows.back().id.value());
  }
  return absl::OkStatus();
}

// The core knows only what lives: of the rest the store says where it stands, and the table what
// that means.
absl::Status CompleteControl(const Deps& deps,
                             const absl::StatusOr<core::Events>& events,
                             core::ExperimentVerb verb,
                             ExperimentId id,
                             pb::ExperimentResponse* response) {
  const bool not_live = ErrorReason(events.status()) == "EXPERIMENT_NOT_LIVE";
  if (!events.ok() && !not_live) return events.status();
  if (not_live) {
    DET_ASSIGN_OR_RETURN(const ended::Standing standing, deps.ended.Where(id));
    if (core::kExperimentVerbTable(verb, standing.state).answer != core::Answer::kNoOp) {
      return ended::Refusal(verb, id, standing);
    }
  }
  DET_ASSIGN_OR_RETURN(const store::ExperimentRow row, deps.store.Experiment(id));
  *response->mutable_experiment() = ToProto(row);
  return absl::OkStatus();
}

core::ExperimentSettings SettingsOf(const pb::ConfigureExperimentRequest& request) {
  core::ExperimentSettings s;
  if (request.has_priority()) s.priority = request.priority();
  if (request.has_weight()) s.weight = request.weight();
  if (request.max_slots_unset()) s.max_slots.emplace();
  if (request.has_max_slots()) s.max_slots = request.max_slots();
  if (request.has_pool()) s.pool = request.pool();
  if (request.log_retention_days_unset()) s.log_retention_days.emplace();
  if (request.has_log_retention_days()) s.log_retention_days = request.log_retention_days();
  return s;
}

absl::StatusOr<std::optional<core::QueueMove>> MoveOf(
    const pb::ConfigureExperimentRequest& request) {
  if (request.has_ahead_of() && request.has_behind_of()) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "INVALID_SETTING",
                 "ahead_of and behind_of exclude each other");
  }
  if (request.has_ahead_of()) return core::QueueMove{ExperimentId(request.ahead_of()), false};
  if (request.has_behind_of()) return core::QueueMove{ExperimentId(request.behind_of()), true};
  return std::nullopt;
}

class Watcher : public PollingWriter<pb::WatchExperimentResponse> {
 public:
  Watcher(const Deps& deps, core::Principal by, ExperimentId id)
      : PollingWriter(deps, kWatchInterval), deps_(deps), by_(std::move(by)), id_(id) {}

 private:
  absl::StatusOr<Step> Next(pb::WatchExperimentResponse* response) override {
    if (!permit_.has_value()) {
      DET_ASSIGN_OR_RETURN(permit_, Permit::ToRead(deps_, by_, id_));
    }
    DET_RETURN_IF_ERROR(permit_->Check(deps_));
    // Nothing durable happened since the last look: what trials say of themselves goes out each
    // second.
    const int64_t seq = deps_.engine.durable_seq();
    const absl::Time now = deps_.clock.Now();
    if (seq == seen_ && now - sent_ < absl::Seconds(1)) return Step::kWait;
    seen_ = seq;
    sent_ = now;
    DET_ASSIGN_OR_RETURN(const store::ExperimentRow row, deps_.store.Experiment(id_));
    DET_ASSIGN_OR_RETURN(
        const auto running,
        deps_.store.Trials({.experiment = id_, .only_running = true, .limit = kRunningShownMax}));
    *response->mutable_experiment() = ToProto(row);
    for (const auto& trial : running) *response->add_running() = ToProto(trial);
    const auto held = static_cast<int64_t>(running.size());
    response->set_trials_waiting(
        std::max<int64_t>(row.trials_created - row.trials_closed - held, 0));
    if (row.ended_at.has_value()) return Step::kLast;
    Estimate(row, now, response);
    return Step::kWrite;
  }

  // From the progress so far, once there is enough of it to go by.
  static void Estimate(const store::ExperimentRow& row,
                       absl::Time now,
                       pb::WatchExperimentResponse* response) {
    if (row.progress < 0.05 || row.state != "ACTIVE") return;
    const double spent = absl::ToDoubleSeconds(now - row.created_at);
    response->set_seconds_left(spent / row.progress * (1 - row.progress));
  }

  const Deps& deps_;
  const core::Principal by_;
  const ExperimentId id_;
  std::optional<Permit> permit_;
  int64_t seen_ = -1;
  absl::Time sent_ = absl::InfinitePast();
};

class ExperimentService final : public pb::ExperimentService::CallbackService {
 public:
  explicit ExperimentService(const Deps& deps) : deps_(deps) {}

  grpc::ServerUnaryReactor* CreateExperiment(grpc::CallbackServerContext* context,
                                             const pb::CreateExperimentRequest* request,
                                             pb::CreateExperimentResponse* response) override {
    const auto held = std::make_shared<Held>();
    return Mutate(
        deps_,
        Wire{context, request, response},
        [this, held](const auto& principal, const auto& req, auto* res) {
          return PrepareCreate(deps_, principal, req, {held.get(), res});
        },
        [this, held](const auto& outcome, const auto&, auto* res) {
          return CompleteCreate(deps_, outcome, res);
        });
  }
  grpc::ServerUnaryReactor* GetExperiment(grpc::CallbackServerContext* context,
                                          const pb::GetExperimentRequest* request,
                                          pb::GetExperimentResponse* response) override {
    return Unary(
        deps_, context, request, response, [this](const auto& by, const auto& req, auto* res) {
          return Get(deps_, by, req, res);
        });
  }
  grpc::ServerUnaryReactor* ListExperiments(grpc::CallbackServerContext* context,
                                            const pb::ListExperimentsRequest* request,
                                            pb::ListExperimentsResponse* response) override {
    return Unary(deps_,
                 context,
                 request,
                 response,
                 [this](const auto& principal, const auto& req, auto* res) {
                   return List(deps_, principal, req, res);
                 });
  }
  grpc::ServerUnaryReactor* PauseExperiment(grpc::CallbackServerContext* context,
                                            const pb::ExperimentRequest* request,
                                            pb::ExperimentResponse* response) override {
    return ControlWith<core::PauseExperiment>(
        core::ExperimentVerb::kPause, context, request, response);
  }
  grpc::ServerUnaryReactor* ActivateExperiment(grpc::CallbackServerContext* context,
                                               const pb::ExperimentRequest* request,
                                               pb::ExperimentResponse* response) override {
    return ControlWith<core::ActivateExperiment>(
        core::ExperimentVerb::kActivate, context, request, response);
  }
  grpc::ServerUnaryReactor* CancelExperiment(grpc::CallbackServerContext* context,
                                             const pb::ExperimentRequest* request,
                                             pb::ExperimentResponse* response) override {
    return ControlWith<core::CancelExperiment>(
        core::ExperimentVerb::kCancel, context, request, response);
  }
  grpc::ServerUnaryReactor* KillExperiment(grpc::CallbackServerContext* context,
                                           const pb::ExperimentRequest* request,
                                           pb::ExperimentResponse* response) override {
    return ControlWith<core::KillExperiment>(
        core::ExperimentVerb::kKill, context, request, response);
  }
  grpc::ServerUnaryReactor* ConfigureExperiment(grpc::CallbackServerContext* context,
                                                const pb::ConfigureExperimentRequest* request,
                                                pb::ExperimentResponse* response) override {
    return Mutate(
        deps_,
        Wire{context, request, response},
        [this](const auto& principal, const auto& req, auto*) -> MaybeCommand {
          const ExperimentId id(req.id());
          DET_RETURN_IF_ERROR(AuthorizeOn(deps_, principal, core::Verb::kControl, id));
          DET_ASSIGN_OR_RETURN(const auto move, MoveOf(req));
          return core::Command{principal, core::ConfigureExperiment{id, SettingsOf(req), move}};
        },
        [this](const auto& outcome, const auto& req, auto* res) {
          return CompleteControl(
              deps_, outcome, core::ExperimentVerb::kConfigure, ExperimentId(req.id()), res);
        });
  }
  grpc::ServerUnaryReactor* ContinueExperiment(grpc::CallbackServerContext* context,
                                               const pb::ContinueExperimentRequest* request,
                                               pb::ExperimentResponse* response) override {
    return Continue(deps_, Wire{context, request, response});
  }
  grpc::ServerUnaryReactor* DeleteExperiment(grpc::CallbackServerContext* context,
                                             const pb::ExperimentRequest* request,
                                             pb::ExperimentResponse* response) override {
    return Delete(deps_, Wire{context, request, response});
  }
  grpc::ServerUnaryReactor* EditExperiments(grpc::CallbackServerContext* context,
                                            const pb::EditExperimentsRequest* request,
                                            pb::EditExperimentsResponse* response) override {
    return Unary(
        deps_, context, request, response, [this](const auto& by, const auto& req, auto* res) {
          return EditEach(deps_, by, req, res);
        });
  }
  grpc::ServerWriteReactor<pb::WatchExperimentResponse>* WatchExperiment(
      grpc::CallbackServerContext* context, const pb::WatchExperimentRequest* request) override {
    const auto principal = AuthenticateUser(deps_, *context);
    if (!principal.ok())
      return new Refused<grpc::ServerWriteReactor<pb::WatchExperimentResponse>>(principal.status());
    auto watcher = std::make_shared<Watcher>(deps_, *principal, ExperimentId(request->id()));
    watcher->Begin();
    return watcher.get();
  }

 private:
  template <class C>
  grpc::ServerUnaryReactor* ControlWith(core::ExperimentVerb verb,
                                        grpc::CallbackServerContext* context,
                                        const pb::ExperimentRequest* request,
                                        pb::ExperimentResponse* response) {
    return Mutate(
        deps_,
        Wire{context, request, response},
        [this](const auto& principal, const auto& req, auto*) -> MaybeCommand {
          // Of one that has ended the core knows nothing.
          const ExperimentId id(req.id());
          DET_RETURN_IF_ERROR(AuthorizeOn(deps_, principal, core::Verb::kControl, id));
          return core::Command{principal, C{id}};
        },
        [this, verb](const auto& outcome, const auto& req, auto* res) {
          return CompleteControl(deps_, outcome, verb, ExperimentId(req.id()), res);
        });
  }

  const Deps& deps_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeExperimentService(const Deps& deps) {
  return std::make_unique<ExperimentService>(deps);
}

}  // namespace det::rpc
