#include <algorithm>
#include <iterator>

#include "det/api/v1/cluster.grpc.pb.h"

#include "master/core/explain.h"
#include "master/core/plan.h"
#include "master/rpc/call.h"
#include "master/rpc/convert.h"
#include "master/rpc/explain_config.h"
#include "master/rpc/health.h"
#include "master/rpc/live_list.h"
#include "master/rpc/services.h"
#include "master/rpc/submitted_config.h"
#include "master/searcher/hparams.h"
#include "master/searcher/preview.h"
#include "master/searcher/searcher.h"

namespace det::rpc {
namespace {

namespace pb = det::api::v1;

constexpr int kSamplesShown = 5;
constexpr int64_t kHistoryMax = 20;

pb::GetClusterResponse GetCluster(const Deps& deps,
                                  const core::Principal& principal,
                                  const core::State& state) {
  pb::GetClusterResponse response;
  response.set_cluster_id(deps.cluster_id);
  response.set_version(deps.version);
  response.set_epoch(deps.engine.epoch());
  response.set_started_unix_nanos(absl::ToUnixNanos(deps.started));
  response.set_user(deps.catalog.directory().NameOf(principal.name));
  int64_t slots = 0, free = 0;
  for (const auto& [name, pool] : state.indexes.view.pools()) {
    slots += pool.slots_total;
    free += pool.slots_free;
  }
  response.set_agents(state.indexes.agents_connected);
  response.set_slots(slots);
  response.set_slots_free(free);
  response.set_experiments_live(static_cast<int64_t>(state.experiments.size()));
  return response;
}

void PutDisabled(const core::Disabled& disabled, pb::Disabled* out) {
  out->set_drain(disabled.drain);
  if (disabled.until != absl::InfiniteFuture())
    out->set_until_unix_nanos(absl::ToUnixNanos(disabled.until));
  *out->mutable_reason() = ToProto(disabled.reason);
}

std::string_view StateOf(const core::Agent& agent, bool holds) {
  if (!agent.connected) return agent.lost ? "LOST" : "AWAY";
  if (!agent.disabled.has_value()) return "CONNECTED";
  return agent.disabled->drain && holds ? "DRAINING" : "DISABLED";
}

void PutAgent(const core::State& state, const core::Agent& agent, pb::Agent* out) {
  out->set_id(agent.id.value());
  out->set_pool(agent.pool);
  out->set_version(agent.version);
  out->set_address(agent.address);
  out->set_state(std::string(StateOf(agent, state.indexes.on_agent.contains(agent.id))));
  if (agent.disabled.has_value()) PutDisabled(*agent.disabled, out->mutable_disabled());
  out->set_since_unix_nanos(absl::ToUnixNanos(agent.since));
  std::map<int, const core::Task*> holders;
  if (const auto on = state.indexes.on_agent.find(agent.id); on != state.indexes.on_agent.end()) {
    for (const auto& [id, task] : on->second) {
      const core::Task* found = state.Find(task);
      for (const int slot : found->allocation->slots) holders[slot] = found;
    }
  }
  for (const core::Slot& slot : agent.slots) {
    pb::Slot* s = out->add_slots();
    s->set_index(slot.index);
    s->set_kind(slot.kind);
    s->set_name(slot.name);
    const auto disabled = agent.disabled_slots.find(slot.index);
    if (disabled != agent.disabled_slots.end())
      PutDisabled(disabled->second, s->mutable_disabled());
    if (const auto holder = holders.find(slot.index); holder != holders.end()) {
      s->set_trial(holder->second->trial.value());
      s->set_allocation(holder->second->allocation->id.value());
    }
  }
}

void PutJob(const core::State& state, const core::Experiment& experiment, pb::Job* job) {
  job->set_experiment(experiment.id.value());
  job->set_name(experiment.spec->name);
  job->set_owner(experiment.owner);
  job->set_pool(experiment.spec->resources.resource_pool);
  job->set_priority(experiment.spec->resources.priority);
  job->set_state(std::string(core::Name(experiment.state)));
  job->set_submitted_unix_nanos(absl::ToUnixNanos(experiment.created_at));
  if (const scheduler::JobState* slots = state.indexes.view.FindJob(experiment.id)) {
    job->set_slots_held(slots->held);
    job->set_slots_waiting(slots->waiting);
  }
}

core::JobPlace FromProto(const pb::JobPlace& place) {
  return {.pool = place.pool(),
          .priority = place.priority(),
          .position = place.position(),
          .id = ExperimentId(place.experiment())};
}

void PutPlace(const core::JobPlace& place, pb::JobPlace* out) {
  out->set_pool(place.pool);
  out->set_priority(place.priority);
  out->set_position(place.position);
  out->set_experiment(place.id.value());
}

absl::StatusOr<pb::ListJobsResponse> ListJobs(const Deps& deps,
                                              const core::Principal& by,
                                              const core::State& state,
                                              const pb::ListJobsRequest& request) {
  pb::ListJobsResponse response;
  const auto& jobs = state.indexes.jobs;
  DET_ASSIGN_OR_RETURN(auto list, LiveList<pb::Job>::Make(JobFields(), request, deps.clock.Now()));
  auto job = request.has_after() ? jobs.upper_bound(FromProto(request.after())) : jobs.begin();
  for (; job != jobs.end() && list.Wants(); ++job) {
    const core::Experiment& experiment = *state.Find(job->id);
    if (!core::Sees(by, experiment.workspace)) {
      list.Pass();
      continue;
    }
    pb::Job candidate;
    PutJob(state, experiment, &candidate);
    candidate.set_owner(deps.catalog.directory().NameOf(candidate.owner()));
    list.Add(std::move(candidate));
  }
  const bool more = job != jobs.end();
  if (more && !list.sorted()) PutPlace(*std::prev(job), response.mutable_next_after());
  DET_RETURN_IF_ERROR(list.Finish(more, response.mutable_jobs(), response.mutable_next_page()));
  return response;
}

// The core knows them by the names they came with.
absl::Status NameJobs(const Deps& deps, pb::ListJobsResponse* response) {
  std::vector<ExperimentId> ids;
  for (const pb::Job& job : response->jobs()) ids.emplace_back(job.experiment());
  DET_ASSIGN_OR_RETURN(const auto names, deps.store.Names(ids));
  for (pb::Job& job : *response->mutable_jobs()) {
    const auto name = names.find(ExperimentId(job.experiment()));
    if (name != names.end()) job.set_name(name->second);
  }
  return absl::OkStatus();
}

absl::StatusOr<pb::ListAgentsResponse> ListAgents(const core::State& state,
                                                  const pb::ListAgentsRequest& request,
                                                  absl::Time now) {
  pb::ListAgentsResponse response;
  DET_ASSIGN_OR_RETURN(auto list, LiveList<pb::Agent>::Make(AgentFields(), request, now));
  auto agent = state.agents.upper_bound(AgentId(request.after_id()));
  for (; agent != state.agents.end() && list.Wants(); ++agent) {
    pb::Agent candidate;
    PutAgent(state, agent->second, &candidate);
    list.Add(std::move(candidate));
  }
  const bool more = agent != state.agents.end();
  if (more && !list.sorted()) response.set_next_after_id(std::prev(agent)->first.value());
  DET_RETURN_IF_ERROR(list.Finish(more, response.mutable_agents(), response.mutable_next_page()));
  return response;
}

void PutExplanation(const core::Explanation& why, pb::ExplainResponse* response) {
  response->set_subject(why.subject);
  response->set_state(why.state);
  *response->mutable_reason() = ToProto(why.reason);
  for (const std::string& detail : why.details) response->add_details(detail);
}

// Of a thing that has ended: the store's last word on it.
absl::Status ExplainEnded(const Deps& deps,
                          const pb::ExplainRequest& request,
                          pb::ExplainResponse* response) {
  response->set_subject(StrCat(request.kind(), " ", request.id()));
  if (request.kind() == "experiment") {
    DET_ASSIGN_OR_RETURN(const auto row, deps.store.Experiment(ExperimentId(request.id())));
    *response->mutable_reason() = ToProto(row).reason();
    response->set_state(row.state);
  } else if (request.kind() == "trial") {
    DET_ASSIGN_OR_RETURN(const auto row, deps.store.Trial(TrialId(request.id())));
    *response->mutable_reason() = ToProto(row).reason();
    response->set_state(row.state);
  } else if (response->history_size() == 0) {
    return Error(absl::StatusCode::kNotFound,
                 "ALLOCATION_NOT_FOUND",
                 StrCat("allocation ", request.id(), " does not exist"));
  } else {
    response->set_state(response->history().rbegin()->to_state());
  }
  return absl::OkStatus();
}

absl::Status MayBeTold(const Deps& deps,
                       const core::Principal& by,
                       const pb::ExplainRequest& request) {
  if (request.kind() != "experiment" && request.kind() != "trial" &&
      request.kind() != "allocation") {
    return Error(absl::StatusCode::kInvalidArgument,
                 "INVALID_KIND",
                 "the kind must be experiment, trial or allocation");
  }
  if (request.kind() == "experiment")
    return AuthorizeOn(deps, by, core::Verb::kRead, ExperimentId(request.id()));
  if (request.kind() == "trial")
    return AuthorizeOn(deps, by, core::Verb::kRead, TrialId(request.id()));
  return AuthorizeOn(deps, by, core::Verb::kRead, AllocationId(request.id()));
}

absl::StatusOr<core::Explanation> Explain(const core::State& state,
                                          const pb::ExplainRequest& request,
                                          absl::Time now) {
  if (request.kind() == "experiment") return core::Explain(state, ExperimentId(request.id()), now);
  if (request.kind() == "trial") return core::Explain(state, TrialId(request.id()), now);
  return core::Explain(state, AllocationId(request.id()), now);
}

// A trial that was told to leave since its own last reason is where it is because of that.
void PutLastOrder(pb::ExplainResponse* response) {
  if (response->state() != "QUEUED" && response->state() != "STARTING") return;
  const auto& history = response->history();
  const auto told = std::find_if(history.rbegin(), history.rend(), [](const pb::Transition& line) {
    return line.to_state().starts_with("TOLD_TO_");
  });
  pb::Reason* reason = response->mutable_reason();
  if (told == history.rend() || told->at_unix_nanos() <= reason->since_unix_nanos()) return;
  reason->set_code(told->code());
  reason->set_text(told->text());
  reason->set_actor(told->actor());
  reason->set_since_unix_nanos(told->at_unix_nanos());
}

absl::Status TellExplanation(const Deps& deps,
                             const absl::StatusOr<core::Explanation>& why,
                             const pb::ExplainRequest& request,
                             pb::ExplainResponse* response) {
  DET_ASSIGN_OR_RETURN(
      const auto history,
      deps.store.History(request.kind(), std::to_string(request.id()), kHistoryMax));
  for (const auto& line : history) *response->add_history() = ToProto(line);
  if (!why.ok()) return ExplainEnded(deps, request, response);
  PutExplanation(*why, response);
  PutLastOrder(response);
  return absl::OkStatus();
}

// Whether it may be told is asked first: to look costs the engine's thread time.
grpc::ServerUnaryReactor* ExplainTo(const Deps& deps,
                                    Wire<pb::ExplainRequest, pb::ExplainResponse> call) {
  grpc::ServerUnaryReactor* reactor = call.context->DefaultReactor();
  const auto ending = std::make_shared<Ending>(*call.context, reactor);
  const std::optional<core::Principal> principal = AuthorOf(deps, *call.context, *ending);
  if (!principal.has_value()) return reactor;
  const auto explain = [=, &deps, by = *principal, request = *call.request] {
    const absl::Status allowed = MayBeTold(deps, by, request);
    if (!allowed.ok()) return ending->Finish(allowed);
    ReadState(deps, ending, [=, &deps](const core::State& state) -> Tell {
      return [=, &deps, why = Explain(state, request, deps.clock.Now())]() -> absl::Status {
        return TellExplanation(deps, why, request, call.response);
      };
    });
  };
  if (!deps.pool.Post(explain)) ending->Finish(TooManyCalls());
  return reactor;
}

// What a request that records nothing says of a configuration.
template <class Request>
absl::StatusOr<config::ParsedConfig> ReadAsked(const Deps& deps,
                                               const core::Principal& by,
                                               const Request& request) {
  return ReadSubmitted(deps,
                       by,
                       {.text = request.config(),
                        .name = request.config_name(),
                        .overrides = {request.overrides().begin(), request.overrides().end()},
                        .template_name = request.template_()});
}

absl::Status PreviewSearch(const Deps& deps,
                           const core::Principal& by,
                           const pb::PreviewSearchRequest& request,
                           pb::PreviewSearchResponse* response) {
  DET_ASSIGN_OR_RETURN(const config::ParsedConfig parsed, ReadAsked(deps, by, request));
  for (const std::string& warning : parsed.warnings) response->add_warnings(warning);
  response->set_searcher(std::string(spec::SearcherName(parsed.spec.searcher)));
  const searcher::Config config{parsed.spec.searcher, parsed.spec.hparams, parsed.spec.seed};
  for (const searcher::PlannedTrials& planned : searcher::Preview(config)) {
    pb::PlannedTrials* out = response->add_planned();
    out->set_bracket(planned.bracket);
    out->set_trials(planned.trials);
    out->set_units(planned.units);
    out->set_time_metric(planned.time_metric);
  }
  for (const searcher::RequestId first : searcher::FirstRequests(config, kSamplesShown)) {
    response->add_samples_json(searcher::Point(config, first).ToJson());
  }
  return absl::OkStatus();
}

absl::StatusOr<config::ParsedConfig> ParsePlanned(const Deps& deps,
                                                  const core::Principal& by,
                                                  const pb::PlanExperimentRequest& request) {
  if (!(request.units_per_second() >= 0)) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "INVALID_SPEED",
                 "units_per_second must not be negative");
  }
  DET_ASSIGN_OR_RETURN(config::ParsedConfig parsed, ReadAsked(deps, by, request));
  // Quotas go by it.
  DET_ASSIGN_OR_RETURN(const catalog::Placement place,
                       deps.catalog.Place(by, {parsed.spec.workspace, parsed.spec.project}));
  parsed.spec.workspace = place.names.workspace;
  parsed.spec.project = place.names.project;
  return parsed;
}

void PutSearch(const config::ParsedConfig& parsed, double speed, pb::PlanExperimentResponse* out) {
  const spec::ExperimentSpec& spec = parsed.spec;
  for (const std::string& warning : parsed.warnings) out->add_warnings(warning);
  out->set_searcher(std::string(spec::SearcherName(spec.searcher)));
  out->set_pool(spec.resources.resource_pool);
  out->set_slots_per_trial(spec.resources.slots_per_trial);
  int64_t trials = 0;
  int64_t units = 0;
  bool known = true;
  for (const searcher::PlannedTrials& planned :
       searcher::Preview({spec.searcher, spec.hparams, spec.seed})) {
    trials += planned.trials;
    units += planned.trials * planned.units;
    known = known && planned.units > 0;
    if (!planned.time_metric.empty()) out->set_time_metric(planned.time_metric);
  }
  out->set_trials(trials);
  if (!known) return;
  out->set_units(units);
  out->set_slot_units(static_cast<double>(units) *
                      static_cast<double>(spec.resources.slots_per_trial));
  if (speed > 0) out->set_slot_hours(out->slot_units() / speed / 3600);
}

void PutPlan(const core::ExperimentPlan& plan, pb::PlanExperimentResponse* out) {
  out->set_trials_at_once(plan.at_once);
  for (const auto& [agent, trials] : plan.starts) {
    pb::PlannedStart* start = out->add_starts();
    start->set_agent(agent.value());
    start->set_trials(trials);
    start->set_slots(trials * out->slots_per_trial());
  }
  out->set_preempts(plan.preempts);
  out->set_waits(plan.waits);
  out->set_impossible(plan.impossible);
  if (plan.starts_in.has_value()) {
    out->set_starts_in_seconds(absl::ToInt64Seconds(*plan.starts_in));
  }
}

// The configuration is read on the pool; only then does the engine's thread look.
grpc::ServerUnaryReactor* Plan(const Deps& deps,
                               Wire<pb::PlanExperimentRequest, pb::PlanExperimentResponse> call) {
  grpc::ServerUnaryReactor* reactor = call.context->DefaultReactor();
  const auto ending = std::make_shared<Ending>(*call.context, reactor);
  const std::optional<core::Principal> principal = AuthorOf(deps, *call.context, *ending);
  if (!principal.has_value()) return reactor;
  const auto plan = [=, &deps, by = *principal, request = *call.request] {
    absl::StatusOr<config::ParsedConfig> parsed = ParsePlanned(deps, by, request);
    if (!parsed.ok()) return ending->Finish(parsed.status());
    const std::string& owner = by.name;
    ReadState(deps, ending, [=, &deps, parsed = *parsed](const core::State& state) -> Tell {
      return [=,
              found = core::PlanExperiment(
                  state, parsed.spec, owner, deps.clock.Now())]() -> absl::Status {
        DET_RETURN_IF_ERROR(found.status());
        PutSearch(parsed, request.units_per_second(), call.response);
        PutPlan(*found, call.response);
        return absl::OkStatus();
      };
    });
  };
  if (!deps.pool.Post(plan)) ending->Finish(TooManyCalls());
  return reactor;
}

// The answer was made where the state was read.
constexpr auto kAsFound = [](auto found, const auto&, auto* response) {
  *response = std::move(found);
  return absl::OkStatus();
};
constexpr auto kIfFound = [](auto found, const auto&, auto* response) {
  if (found.ok()) *response = *std::move(found);
  return found.status();
};

template <class Request>
std::optional<int> SlotOf(const Request& request) {
  return request.has_slot() ? std::optional<int>(request.slot()) : std::nullopt;
}

core::DisableAgent FromProto(const pb::DisableAgentRequest& request) {
  const bool bounded = request.drain() && request.drain_seconds() != 0;
  return {.id = AgentId(request.id()),
          .slot = SlotOf(request),
          .drain = request.drain(),
          .drain_for = bounded ? absl::Seconds(request.drain_seconds()) : absl::InfiniteDuration(),
          .note = request.note()};
}

class ClusterService final : public pb::ClusterService::CallbackService {
 public:
  explicit ClusterService(const Deps& deps) : deps_(deps) {}

  grpc::ServerUnaryReactor* GetCluster(grpc::CallbackServerContext* context,
                                       const pb::GetClusterRequest* request,
                                       pb::GetClusterResponse* response) override {
    return FromState(
        deps_,
        Wire{context, request, response},
        [this](const auto& principal, const auto&, const core::State& state) {
          return rpc::GetCluster(deps_, principal, state);
        },
        kAsFound);
  }
  grpc::ServerUnaryReactor* GetHealth(grpc::CallbackServerContext* context,
                                      const pb::GetHealthRequest* request,
                                      pb::GetHealthResponse* response) override {
    return Unary(deps_, context, request, response, [this](const auto&, const auto&, auto* res) {
      PutHealth(deps_, res);
      return absl::OkStatus();
    });
  }
  grpc::ServerUnaryReactor* ListAgents(grpc::CallbackServerContext* context,
                                       const pb::ListAgentsRequest* request,
                                       pb::ListAgentsResponse* response) override {
    return FromState(
        deps_,
        Wire{context, request, response},
        [this](const auto&, const auto& req, const core::State& state) {
          return rpc::ListAgents(state, req, deps_.clock.Now());
        },
        kIfFound);
  }
  grpc::ServerUnaryReactor* DisableAgent(grpc::CallbackServerContext* context,
                                         const pb::DisableAgentRequest* request,
                                         pb::DisableAgentResponse* response) override {
    return Mutate(
        deps_,
        Wire{context, request, response},
        [](const auto& principal, const auto& req, auto*) -> MaybeCommand {
          return core::Command{principal, FromProto(req)};
        },
        [](const auto& outcome, const auto&, auto*) { return outcome.status(); });
  }
  grpc::ServerUnaryReactor* EnableAgent(grpc::CallbackServerContext* context,
                                        const pb::EnableAgentRequest* request,
                                        pb::EnableAgentResponse* response) override {
    return Mutate(
        deps_,
        Wire{context, request, response},
        [](const auto& principal, const auto& req, auto*) -> MaybeCommand {
          return core::Command{principal, core::EnableAgent{AgentId(req.id()), SlotOf(req)}};
        },
        [](const auto& outcome, const auto&, auto*) { return outcome.status(); });
  }
  grpc::ServerUnaryReactor* ListJobs(grpc::CallbackServerContext* context,
                                     const pb::ListJobsRequest* request,
                                     pb::ListJobsResponse* response) override {
    return FromState(
        deps_,
        Wire{context, request, response},
        [this](const auto& by, const auto& req, const core::State& state) {
          return rpc::ListJobs(deps_, by, state, req);
        },
        [this](auto found, const auto&, auto* res) -> absl::Status {
          DET_RETURN_IF_ERROR(found.status());
          *res = *std::move(found);
          return NameJobs(deps_, res);
        });
  }
  grpc::ServerUnaryReactor* Explain(grpc::CallbackServerContext* context,
                                    const pb::ExplainRequest* request,
                                    pb::ExplainResponse* response) override {
    return ExplainTo(deps_, Wire{context, request, response});
  }
  grpc::ServerUnaryReactor* PreviewSearch(grpc::CallbackServerContext* context,
                                          const pb::PreviewSearchRequest* request,
                                          pb::PreviewSearchResponse* response) override {
    return Unary(
        deps_, context, request, response, [this](const auto& by, const auto& req, auto* res) {
          return rpc::PreviewSearch(deps_, by, req, res);
        });
  }
  grpc::ServerUnaryReactor* PlanExperiment(grpc::CallbackServerContext* context,
                                           const pb::PlanExperimentRequest* request,
                                           pb::PlanExperimentResponse* response) override {
    return Plan(deps_, Wire{context, request, response});
  }
  grpc::ServerUnaryReactor* ExplainConfig(grpc::CallbackServerContext* context,
                                          const pb::ExplainConfigRequest* request,
                                          pb::ExplainConfigResponse* response) override {
    return Unary(deps_, context, request, response, [](const auto&, const auto& req, auto* res) {
      return rpc::ExplainConfig(req, res);
    });
  }

 private:
  const Deps& deps_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeClusterService(const Deps& deps) {
  return std::make_unique<ClusterService>(deps);
}

}  // namespace det::rpc
