#include <iterator>

#include "det/api/v1/cluster.grpc.pb.h"

#include "master/config/experiment_config.h"
#include "master/core/explain.h"
#include "master/rpc/call.h"
#include "master/rpc/convert.h"
#include "master/rpc/services.h"
#include "master/searcher/hparams.h"
#include "master/searcher/preview.h"
#include "master/searcher/searcher.h"

namespace det::rpc {
namespace {

namespace pb = det::api::v1;

constexpr int kSamplesShown = 5;
constexpr int64_t kHistoryMax = 20;
// A page is made on the core thread.
constexpr int64_t kPageDefault = 100;
constexpr int64_t kPageMax = 1000;

pb::GetClusterResponse GetCluster(const Deps& deps,
                                  const core::Principal& principal,
                                  const core::State& state) {
  pb::GetClusterResponse response;
  response.set_cluster_id(deps.cluster_id);
  response.set_version(deps.version);
  response.set_epoch(deps.engine.epoch());
  response.set_started_unix_nanos(absl::ToUnixNanos(deps.started));
  response.set_user(deps.catalog.directory().NameOf(principal.name));
  int64_t agents = 0, slots = 0, free = 0;
  for (const auto& [id, agent] : state.agents) agents += agent.connected ? 1 : 0;
  for (const auto& [name, pool] : state.indexes.view.pools()) {
    slots += pool.slots_total;
    free += pool.slots_free;
  }
  response.set_agents(agents);
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
  const auto& slots = state.indexes.job_slots;
  if (const auto found = slots.find(experiment.queue_position); found != slots.end()) {
    job->set_slots_held(found->second.held);
    job->set_slots_waiting(found->second.waiting);
  }
}

core::JobPlace FromProto(const pb::JobPlace& place) {
  return {.pool = place.pool(), .priority = place.priority(), .position = place.position()};
}

void PutPlace(const core::JobPlace& place, pb::JobPlace* out) {
  out->set_pool(place.pool);
  out->set_priority(place.priority);
  out->set_position(place.position);
}

pb::ListJobsResponse ListJobs(const core::Principal& by,
                              const core::State& state,
                              const pb::ListJobsRequest& request) {
  pb::ListJobsResponse response;
  const auto& jobs = state.indexes.jobs;
  const int64_t limit = Limit(request.limit(), kPageDefault, kPageMax);
  auto job = request.has_after() ? jobs.upper_bound(FromProto(request.after())) : jobs.begin();
  // A page looks at so many at the most, seen by the caller or not.
  for (int64_t left = kPageMax; job != jobs.end() && response.jobs_size() < limit && left > 0;
       ++job, --left) {
    const core::Experiment& experiment = *state.Find(job->second);
    if (core::AccessOf(by, experiment.workspace) >= core::Access::kViewer)
      PutJob(state, experiment, response.add_jobs());
  }
  if (job != jobs.end()) PutPlace(std::prev(job)->first, response.mutable_next_after());
  return response;
}

pb::ListAgentsResponse ListAgents(const core::State& state, const pb::ListAgentsRequest& request) {
  pb::ListAgentsResponse response;
  const int64_t limit = Limit(request.limit(), kPageDefault, kPageMax);
  auto agent = state.agents.upper_bound(AgentId(request.after_id()));
  for (; agent != state.agents.end() && response.agents_size() < limit; ++agent)
    PutAgent(state, agent->second, response.add_agents());
  if (agent != state.agents.end()) response.set_next_after_id(std::prev(agent)->first.value());
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

// What is explained, and who asks.
struct Explained {
  core::Principal by;
  absl::StatusOr<core::Explanation> why;
};

absl::Status MayBeTold(const Deps& deps,
                       const core::Principal& by,
                       const pb::ExplainRequest& request) {
  if (request.kind() == "experiment")
    return AuthorizeOn(deps, by, core::Verb::kRead, ExperimentId(request.id()));
  if (request.kind() == "trial")
    return AuthorizeOn(deps, by, core::Verb::kRead, TrialId(request.id()));
  return AuthorizeOn(deps, by, core::Verb::kRead, AllocationId(request.id()));
}

// A kind that is none of them is refused where the answer is told.
absl::StatusOr<core::Explanation> Explain(const core::State& state,
                                          const pb::ExplainRequest& request,
                                          absl::Time now) {
  if (request.kind() == "experiment") return core::Explain(state, ExperimentId(request.id()), now);
  if (request.kind() == "trial") return core::Explain(state, TrialId(request.id()), now);
  return core::Explain(state, AllocationId(request.id()), now);
}

absl::Status TellExplanation(const Deps& deps,
                             const Explained& found,
                             const pb::ExplainRequest& request,
                             pb::ExplainResponse* response) {
  if (request.kind() != "experiment" && request.kind() != "trial" &&
      request.kind() != "allocation") {
    return Error(absl::StatusCode::kInvalidArgument,
                 "INVALID_KIND",
                 "the kind must be experiment, trial or allocation");
  }
  DET_RETURN_IF_ERROR(MayBeTold(deps, found.by, request));
  DET_ASSIGN_OR_RETURN(
      const auto history,
      deps.store.History(request.kind(), std::to_string(request.id()), kHistoryMax));
  for (const auto& line : history) *response->add_history() = ToProto(line);
  if (!found.why.ok()) return ExplainEnded(deps, request, response);
  PutExplanation(*found.why, response);
  return absl::OkStatus();
}

absl::Status PreviewSearch(const Deps& deps,
                           const pb::PreviewSearchRequest& request,
                           pb::PreviewSearchResponse* response) {
  DET_ASSIGN_OR_RETURN(
      const config::ParsedConfig parsed,
      config::ParseExperimentConfig(
          {.text = request.config(),
           .name = request.config_name().empty() ? "configuration" : request.config_name(),
           .overrides = {request.overrides().begin(), request.overrides().end()}},
          deps.defaults));
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

// The answer was made where the state was read.
constexpr auto kAsFound = [](auto found, const auto&, auto* response) {
  *response = std::move(found);
  return absl::OkStatus();
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
  grpc::ServerUnaryReactor* ListAgents(grpc::CallbackServerContext* context,
                                       const pb::ListAgentsRequest* request,
                                       pb::ListAgentsResponse* response) override {
    return FromState(
        deps_,
        Wire{context, request, response},
        [](const auto&, const auto& req, const core::State& state) {
          return rpc::ListAgents(state, req);
        },
        kAsFound);
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
        [](const auto& by, const auto& req, const core::State& state) {
          return rpc::ListJobs(by, state, req);
        },
        [this](auto found, const auto&, auto* res) {
          *res = std::move(found);
          const catalog::Directory& directory = deps_.catalog.directory();
          for (pb::Job& job : *res->mutable_jobs()) job.set_owner(directory.NameOf(job.owner()));
          return absl::OkStatus();
        });
  }
  grpc::ServerUnaryReactor* Explain(grpc::CallbackServerContext* context,
                                    const pb::ExplainRequest* request,
                                    pb::ExplainResponse* response) override {
    return FromState(
        deps_,
        Wire{context, request, response},
        [this](const auto& by, const auto& req, const core::State& state) {
          return Explained{by, rpc::Explain(state, req, deps_.clock.Now())};
        },
        [this](const auto& found, const auto& req, auto* res) {
          return TellExplanation(deps_, found, req, res);
        });
  }
  grpc::ServerUnaryReactor* PreviewSearch(grpc::CallbackServerContext* context,
                                          const pb::PreviewSearchRequest* request,
                                          pb::PreviewSearchResponse* response) override {
    return Unary(
        deps_, context, request, response, [this](const auto&, const auto& req, auto* res) {
          return rpc::PreviewSearch(deps_, req, res);
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
