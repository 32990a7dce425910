#include "master/journal/codec.h"

#include "det/journal/v1/journal.pb.h"

#include "common/base/overload.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/json/json.h"
#include "master/journal/put.h"
#include "master/spec/parse.h"

namespace det::journal {
namespace {

namespace pb = det::journal::v1;

using internal::Put;
using internal::ToProto;

// What events had before experiments were in workspaces.
template <class Id>
Id Or(Id id, Id other) {
  return id.valid() ? id : other;
}

int64_t PlaceOf(const pb::ExperimentCreated& m) {
  return m.queue_place() != 0 ? m.queue_place() : m.queue_position() * core::kQueueStep;
}

class Encoder {
 public:
  explicit Encoder(pb::Record* out) : out_(out) {}

  void operator()(const core::ExperimentCreated& e) {
    pb::ExperimentCreated* m = out_->mutable_experiment_created();
    m->set_id(e.id.value());
    m->set_config_json(spec::ToValue(*e.spec).ToJson());
    m->set_owner(e.owner);
    m->set_context_sha256(e.context);
    m->set_config_text(e.config_text);
    m->set_source_checkpoint(e.source_checkpoint);
    m->set_paused(e.paused);
    Put(e.reason, m->mutable_reason());
    m->set_queue_place(e.queue_position);
    m->set_parent(e.parent.value());
    m->set_workspace(e.workspace.value());
    m->set_project(e.project.value());
    m->set_git_commit(e.code.commit);
    m->set_git_branch(e.code.branch);
    m->set_git_dirty(e.code.dirty);
  }
  void operator()(const core::ExperimentConfigured& e) {
    pb::ExperimentConfigured* m = out_->mutable_experiment_configured();
    const core::ExperimentSettings& s = e.settings;
    m->set_id(e.id.value());
    if (s.priority.has_value()) m->set_priority(*s.priority);
    if (s.weight.has_value()) m->set_weight(*s.weight);
    if (s.max_slots.has_value()) {
      m->set_max_slots_unset(!s.max_slots->has_value());
      if (s.max_slots->has_value()) m->set_max_slots(**s.max_slots);
    }
    if (s.pool.has_value()) m->set_pool(*s.pool);
    if (s.log_retention_days.has_value()) {
      m->set_log_retention_days_unset(!s.log_retention_days->has_value());
      if (s.log_retention_days->has_value()) m->set_log_retention_days(**s.log_retention_days);
    }
    Put(e.reason, m->mutable_reason());
  }
  void operator()(const core::ExperimentReordered& e) {
    pb::ExperimentReordered* m = out_->mutable_experiment_reordered();
    m->set_id(e.id.value());
    m->set_queue_place(e.position);
    Put(e.reason, m->mutable_reason());
  }
  void operator()(const core::ExperimentContinued& e) {
    Put(e.experiment, out_->mutable_experiment_continued()->mutable_experiment());
  }
  void operator()(const core::ExperimentMoved& e) {
    pb::ExperimentMoved* m = out_->mutable_experiment_moved();
    m->set_id(e.id.value());
    m->set_to(ToProto<pb::ExperimentState>(e.to));
    Put(e.reason, m->mutable_reason());
  }
  void operator()(const core::SearchAdvanced& e) {
    pb::SearchAdvanced* m = out_->mutable_search_advanced();
    m->set_id(e.id.value());
    for (const searcher::Fact& fact : e.facts) Put(fact, m->add_facts());
    for (const TrialId trial : e.trials) m->add_trials(trial.value());
    m->set_metric_reported(e.metric_reported);
  }
  void operator()(const core::BestFound& e) {
    pb::BestFound* m = out_->mutable_best_found();
    m->set_id(e.id.value());
    m->set_trial(e.best.trial.value());
    m->set_metric(e.best.metric);
    m->set_steps_completed(e.best.steps_completed);
  }
  void operator()(const core::TrialCreated& e) {
    pb::TrialCreated* m = out_->mutable_trial_created();
    m->set_id(e.id.value());
    m->set_experiment(e.experiment.value());
    m->set_task(e.task.value());
    Put(e.request, m->mutable_request());
    m->set_hparams_json(e.hparams.ToJson());
    m->set_seed(e.seed);
    m->set_source_checkpoint(e.source_checkpoint);
    Put(e.reason, m->mutable_reason());
  }
  void operator()(const core::TrialContinued& e) {
    Put(e.trial, 0, out_->mutable_trial_continued()->mutable_trial());
  }
  void operator()(const core::TrialMoved& e) {
    pb::TrialMoved* m = out_->mutable_trial_moved();
    m->set_id(e.id.value());
    m->set_to(ToProto<pb::TrialState>(e.to));
    Put(e.reason, m->mutable_reason());
  }
  void operator()(const core::TrialRestarted& e) {
    pb::TrialRestarted* m = out_->mutable_trial_restarted();
    m->set_id(e.id.value());
    m->set_infrastructure(e.infrastructure);
    Put(e.reason, m->mutable_reason());
  }
  void operator()(const core::ValidationRecorded& e) {
    pb::ValidationRecorded* m = out_->mutable_validation_recorded();
    m->set_id(e.id.value());
    Put(e.report, m->mutable_report());
    m->set_steps_completed(e.steps_completed);
    if (e.metric.has_value()) m->set_metric(*e.metric);
  }
  void operator()(const core::CheckpointRecorded& e) {
    pb::CheckpointRecorded* m = out_->mutable_checkpoint_recorded();
    m->set_id(e.id.value());
    Put(e.report, m->mutable_report());
    m->set_uuid(e.uuid);
    m->set_steps_completed(e.steps_completed);
    m->set_bytes(e.bytes);
    m->set_files_json(e.files.ToJson());
    m->set_metadata_json(e.metadata.ToJson());
  }
  void operator()(const core::HparamsRefused& e) {
    out_->mutable_hparams_refused()->set_id(e.id.value());
    Put(e.report, out_->mutable_hparams_refused()->mutable_report());
  }
  void operator()(const core::StopReported& e) {
    out_->mutable_stop_reported()->set_id(e.id.value());
    Put(e.report, out_->mutable_stop_reported()->mutable_report());
  }
  void operator()(const core::PreemptionAnnounced& e) {
    out_->mutable_preemption_announced()->set_id(e.id.value());
    Put(e.report, out_->mutable_preemption_announced()->mutable_report());
  }
  void operator()(const core::LogPolicyMatched& e) {
    pb::LogPolicyMatched* m = out_->mutable_log_policy_matched();
    m->set_id(e.id.value());
    Put(e.match, m);
  }
  void operator()(const core::TaskCreated& e) {
    pb::TaskCreated* m = out_->mutable_task_created();
    m->set_id(e.id.value());
    m->set_trial(e.trial.value());
    m->set_pool(e.request.pool);
    m->set_slots(e.request.slots);
    m->set_experiment(e.request.job.value());
    m->set_runs(e.runs);
  }
  void operator()(const core::TaskRevised& e) {
    pb::TaskRevised* m = out_->mutable_task_revised();
    m->set_id(e.id.value());
    m->set_pool(e.pool);
    for (const AgentId& agent : e.excluded) m->add_excluded(agent.value());
  }
  void operator()(const core::TaskDelayed& e) {
    pb::TaskDelayed* m = out_->mutable_task_delayed();
    m->set_id(e.id.value());
    m->set_faults(e.faults);
    m->set_until_unix_nanos(absl::ToUnixNanos(e.until));
    m->set_avoid(e.avoid.value());
    Put(e.reason, m->mutable_reason());
  }
  void operator()(const core::TaskReady& e) { out_->mutable_task_ready()->set_id(e.id.value()); }
  void operator()(const core::TaskQueued& e) { out_->mutable_task_queued()->set_id(e.id.value()); }
  void operator()(const core::TaskDequeued& e) {
    out_->mutable_task_dequeued()->set_id(e.id.value());
  }
  void operator()(const core::AllocationPlaced& e) {
    pb::AllocationPlaced* m = out_->mutable_allocation_placed();
    m->set_task(e.task.value());
    m->set_id(e.id.value());
    m->set_agent(e.agent.value());
    for (const int slot : e.slots) m->add_slots(slot);
    m->set_run(e.run);
    m->set_priority(e.priority);
  }
  void operator()(const core::AllocationMoved& e) {
    pb::AllocationMoved* m = out_->mutable_allocation_moved();
    m->set_task(e.task.value());
    m->set_id(e.id.value());
    m->set_to(ToProto<pb::AllocationState>(e.to));
  }
  void operator()(const core::AllocationSignaled& e) {
    pb::AllocationSignaled* m = out_->mutable_allocation_signaled();
    m->set_task(e.task.value());
    m->set_id(e.id.value());
    // Nobody is signaled to run: the levels begin at kPreempt, 1.
    m->set_level(static_cast<pb::AllocationSignaled::Level>(e.level));
    if (e.kill_at != absl::InfiniteFuture())
      m->set_kill_at_unix_nanos(absl::ToUnixNanos(e.kill_at));
    Put(e.reason, m->mutable_reason());
  }
  void operator()(const core::AllocationEnded& e) {
    pb::AllocationEnded* m = out_->mutable_allocation_ended();
    m->set_task(e.task.value());
    m->set_id(e.id.value());
    m->set_kind(ToProto<pb::AllocationEnded::Kind>(e.exit.kind));
    m->set_code(e.exit.code);
    m->set_signal(e.exit.signal);
    m->set_on_order(e.exit.on_order);
    m->set_text(e.exit.text);
  }
  void operator()(const core::AgentConnected& e) {
    pb::AgentConnected* m = out_->mutable_agent_connected();
    m->set_id(e.id.value());
    m->set_pool(e.pool);
    m->set_instance(e.instance);
    m->set_boot_id(e.boot_id);
    m->set_version(e.version);
    m->set_address(e.address);
    for (const core::Slot& slot : e.slots) {
      pb::Slot* s = m->add_slots();
      s->set_index(slot.index);
      s->set_kind(slot.kind);
      s->set_name(slot.name);
    }
    m->set_session(e.session);
  }
  void operator()(const core::AgentDisconnected& e) {
    out_->mutable_agent_disconnected()->set_id(e.id.value());
    out_->mutable_agent_disconnected()->set_lost_at_unix_nanos(absl::ToUnixNanos(e.lost_at));
  }
  void operator()(const core::AgentLost& e) { out_->mutable_agent_lost()->set_id(e.id.value()); }
  void operator()(const core::AgentDisabled& e) {
    pb::AgentDisabled* m = out_->mutable_agent_disabled();
    m->set_id(e.id.value());
    if (e.slot.has_value()) m->set_slot(*e.slot);
    m->set_drain(e.how.drain);
    if (e.how.until != absl::InfiniteFuture())
      m->set_until_unix_nanos(absl::ToUnixNanos(e.how.until));
    Put(e.how.reason, m->mutable_reason());
  }
  void operator()(const core::AgentEnabled& e) {
    pb::AgentEnabled* m = out_->mutable_agent_enabled();
    m->set_id(e.id.value());
    if (e.slot.has_value()) m->set_slot(*e.slot);
    Put(e.reason, m->mutable_reason());
  }

 private:
  pb::Record* out_;
};

// Reads fields that may be wrong; the first fault is kept, and what follows it is not used.
class Decoder {
 public:
  template <class E, class P>
  E Enum(P p, int count) {
    const int index = static_cast<int>(p) - 1;
    if (index < 0 || index >= count)
      Fail(StrCat("enumerator ", static_cast<int>(p), " is not known"));
    return static_cast<E>(index);
  }
  Value Json(const std::string& text) {
    absl::StatusOr<Value> value = ParseJson(text);
    if (!value.ok()) Fail(FromAbsl(value.status().message()));
    return value.ok() ? *std::move(value) : Value();
  }
  std::shared_ptr<const spec::ExperimentSpec> Spec(const std::string& json) {
    std::string fault;
    auto parsed = std::make_shared<spec::ExperimentSpec>(spec::ParseRecorded(Json(json), &fault));
    if (!fault.empty()) Fail(StrCat("configuration: ", fault));
    return parsed;
  }
  static core::Reason Reason(const pb::Reason& m) {
    return {m.code(), m.text(), m.actor(), absl::FromUnixNanos(m.since_unix_nanos())};
  }
  static searcher::RequestId Request(const pb::RequestId& m) { return {m.bracket(), m.index()}; }
  static core::ReportId Report(const pb::ReportId& m) {
    return {AllocationId(m.allocation()), m.stream(), m.seq()};
  }
  searcher::Fact Fact(const pb::SearchFact& m) {
    const searcher::RequestId request = Request(m.request());
    switch (m.fact_case()) {
      case pb::SearchFact::kRequested:
        return searcher::Requested{request};
      case pb::SearchFact::kMeasured:
        return searcher::Measured{request, m.measured().rung(), m.measured().metric()};
      case pb::SearchFact::kStopped:
        return searcher::Stopped{request};
      case pb::SearchFact::kExited:
        return searcher::Exited{request, Enum<searcher::ExitKind>(m.exited().kind(), 4)};
      case pb::SearchFact::FACT_NOT_SET:
        break;
    }
    Fail("a search fact of a kind that is not known");
    return searcher::Requested{};
  }
  void Fail(std::string_view what) {
    if (status_.ok()) {
      status_ = Error(absl::StatusCode::kDataLoss, "BAD_RECORD", StrCat("journal record: ", what));
    }
  }
  const absl::Status& status() const { return status_; }

  static core::ExperimentConfigured Configured(const pb::ExperimentConfigured& m) {
    core::ExperimentConfigured e{.id = ExperimentId(m.id()), .reason = Reason(m.reason())};
    core::ExperimentSettings& s = e.settings;
    if (m.has_priority()) s.priority = m.priority();
    if (m.has_weight()) s.weight = m.weight();
    if (m.max_slots_unset()) s.max_slots.emplace();
    if (m.has_max_slots()) s.max_slots = m.max_slots();
    if (m.has_pool()) s.pool = m.pool();
    if (m.log_retention_days_unset()) s.log_retention_days.emplace();
    if (m.has_log_retention_days()) s.log_retention_days = m.log_retention_days();
    return e;
  }
  core::LogMatch Match(const pb::LogPolicyMatched& m) {
    return {m.policy(), Enum<spec::LogAction>(m.action(), 3), AgentId(m.agent()), m.line()};
  }

  static void Load(const pb::SavedSearch::Bracket& m, searcher::Bracket* bracket) {
    bracket->requested = m.requested();
    bracket->closed = m.closed();
    bracket->invalid = m.invalid();
    for (int r = 0; r < m.rungs_size(); ++r) {
      for (const auto& entry : m.rungs(r).entries()) {
        bracket->rungs[static_cast<size_t>(r)].Insert(entry.metric(), entry.trial());
      }
    }
    for (const auto& live : m.live()) {
      bracket->live[live.trial()] = {live.rung(), {live.measured().begin(), live.measured().end()}};
    }
  }
  // What the configuration makes of it, with what happened since.
  searcher::State Search(const searcher::Config& config, const pb::SavedSearch& m) {
    searcher::State state = searcher::MakeState(config);
    state.totals = {m.requested(), m.closed(), m.errored(), m.canceled(), m.invalid()};
    auto* tournament = std::get_if<searcher::TournamentState>(&state.method);
    const size_t count = tournament == nullptr ? 0 : tournament->brackets.size();
    if (static_cast<size_t>(m.brackets_size()) != count) Fail("a search of other brackets");
    for (size_t i = 0; i < count && status_.ok(); ++i) {
      searcher::Bracket& bracket = tournament->brackets[i];
      const pb::SavedSearch::Bracket& saved = m.brackets(static_cast<int>(i));
      if (static_cast<size_t>(saved.rungs_size()) != bracket.rungs.size()) {
        Fail("a search of other rungs");
      } else {
        Load(saved, &bracket);
      }
    }
    return state;
  }
  core::Experiment Saved(const pb::SavedExperiment& m) {
    core::Experiment e{
        .id = ExperimentId(m.id()),
        .spec = Spec(m.config_json()),
        .owner = m.owner(),
        .context = m.context_sha256(),
        .source_checkpoint = m.source_checkpoint(),
        .parent = ExperimentId(m.parent()),
        .workspace = Or(WorkspaceId(m.workspace()), kFirstWorkspace),
        .project = Or(ProjectId(m.project()), kFirstProject),
        .created_at = absl::FromUnixNanos(m.created_unix_nanos()),
        .state = Enum<core::ExperimentState>(m.state(), static_cast<int>(core::kExperimentStates)),
        .reason = Reason(m.reason())};
    if (!status_.ok()) return e;
    e.search = Search(e.SearchConfig(), m.search());
    e.search_history = m.search_history();
    for (const auto& open : m.open_trials()) {
      e.open_trials[Request(open.request())] = TrialId(open.trial());
    }
    if (m.has_best()) {
      e.best =
          core::BestTrial{TrialId(m.best().trial()), m.best().metric(), m.best().steps_completed()};
    }
    e.metric_reported = m.metric_reported();
    e.queue_position = m.queue_place();
    return e;
  }
  core::Trial Saved(const pb::SavedTrial& m) {
    core::Trial t{.id = TrialId(m.id()),
                  .experiment = ExperimentId(m.experiment()),
                  .task = TaskId(m.task()),
                  .request = Request(m.request()),
                  .hparams = Json(m.hparams_json()),
                  .seed = m.seed(),
                  .created_at = absl::FromUnixNanos(m.created_unix_nanos()),
                  .state = Enum<core::TrialState>(m.state(), static_cast<int>(core::kTrialStates)),
                  .reason = Reason(m.reason())};
    t.source_checkpoint = m.source_checkpoint();
    if (!m.latest_checkpoint().empty()) {
      t.latest_checkpoint = core::CheckpointRef{m.latest_checkpoint(), m.latest_checkpoint_steps()};
    }
    t.invalid_hparams = m.invalid_hparams();
    t.best_metric = m.best_metric();
    t.latest_metric = m.latest_metric();
    t.latest_steps = m.latest_steps();
    t.validations = m.validations();
    for (const auto& match : m.log_matches()) t.log_matches.push_back(Match(match));
    return t;
  }

  core::EventBody Experiment(const pb::Record& r) {
    if (r.has_experiment_created()) {
      const pb::ExperimentCreated& m = r.experiment_created();
      return core::ExperimentCreated{.id = ExperimentId(m.id()),
                                     .spec = Spec(m.config_json()),
                                     .owner = m.owner(),
                                     .context = m.context_sha256(),
                                     .config_text = m.config_text(),
                                     .source_checkpoint = m.source_checkpoint(),
                                     .paused = m.paused(),
                                     .reason = Reason(m.reason()),
                                     .queue_position = PlaceOf(m),
                                     .parent = ExperimentId(m.parent()),
                                     .workspace = Or(WorkspaceId(m.workspace()), kFirstWorkspace),
                                     .project = Or(ProjectId(m.project()), kFirstProject),
                                     .code = {m.git_commit(), m.git_branch(), m.git_dirty()}};
    }
    if (r.has_experiment_configured()) return Configured(r.experiment_configured());
    if (r.has_experiment_reordered()) {
      const pb::ExperimentReordered& m = r.experiment_reordered();
      return core::ExperimentReordered{ExperimentId(m.id()), m.queue_place(), Reason(m.reason())};
    }
    if (r.has_experiment_continued()) {
      return core::ExperimentContinued{Saved(r.experiment_continued().experiment())};
    }
    if (r.has_experiment_moved()) {
      const pb::ExperimentMoved& m = r.experiment_moved();
      return core::ExperimentMoved{
          ExperimentId(m.id()),
          Enum<core::ExperimentState>(m.to(), static_cast<int>(core::kExperimentStates)),
          Reason(m.reason())};
    }
    if (r.has_best_found()) {
      const pb::BestFound& m = r.best_found();
      return core::BestFound{ExperimentId(m.id()),
                             {TrialId(m.trial()), m.metric(), m.steps_completed()}};
    }
    core::SearchAdvanced advanced{.id = ExperimentId(r.search_advanced().id())};
    for (const auto& fact : r.search_advanced().facts()) advanced.facts.push_back(Fact(fact));
    for (const int64_t trial : r.search_advanced().trials()) advanced.trials.emplace_back(trial);
    advanced.metric_reported = r.search_advanced().metric_reported();
    return advanced;
  }

  core::EventBody Trial(const pb::Record& r) {
    if (r.has_trial_created()) {
      const pb::TrialCreated& m = r.trial_created();
      return core::TrialCreated{.id = TrialId(m.id()),
                                .experiment = ExperimentId(m.experiment()),
                                .task = TaskId(m.task()),
                                .request = Request(m.request()),
                                .hparams = Json(m.hparams_json()),
                                .seed = m.seed(),
                                .source_checkpoint = m.source_checkpoint(),
                                .reason = Reason(m.reason())};
    }
    if (r.has_trial_continued()) return core::TrialContinued{Saved(r.trial_continued().trial())};
    if (r.has_trial_moved()) {
      const pb::TrialMoved& m = r.trial_moved();
      return core::TrialMoved{TrialId(m.id()),
                              Enum<core::TrialState>(m.to(), static_cast<int>(core::kTrialStates)),
                              Reason(m.reason())};
    }
    if (r.has_trial_restarted()) {
      const pb::TrialRestarted& m = r.trial_restarted();
      return core::TrialRestarted{TrialId(m.id()), m.infrastructure(), Reason(m.reason())};
    }
    if (r.has_validation_recorded()) {
      const pb::ValidationRecorded& m = r.validation_recorded();
      core::ValidationRecorded e{TrialId(m.id()), Report(m.report()), m.steps_completed(), {}};
      if (m.has_metric()) e.metric = m.metric();
      return e;
    }
    if (r.has_checkpoint_recorded()) {
      const pb::CheckpointRecorded& m = r.checkpoint_recorded();
      return core::CheckpointRecorded{TrialId(m.id()),
                                      Report(m.report()),
                                      m.uuid(),
                                      m.steps_completed(),
                                      m.bytes(),
                                      Json(m.files_json()),
                                      Json(m.metadata_json())};
    }
    if (r.has_stop_reported()) {
      return core::StopReported{TrialId(r.stop_reported().id()),
                                Report(r.stop_reported().report())};
    }
    if (r.has_preemption_announced()) {
      return core::PreemptionAnnounced{TrialId(r.preemption_announced().id()),
                                       Report(r.preemption_announced().report())};
    }
    if (r.has_log_policy_matched()) {
      return core::LogPolicyMatched{TrialId(r.log_policy_matched().id()),
                                    Match(r.log_policy_matched())};
    }
    return core::HparamsRefused{TrialId(r.hparams_refused().id()),
                                Report(r.hparams_refused().report())};
  }

  core::EventBody Task(const pb::Record& r) {
    if (r.has_task_created()) {
      const pb::TaskCreated& m = r.task_created();
      return core::TaskCreated{
          TaskId(m.id()),
          TrialId(m.trial()),
          {.task = TaskId(m.id()),
           .job = ExperimentId(m.experiment() == 0 ? m.position() : m.experiment()),
           .pool = m.pool(),
           .slots = m.slots()},
          m.runs()};
    }
    if (r.has_task_revised()) {
      const pb::TaskRevised& m = r.task_revised();
      core::TaskRevised e{TaskId(m.id()), m.pool(), {}};
      for (const std::string& agent : m.excluded()) e.excluded.emplace(agent);
      return e;
    }
    if (r.has_task_queued()) return core::TaskQueued{TaskId(r.task_queued().id())};
    if (r.has_task_ready()) return core::TaskReady{TaskId(r.task_ready().id())};
    if (r.has_task_delayed()) {
      const pb::TaskDelayed& m = r.task_delayed();
      return core::TaskDelayed{TaskId(m.id()),
                               m.faults(),
                               absl::FromUnixNanos(m.until_unix_nanos()),
                               AgentId(m.avoid()),
                               Reason(m.reason())};
    }
    return core::TaskDequeued{TaskId(r.task_dequeued().id())};
  }

  core::EventBody Allocation(const pb::Record& r) {
    if (r.has_allocation_placed()) {
      const pb::AllocationPlaced& m = r.allocation_placed();
      return core::AllocationPlaced{TaskId(m.task()),
                                    AllocationId(m.id()),
                                    AgentId(m.agent()),
                                    {m.slots().begin(), m.slots().end()},
                                    m.run(),
                                    m.priority()};
    }
    if (r.has_allocation_moved()) {
      const pb::AllocationMoved& m = r.allocation_moved();
      return core::AllocationMoved{
          TaskId(m.task()), AllocationId(m.id()), Enum<core::AllocationState>(m.to(), 5)};
    }
    if (r.has_allocation_signaled()) {
      const pb::AllocationSignaled& m = r.allocation_signaled();
      core::AllocationSignaled e{.task = TaskId(m.task()), .id = AllocationId(m.id())};
      if (m.level() != pb::AllocationSignaled::LEVEL_PREEMPT &&
          m.level() != pb::AllocationSignaled::LEVEL_KILL) {
        Fail("a stop level that is not known");
      }
      e.level = static_cast<core::StopLevel>(m.level());
      if (m.has_kill_at_unix_nanos()) e.kill_at = absl::FromUnixNanos(m.kill_at_unix_nanos());
      e.reason = Reason(m.reason());
      return e;
    }
    const pb::AllocationEnded& m = r.allocation_ended();
    return core::AllocationEnded{TaskId(m.task()),
                                 AllocationId(m.id()),
                                 {Enum<core::ExitKind>(m.kind(), core::kExitKinds),
                                  m.code(),
                                  m.signal(),
                                  m.on_order(),
                                  m.text()}};
  }

  core::EventBody Agent(const pb::Record& r) {
    if (r.has_agent_connected()) {
      const pb::AgentConnected& m = r.agent_connected();
      core::AgentConnected e{.id = AgentId(m.id()),
                             .pool = m.pool(),
                             .instance = m.instance(),
                             .boot_id = m.boot_id(),
                             .version = m.version(),
                             .address = m.address(),
                             .session = m.session()};
      for (const pb::Slot& slot : m.slots()) {
        e.slots.push_back({slot.index(), slot.kind(), slot.name()});
      }
      return e;
    }
    if (r.has_agent_disconnected()) {
      return core::AgentDisconnected{
          AgentId(r.agent_disconnected().id()),
          absl::FromUnixNanos(r.agent_disconnected().lost_at_unix_nanos())};
    }
    if (r.has_agent_disabled()) {
      const pb::AgentDisabled& m = r.agent_disabled();
      return core::AgentDisabled{
          .id = AgentId(m.id()),
          .slot = SlotOf(m),
          .how = {.drain = m.drain(),
                  .until = m.until_unix_nanos() == 0 ? absl::InfiniteFuture()
                                                     : absl::FromUnixNanos(m.until_unix_nanos()),
                  .reason = Reason(m.reason())}};
    }
    if (r.has_agent_enabled()) {
      const pb::AgentEnabled& m = r.agent_enabled();
      return core::AgentEnabled{AgentId(m.id()), SlotOf(m), Reason(m.reason())};
    }
    return core::AgentLost{AgentId(r.agent_lost().id())};
  }

 private:
  template <class Message>
  static std::optional<int> SlotOf(const Message& m) {
    return m.has_slot() ? std::optional<int>(m.slot()) : std::nullopt;
  }

  absl::Status status_;
};

}  // namespace

std::string EncodeEvent(const core::Event& event) {
  pb::Record record;
  record.set_at_unix_nanos(absl::ToUnixNanos(event.at));
  std::visit(Encoder(&record), event.body);
  return record.SerializeAsString();
}

absl::StatusOr<core::Event> DecodeEvent(std::string_view bytes) {
  pb::Record record;
  Decoder decoder;
  if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    decoder.Fail("is not a message");
    return decoder.status();
  }
  core::Event event{.at = absl::FromUnixNanos(record.at_unix_nanos()), .body = core::AgentLost{}};
  const int field = record.body_case();
  // The tens of a field's number name its aggregate: journal.proto.
  switch (field / 10) {
    case 1:
      event.body = decoder.Experiment(record);
      break;
    case 2:
      event.body = decoder.Trial(record);
      break;
    case 3:
      event.body = record.has_allocation_placed() || record.has_allocation_moved() ||
                           record.has_allocation_signaled() || record.has_allocation_ended()
                       ? decoder.Allocation(record)
                       : decoder.Task(record);
      break;
    case 4:
      event.body = decoder.Agent(record);
      break;
    default:
      decoder.Fail("is of a kind that this version does not know: a newer master wrote it");
  }
  if (!decoder.status().ok()) return decoder.status();
  return event;
}

std::string EncodeEnded(const core::Experiment& experiment) {
  pb::SavedExperiment message;
  Put(experiment, &message);
  return message.SerializeAsString();
}

std::string EncodeEnded(const core::Trial& trial, int64_t runs) {
  pb::SavedTrial message;
  Put(trial, runs, &message);
  return message.SerializeAsString();
}

absl::StatusOr<core::Experiment> DecodeEndedExperiment(std::string_view bytes) {
  pb::SavedExperiment message;
  Decoder decoder;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    decoder.Fail("is not a message");
    return decoder.status();
  }
  core::Experiment experiment = decoder.Saved(message);
  if (!decoder.status().ok()) return decoder.status();
  return experiment;
}

absl::StatusOr<core::EndedTrial> DecodeEndedTrial(std::string_view bytes) {
  pb::SavedTrial message;
  Decoder decoder;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    decoder.Fail("is not a message");
    return decoder.status();
  }
  core::EndedTrial ended{decoder.Saved(message), message.runs()};
  if (!decoder.status().ok()) return decoder.status();
  return ended;
}

}  // namespace det::journal
