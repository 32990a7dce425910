#include "cli/testing/fake_services.h"

#include <algorithm>
#include <tuple>

#include "cli/view/experiment_view.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/digest/sha256.h"

namespace det::cli {
namespace {

template <class Map>
void AppendHistory(const Map& histories,
                   int64_t id,
                   google::protobuf::RepeatedPtrField<api::Transition>* out) {
  const auto at = histories.find(id);
  if (at == histories.end()) return;
  for (const api::Transition& transition : at->second) *out->Add() = transition;
}

bool TrialEnded(const Model& model, int64_t id) {
  const auto at = model.trials.find(id);
  if (at == model.trials.end()) return true;
  const std::string& state = at->second.state();
  return state == "COMPLETED" || state == "CANCELED" || state == "ERROR";
}

bool HoldsSlots(const api::Trial& trial) {
  return trial.slots_size() > 0;
}

api::WatchExperimentResponse WatchOf(const Model& model, int64_t id) {
  api::WatchExperimentResponse response;
  *response.mutable_experiment() = model.experiments.at(id);
  for (const auto& [trial_id, trial] : model.trials) {
    if (trial.experiment() == id && HoldsSlots(trial)) *response.add_running() = trial;
  }
  if (const auto at = model.trials_waiting.find(id); at != model.trials_waiting.end()) {
    response.set_trials_waiting(at->second);
  }
  if (const auto at = model.seconds_left.find(id); at != model.seconds_left.end()) {
    response.set_seconds_left(at->second);
  }
  return response;
}

}  // namespace

grpc::Status FakeExperiments::CreateExperiment(ServerContext* context,
                                               const api::CreateExperimentRequest* request,
                                               api::CreateExperimentResponse* response) {
  return state_->Serve(context, "CreateExperiment", [&](Model& model) {
    model.created.push_back(*request);
    for (const std::string& warning : model.warnings) response->add_warnings(warning);
    response->set_effective_config(R"({"name":"new","searcher":{"name":"single"}})");
    if (request->validate_only()) return grpc::Status::OK;
    const std::string& sha256 = request->context_sha256();
    if (!sha256.empty() && !model.contexts.contains(sha256)) {
      return ToGrpc(Error(absl::StatusCode::kFailedPrecondition,
                          "CONTEXT_MISSING",
                          StrCat("context ", sha256, " was never uploaded")));
    }
    const int64_t id = model.experiments.empty() ? 1 : model.experiments.rbegin()->first + 1;
    api::Experiment& experiment = model.experiments[id];
    experiment.set_id(id);
    experiment.set_name("new");
    experiment.set_owner("ann");
    experiment.set_metric("accuracy");
    experiment.set_searcher("single");
    experiment.set_state(request->paused() ? "PAUSED" : "ACTIVE");
    experiment.set_created_unix_nanos(model.cluster.started_unix_nanos());
    *response->mutable_experiment() = experiment;
    return grpc::Status::OK;
  });
}

grpc::Status FakeExperiments::GetExperiment(ServerContext* context,
                                            const api::GetExperimentRequest* request,
                                            api::GetExperimentResponse* response) {
  return state_->Serve(context, "GetExperiment", [&](Model& model) {
    const auto at = model.experiments.find(request->id());
    if (at == model.experiments.end()) return NotFound("experiment", request->id());
    *response->mutable_experiment() = at->second;
    response->set_effective_config(model.configs[request->id()]);
    if (request->with_submitted()) response->set_submitted_config("name: as given  # so\n");
    AppendHistory(model.experiment_histories, request->id(), response->mutable_history());
    return grpc::Status::OK;
  });
}

// What a list was asked for, for tests to look at.
template <class Request>
void NoteList(const Request& request, Model* model) {
  model->list_asked = StrCat(request.filter(), "|", StrJoin(request.sort(), ","));
}

grpc::Status FakeExperiments::ListExperiments(ServerContext* context,
                                              const api::ListExperimentsRequest* request,
                                              api::ListExperimentsResponse* response) {
  return state_->Serve(context, "ListExperiments", [&](Model& model) {
    NoteList(*request, &model);
    const int limit = request->limit() == 0 ? 100 : std::min(request->limit(), 1000);
    const int64_t before = request->page().empty() ? 0 : std::stoll(request->page());
    for (auto at = model.experiments.rbegin(); at != model.experiments.rend(); ++at) {
      if (before != 0 && at->first >= before) continue;
      if (request->only_mine() && at->second.owner() != model.cluster.user()) continue;
      if (response->experiments_size() == limit) {
        response->set_next_page(StrCat(response->experiments(limit - 1).id()));
        break;
      }
      *response->add_experiments() = at->second;
    }
    return grpc::Status::OK;
  });
}

grpc::Status FakeExperiments::MoveTo(ServerContext* context,
                                     int64_t id,
                                     const Move& move,
                                     api::ExperimentResponse* response) {
  return state_->Serve(context, move.call, [&](Model& model) {
    const auto at = model.experiments.find(id);
    if (at == model.experiments.end()) return NotFound("experiment", id);
    api::Experiment& experiment = at->second;
    const bool may = move.from.empty() ? !HasEnded(experiment) : experiment.state() == move.from;
    if (!may) {
      return ToGrpc(Error(absl::StatusCode::kFailedPrecondition,
                          "WRONG_STATE",
                          StrCat("experiment ", id, " is ", experiment.state()),
                          StrCat("det why ", id, " says more")));
    }
    experiment.set_state(move.to);
    *response->mutable_experiment() = experiment;
    return grpc::Status::OK;
  });
}

grpc::Status FakeExperiments::PauseExperiment(ServerContext* context,
                                              const api::ExperimentRequest* request,
                                              api::ExperimentResponse* response) {
  return MoveTo(context, request->id(), {"PauseExperiment", "ACTIVE", "PAUSED"}, response);
}
grpc::Status FakeExperiments::ActivateExperiment(ServerContext* context,
                                                 const api::ExperimentRequest* request,
                                                 api::ExperimentResponse* response) {
  return MoveTo(context, request->id(), {"ActivateExperiment", "PAUSED", "ACTIVE"}, response);
}
grpc::Status FakeExperiments::CancelExperiment(ServerContext* context,
                                               const api::ExperimentRequest* request,
                                               api::ExperimentResponse* response) {
  return MoveTo(context, request->id(), {"CancelExperiment", "", "STOPPING_CANCELED"}, response);
}
grpc::Status FakeExperiments::KillExperiment(ServerContext* context,
                                             const api::ExperimentRequest* request,
                                             api::ExperimentResponse* response) {
  return MoveTo(context, request->id(), {"KillExperiment", "", "CANCELED"}, response);
}

grpc::Status FakeExperiments::WatchExperiment(
    ServerContext* context,
    const api::WatchExperimentRequest* request,
    grpc::ServerWriter<api::WatchExperimentResponse>* writer) {
  const int64_t id = request->id();
  const grpc::Status admitted = state_->Serve(context, "WatchExperiment", [&](Model& model) {
    return model.experiments.contains(id) ? grpc::Status::OK : NotFound("experiment", id);
  });
  if (!admitted.ok()) return admitted;
  std::string last;
  return state_->Stream(context, [&](Model& model) {
    const api::WatchExperimentResponse response = WatchOf(model, id);
    std::string bytes = response.SerializeAsString();
    if (bytes != last) writer->Write(response);
    last = std::move(bytes);
    return !HasEnded(response.experiment());
  });
}

grpc::Status FakeExperiments::DeleteExperiment(ServerContext* context,
                                               const api::ExperimentRequest* request,
                                               api::ExperimentResponse* response) {
  return MoveTo(context, request->id(), {"DeleteExperiment", "COMPLETED", "DELETING"}, response);
}
grpc::Status FakeExperiments::ContinueExperiment(ServerContext* context,
                                                 const api::ContinueExperimentRequest* request,
                                                 api::ExperimentResponse* response) {
  return MoveTo(context, request->id(), {"ContinueExperiment", "COMPLETED", "ACTIVE"}, response);
}
grpc::Status FakeExperiments::ConfigureExperiment(ServerContext* context,
                                                  const api::ConfigureExperimentRequest* request,
                                                  api::ExperimentResponse* response) {
  return state_->Serve(context, "ConfigureExperiment", [&](Model& model) {
    const auto at = model.experiments.find(request->id());
    if (at == model.experiments.end()) return NotFound("experiment", request->id());
    if (request->has_priority()) at->second.set_priority(request->priority());
    if (request->has_pool()) at->second.set_pool(request->pool());
    *response->mutable_experiment() = at->second;
    return grpc::Status::OK;
  });
}

grpc::Status FakeTrials::KillTrial(ServerContext* context,
                                   const api::KillTrialRequest* request,
                                   api::KillTrialResponse* response) {
  return state_->Serve(context, "KillTrial", [&](Model& model) {
    const auto at = model.trials.find(request->id());
    if (at == model.trials.end()) return NotFound("trial", request->id());
    at->second.set_state("STOPPING_KILLED");
    *response->mutable_trial() = at->second;
    return grpc::Status::OK;
  });
}
grpc::Status FakeTrials::GetTrial(ServerContext* context,
                                  const api::GetTrialRequest* request,
                                  api::GetTrialResponse* response) {
  return state_->Serve(context, "GetTrial", [&](Model& model) {
    const auto at = model.trials.find(request->id());
    if (at == model.trials.end()) return NotFound("trial", request->id());
    *response->mutable_trial() = at->second;
    AppendHistory(model.trial_histories, request->id(), response->mutable_history());
    return grpc::Status::OK;
  });
}

grpc::Status FakeTrials::ListTrials(ServerContext* context,
                                    const api::ListTrialsRequest* request,
                                    api::ListTrialsResponse* response) {
  return state_->Serve(context, "ListTrials", [&](Model& model) {
    NoteList(*request, &model);
    const auto owner = model.experiments.find(request->experiment());
    const bool all = request->experiment() == 0;
    if (owner == model.experiments.end() && !all) {
      return NotFound("experiment", request->experiment());
    }
    std::vector<api::Trial> trials;
    for (const auto& [id, trial] : model.trials) {
      const bool live = !trial.agent().empty() || !request->only_live();
      if (live && (all || trial.experiment() == request->experiment())) trials.push_back(trial);
    }
    if (!all && request->order() == api::ListTrialsRequest::ORDER_BY_BEST) {
      const double sign = owner->second.smaller_is_better() ? 1 : -1;
      std::stable_sort(trials.begin(), trials.end(), [&](const auto& a, const auto& b) {
        if (!a.has_best_metric() || !b.has_best_metric()) return a.has_best_metric();
        return sign * a.best_metric() < sign * b.best_metric();
      });
    }
    response->set_total(static_cast<int64_t>(trials.size()));
    const int limit = request->limit() == 0 ? 100 : std::min(request->limit(), 1000);
    for (size_t i = request->page().empty() ? 0 : std::stoul(request->page()); i < trials.size();
         ++i) {
      if (response->trials_size() == limit) {
        response->set_next_page(StrCat(i));
        break;
      }
      *response->add_trials() = trials[i];
    }
    return grpc::Status::OK;
  });
}

constexpr int kMetricsPageMax = 2;

grpc::Status FakeTrials::GetMetrics(ServerContext* context,
                                    const api::GetMetricsRequest* request,
                                    api::GetMetricsResponse* response) {
  return state_->Serve(context, "GetMetrics", [&](Model& model) {
    if (!model.trials.contains(request->trial())) return NotFound("trial", request->trial());
    // A place is the number of points up to it; a page is smaller than what may be asked for.
    const std::vector<api::MetricPoint>& points = model.metrics[request->trial()];
    const int limit = std::min(request->limit(), kMetricsPageMax);
    for (auto i = static_cast<size_t>(request->after().seq()); i < points.size(); ++i) {
      if (!request->group().empty() && points[i].group() != request->group()) continue;
      if (response->points_size() == limit) {
        response->mutable_next_after()->set_seq(static_cast<int64_t>(i));
        break;
      }
      *response->add_points() = points[i];
    }
    return grpc::Status::OK;
  });
}

// A summary a page.
grpc::Status FakeTrials::GetMetricSummaries(ServerContext* context,
                                            const api::GetMetricSummariesRequest* request,
                                            api::GetMetricSummariesResponse* response) {
  return state_->Serve(context, "GetMetricSummaries", [&](Model& model) {
    const auto place = [](const api::MetricSummary& s) {
      return std::tuple(s.trial(), s.group(), s.name());
    };
    for (const int64_t trial : request->trials()) {
      for (const api::MetricSummary& summary : model.summaries[trial]) {
        if (!request->group().empty() && summary.group() != request->group()) continue;
        if (place(summary) <= place(request->after())) continue;
        if (response->summaries_size() == 1) {
          response->set_more(true);
          return grpc::Status::OK;
        }
        *response->add_summaries() = summary;
      }
    }
    return grpc::Status::OK;
  });
}

grpc::Status FakeLogs::TailLogs(ServerContext* context,
                                const api::TailLogsRequest* request,
                                grpc::ServerWriter<api::LogBatch>* writer) {
  const int64_t id = request->trial();
  const grpc::Status admitted = state_->Serve(context, "TailLogs", [&](Model& model) {
    return model.trials.contains(id) ? grpc::Status::OK : NotFound("trial", id);
  });
  if (!admitted.ok()) return admitted;
  bool first = true;
  size_t next = 0;
  return state_->Stream(context, [&](Model& model) {
    const std::vector<api::LogLine>& lines = model.logs[id];
    const auto tail = static_cast<size_t>(request->tail());
    // Noted once it is under way: what cuts streams cuts this one, too.
    if (first) model.tailed.push_back(*request);
    if (first && tail > 0 && lines.size() > tail) next = lines.size() - tail;
    first = false;
    api::LogBatch batch;
    for (; next < lines.size(); ++next) *batch.add_lines() = lines[next];
    if (batch.lines_size() > 0) writer->Write(batch);
    return request->follow() && !TrialEnded(model, id);
  });
}

grpc::Status FakeLogs::SearchLogs(ServerContext* context,
                                  const api::SearchLogsRequest* request,
                                  api::SearchLogsResponse* response) {
  return state_->Serve(context, "SearchLogs", [&](Model& model) {
    std::vector<api::LogLine> lines = model.logs[request->trial()];
    if (request->order() == api::SearchLogsRequest::ORDER_NEWEST_FIRST) {
      std::reverse(lines.begin(), lines.end());
    }
    const auto& sources = request->filter().sources();
    for (const api::LogLine& line : lines) {
      const bool taken = sources.empty() ||
                         std::find(sources.begin(), sources.end(), line.source()) != sources.end();
      if (taken && response->lines_size() < request->limit()) *response->add_lines() = line;
    }
    return grpc::Status::OK;
  });
}

grpc::Status FakeCheckpoints::ListCheckpoints(ServerContext* context,
                                              const api::ListCheckpointsRequest* request,
                                              api::ListCheckpointsResponse* response) {
  return state_->Serve(context, "ListCheckpoints", [&](Model& model) {
    NoteList(*request, &model);
    const int64_t experiment = request->experiment();
    if (experiment != 0 && !model.experiments.contains(experiment)) {
      return NotFound("experiment", experiment);
    }
    for (const api::Checkpoint& checkpoint : model.checkpoints) {
      const bool fits = experiment != 0
                            ? checkpoint.experiment() == experiment
                            : request->trial() == 0 || checkpoint.trial() == request->trial();
      if (fits && response->checkpoints_size() < request->limit()) {
        *response->add_checkpoints() = checkpoint;
      }
    }
    return grpc::Status::OK;
  });
}

grpc::Status FakeCheckpoints::GetCheckpoint(ServerContext* context,
                                            const api::GetCheckpointRequest* request,
                                            api::GetCheckpointResponse* response) {
  return state_->Serve(context, "GetCheckpoint", [&](Model& model) {
    for (const api::Checkpoint& checkpoint : model.checkpoints) {
      const std::string& asked = request->uuid();
      if (asked != checkpoint.uuid() && asked != StrCat(checkpoint.trial(), "/", checkpoint.uuid()))
        continue;
      *response->mutable_checkpoint() = checkpoint;
      return grpc::Status::OK;
    }
    return ToGrpc(Error(absl::StatusCode::kNotFound,
                        "NOT_FOUND",
                        StrCat("checkpoint ", request->uuid(), " does not exist")));
  });
}

grpc::Status FakeCheckpoints::DeleteCheckpoints(ServerContext* context,
                                                const api::DeleteCheckpointsRequest* request,
                                                api::DeleteCheckpointsResponse* response) {
  return state_->Serve(context, "DeleteCheckpoints", [&](Model& model) {
    for (const api::Checkpoint& checkpoint : model.checkpoints) {
      const auto& asked = request->uuids();
      if (std::find(asked.begin(), asked.end(), checkpoint.uuid()) == asked.end()) continue;
      *response->add_checkpoints() = checkpoint;
    }
    return grpc::Status::OK;
  });
}

grpc::Status FakeContexts::HasContext(ServerContext* context,
                                      const api::HasContextRequest* request,
                                      api::HasContextResponse* response) {
  return state_->Serve(context, "HasContext", [&](Model& model) {
    response->set_present(model.contexts.contains(request->sha256()));
    return grpc::Status::OK;
  });
}

grpc::Status FakeContexts::UploadContext(ServerContext* context,
                                         grpc::ServerReader<api::UploadContextRequest>* reader,
                                         api::UploadContextResponse* response) {
  const grpc::Status admitted =
      state_->Serve(context, "UploadContext", [](Model&) { return grpc::Status::OK; });
  if (!admitted.ok()) return admitted;
  constexpr size_t kMessageBytesMax = 1 << 20;
  api::UploadContextRequest request;
  std::string name;
  std::string bytes;
  while (reader->Read(&request)) {
    const bool named = bytes.empty() != request.sha256().empty();
    if (!named || request.data().size() > kMessageBytesMax) {
      return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "malformed upload");
    }
    if (bytes.empty()) name = request.sha256();
    bytes.append(request.data());
  }
  Sha256 hash;
  hash.Update(bytes);
  if (hash.Finish() != name) {
    return grpc::Status(grpc::StatusCode::DATA_LOSS, "the archive is not what its name says");
  }
  response->set_bytes(static_cast<int64_t>(bytes.size()));
  state_->Edit([&](Model& model) { model.contexts[name] = bytes; });
  return grpc::Status::OK;
}

grpc::Status FakeCluster::GetCluster(ServerContext* context,
                                     const api::GetClusterRequest* /*request*/,
                                     api::GetClusterResponse* response) {
  return state_->Serve(context, "GetCluster", [&](Model& model) {
    *response = model.cluster;
    return grpc::Status::OK;
  });
}

grpc::Status FakeCluster::GetHealth(ServerContext* context,
                                    const api::GetHealthRequest* /*request*/,
                                    api::GetHealthResponse* response) {
  return state_->Serve(context, "GetHealth", [&](Model& model) {
    *response = model.health;
    return grpc::Status::OK;
  });
}

grpc::Status FakeCluster::ListAgents(ServerContext* context,
                                     const api::ListAgentsRequest* request,
                                     api::ListAgentsResponse* response) {
  return state_->Serve(context, "ListAgents", [&](Model& model) {
    for (const api::Agent& agent : model.agents) {
      if (agent.id() <= request->after_id()) continue;
      if (response->agents_size() == request->limit()) {
        response->set_next_after_id(response->agents().rbegin()->id());
        break;
      }
      *response->add_agents() = agent;
    }
    return grpc::Status::OK;
  });
}

namespace {

// Edits the agent, or its slot, of that name.
template <class Request, class Edit>
grpc::Status EditPlace(Model& model, const Request& request, Edit edit) {
  for (api::Agent& agent : model.agents) {
    if (agent.id() != request.id()) continue;
    if (!request.has_slot()) return edit(agent);
    for (api::Slot& slot : *agent.mutable_slots()) {
      if (slot.index() == request.slot()) return edit(slot);
    }
  }
  return ToGrpc(Error(absl::StatusCode::kNotFound,
                      "AGENT_NOT_FOUND",
                      StrCat("no agent \"", request.id(), "\" is known")));
}

}  // namespace

grpc::Status FakeCluster::DisableAgent(ServerContext* context,
                                       const api::DisableAgentRequest* request,
                                       api::DisableAgentResponse* /*response*/) {
  return state_->Serve(context, "DisableAgent", [&](Model& model) {
    return EditPlace(model, *request, [&](auto& place) {
      place.mutable_disabled()->set_drain(request->drain());
      place.mutable_disabled()->mutable_reason()->set_text(request->note());
      if constexpr (requires { place.set_state(""); })
        place.set_state(request->drain() ? "DRAINING" : "DISABLED");
      return grpc::Status::OK;
    });
  });
}

grpc::Status FakeCluster::EnableAgent(ServerContext* context,
                                      const api::EnableAgentRequest* request,
                                      api::EnableAgentResponse* /*response*/) {
  return state_->Serve(context, "EnableAgent", [&](Model& model) {
    return EditPlace(model, *request, [&](auto& place) {
      place.clear_disabled();
      if constexpr (requires { place.set_state(""); }) place.set_state("CONNECTED");
      return grpc::Status::OK;
    });
  });
}

grpc::Status FakeCluster::ListJobs(ServerContext* context,
                                   const api::ListJobsRequest* request,
                                   api::ListJobsResponse* response) {
  return state_->Serve(context, "ListJobs", [&](Model& model) {
    // A place is the number of jobs before it.
    auto next = static_cast<size_t>(request->after().position());
    for (; next < model.jobs.size() && response->jobs_size() < request->limit(); ++next)
      *response->add_jobs() = model.jobs[next];
    if (next < model.jobs.size())
      response->mutable_next_after()->set_position(static_cast<int64_t>(next));
    return grpc::Status::OK;
  });
}

grpc::Status FakeCluster::Explain(ServerContext* context,
                                  const api::ExplainRequest* request,
                                  api::ExplainResponse* response) {
  return state_->Serve(context, "Explain", [&](Model& model) {
    const auto at = model.explanations.find(StrCat(request->kind(), " ", request->id()));
    if (at == model.explanations.end()) return NotFound(request->kind(), request->id());
    *response = at->second;
    return grpc::Status::OK;
  });
}

grpc::Status FakeCluster::PlanExperiment(ServerContext* context,
                                         const api::PlanExperimentRequest* /*request*/,
                                         api::PlanExperimentResponse* response) {
  return state_->Serve(context, "PlanExperiment", [&](Model& model) {
    *response = model.plan;
    return grpc::Status::OK;
  });
}

grpc::Status FakeCluster::PreviewSearch(ServerContext* context,
                                        const api::PreviewSearchRequest* request,
                                        api::PreviewSearchResponse* response) {
  return state_->Serve(context, "PreviewSearch", [&](Model& model) {
    if (request->config().empty()) {
      return ToGrpc(Error(absl::StatusCode::kInvalidArgument,
                          "CONFIG_INVALID",
                          StrCat(request->config_name(), ":1:1: the configuration is empty")));
    }
    *response = model.preview;
    return grpc::Status::OK;
  });
}

grpc::Status FakeCluster::ExplainConfig(ServerContext* context,
                                        const api::ExplainConfigRequest* request,
                                        api::ExplainConfigResponse* response) {
  return state_->Serve(context, "ExplainConfig", [&](Model&) {
    for (const char* path : {"searcher", "searcher.max_trials"}) {
      api::ConfigKey* key = response->add_keys();
      key->set_path(path);
      key->set_type("whole number, 1 or more");
      key->set_default_value("16");
      key->set_meaning("Trials in all");
      key->set_effect("yes");
    }
    if (request->key() == "searcher.max_trials") response->mutable_keys()->DeleteSubrange(0, 1);
    return grpc::Status::OK;
  });
}

}  // namespace det::cli
