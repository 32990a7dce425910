#include "master/core/apply.h"

#include <algorithm>

#include "common/base/archive.h"
#include "common/base/check.h"
#include "common/base/overload.h"
#include "common/base/strings.h"
#include "master/core/decide.h"
#include "master/core/index.h"
#include "master/core/internal.h"

namespace det::core {
namespace {

template <class T>
T& At(std::map<decltype(T::id), T>& map, const decltype(T::id)& id) {
  const auto it = map.find(id);
  DET_CHECK(it != map.end(), "event for something that is not in the state");
  return it->second;
}

uint64_t HashOf(const searcher::Fact& fact) {
  StableHasher hasher;
  hasher.Feed(static_cast<uint64_t>(fact.index()));
  std::visit(overloaded{
                 [&](const searcher::Measured& f) {
                   hasher.Feed(static_cast<uint64_t>(f.rung));
                   hasher.Feed(f.metric);
                 },
                 [&](const searcher::Exited& f) { hasher.Feed(static_cast<uint64_t>(f.kind)); },
                 [](const auto&) {},
             },
             fact);
  const searcher::RequestId request = std::visit([](const auto& f) { return f.request; }, fact);
  hasher.Feed(static_cast<uint64_t>(request.bracket));
  hasher.Feed(static_cast<uint64_t>(request.index));
  return hasher.Finish();
}

// The end of an aggregate's life in the state: the store keeps what it was.
void DepartTrial(State& state, TrialId id) {
  const auto trial = state.trials.find(id);
  if (trial == state.trials.end()) return;
  const auto task = state.tasks.find(trial->second.task);
  if (task != state.tasks.end()) {
    RemoveFromIndexes(task->second, state.indexes);
    state.changed.insert(task->first);
    state.departed.tasks.push_back(std::move(task->second));
    state.tasks.erase(task);
  }
  state.changed.insert(id);
  state.departed.trials.push_back(std::move(trial->second));
  state.trials.erase(trial);
}

// Changes one aggregate.
class Applier {
 public:
  Applier(State& state, absl::Time at) : state_(state), at_(at) {}

  void operator()(const ExperimentCreated& e) {
    Experiment experiment;
    experiment.id = e.id;
    experiment.spec = e.spec;
    experiment.owner = e.owner;
    experiment.context = e.context;
    experiment.source_checkpoint = e.source_checkpoint;
    experiment.parent = e.parent;
    experiment.workspace = e.workspace;
    experiment.project = e.project;
    experiment.created_at = at_;
    experiment.state = e.paused ? ExperimentState::kPaused : ExperimentState::kActive;
    experiment.reason = e.reason;
    experiment.search = searcher::MakeState(experiment.SearchConfig());
    experiment.queue_position = e.queue_position;
    state_.next.experiment = std::max(state_.next.experiment, e.id.value() + 1);
    state_.experiments[e.id] = std::move(experiment);
  }
  void operator()(const ExperimentMoved& e) {
    Experiment& experiment = At<Experiment>(state_.experiments, e.id);
    DET_CHECK(kExperimentMoves(experiment.state, e.to), Name(e.to));
    experiment.state = e.to;
    experiment.reason = e.reason;
    if (IsTerminal(e.to)) experiment.ended_at = at_;
  }
  void operator()(const ExperimentConfigured& e) {
    Experiment& experiment = At<Experiment>(state_.experiments, e.id);
    auto spec = std::make_shared<spec::ExperimentSpec>(*experiment.spec);
    ApplySettings(e.settings, spec.get());
    experiment.spec = std::move(spec);
  }
  void operator()(const ExperimentReordered& e) {
    At<Experiment>(state_.experiments, e.id).queue_position = e.position;
  }
  void operator()(const ExperimentContinued& e) {
    state_.experiments[e.experiment.id] = e.experiment;
  }
  void operator()(const SearchAdvanced& e) {
    Experiment& experiment = At<Experiment>(state_.experiments, e.id);
    experiment.metric_reported = experiment.metric_reported || e.metric_reported;
    size_t created = 0;
    for (const searcher::Fact& fact : e.facts) {
      searcher::Apply(experiment.SearchConfig(), experiment.search, fact);
      experiment.search_history = Mix64(experiment.search_history ^ HashOf(fact));
      if (const auto* exited = std::get_if<searcher::Exited>(&fact)) {
        experiment.open_trials.erase(exited->request);
      } else if (const auto* requested = std::get_if<searcher::Requested>(&fact)) {
        experiment.open_trials[requested->request] = e.trials.at(created++);
      }
    }
  }
  void operator()(const BestFound& e) { At<Experiment>(state_.experiments, e.id).best = e.best; }

  void operator()(const TrialCreated& e) {
    Trial trial;
    trial.id = e.id;
    trial.experiment = e.experiment;
    trial.task = e.task;
    trial.request = e.request;
    trial.hparams = e.hparams;
    trial.seed = e.seed;
    trial.source_checkpoint = e.source_checkpoint;
    trial.created_at = at_;
    trial.reason = e.reason;
    state_.next.trial = std::max(state_.next.trial, e.id.value() + 1);
    state_.trials[e.id] = std::move(trial);
  }
  void operator()(const TrialContinued& e) { state_.trials[e.trial.id] = e.trial; }
  void operator()(const TrialMoved& e) {
    Trial& trial = At<Trial>(state_.trials, e.id);
    DET_CHECK(kTrialMoves(trial.state, e.to), Name(e.to));
    trial.state = e.to;
    trial.reason = e.reason;
    if (IsTerminal(e.to)) trial.ended_at = at_;
  }
  void operator()(const TrialRestarted& e) {
    Trial& trial = At<Trial>(state_.trials, e.id);
    ++(e.infrastructure ? trial.infrastructure_restarts : trial.restarts);
    trial.reason = e.reason;
  }
  void operator()(const ValidationRecorded& e) {
    Trial& trial = Report(e.id, e.report);
    trial.latest_steps = e.steps_completed;
    if (!e.metric.has_value()) return;
    trial.latest_metric = *e.metric;
    const Experiment* experiment = state_.Find(trial.experiment);
    const bool smaller = experiment == nullptr || experiment->spec->searcher.smaller_is_better;
    if (trial.validations == 0 || internal::IsBetter(smaller, *e.metric, trial.best_metric)) {
      trial.best_metric = *e.metric;
    }
    ++trial.validations;
  }
  void operator()(const CheckpointRecorded& e) {
    Trial& trial = Report(e.id, e.report);
    if (!trial.latest_checkpoint.has_value() ||
        e.steps_completed >= trial.latest_checkpoint->steps_completed) {
      trial.latest_checkpoint = CheckpointRef{e.uuid, e.steps_completed};
    }
  }
  void operator()(const HparamsRefused& e) { Report(e.id, e.report).invalid_hparams = true; }
  void operator()(const StopReported& e) { Report(e.id, e.report); }
  void operator()(const PreemptionAnnounced& e) { Report(e.id, e.report); }
  void operator()(const LogPolicyMatched& e) {
    At<Trial>(state_.trials, e.id).log_matches.push_back(e.match);
  }

  void operator()(const TaskCreated& e) {
    Task task;
    task.id = e.id;
    task.trial = e.trial;
    task.request = e.request;
    task.runs = e.runs;
    task.since = at_;
    state_.next.task = std::max(state_.next.task, e.id.value() + 1);
    state_.tasks[e.id] = std::move(task);
  }
  void operator()(const TaskRevised& e) {
    scheduler::Request& request = At<Task>(state_.tasks, e.id).request;
    request.pool = e.pool;
    request.excluded = e.excluded;
  }
  void operator()(const TaskQueued& e) { Move(e.id, TaskState::kIdle, TaskState::kQueued); }
  void operator()(const TaskDequeued& e) { Move(e.id, TaskState::kQueued, TaskState::kIdle); }
  void operator()(const TaskDelayed& e) {
    Task& task = At<Task>(state_.tasks, e.id);
    task.delay = Delay{.faults = e.faults, .until = e.until, .reason = e.reason};
    task.request.avoid = e.avoid;
  }
  void operator()(const TaskReady& e) {
    Task& task = At<Task>(state_.tasks, e.id);
    DET_CHECK(task.Waits(), "a task that waits for nothing");
    task.delay->until = absl::InfinitePast();
  }
  void operator()(const AllocationPlaced& e) {
    Task& task = Move(e.task, TaskState::kQueued, TaskState::kAllocated);
    task.runs = e.run;
    task.allocation = Allocation{.id = e.id,
                                 .agent = e.agent,
                                 .slots = e.slots,
                                 .run = e.run,
                                 .priority = e.priority,
                                 .placed_at = at_};
    state_.next.allocation = std::max(state_.next.allocation, e.id.value() + 1);
  }
  void operator()(const AllocationMoved& e) {
    Allocation& allocation = Current(e.task, e.id);
    DET_CHECK(e.to > allocation.state, "an allocation moves forward only");
    allocation.state = e.to;
    if (e.to == AllocationState::kRunning) ForgetFaults(At<Task>(state_.tasks, e.task));
  }
  void operator()(const AllocationSignaled& e) {
    Allocation& allocation = Current(e.task, e.id);
    DET_CHECK(e.level > allocation.level ||
                  (e.level == allocation.level && e.kill_at < allocation.kill_at),
              "a stop only gets harder");
    allocation.level = e.level;
    allocation.level_reason = e.reason;
    allocation.kill_at = e.kill_at;
  }
  void operator()(const AllocationEnded& e) {
    Current(e.task, e.id);
    Task& task = Move(e.task, TaskState::kAllocated, TaskState::kIdle);
    task.allocation.reset();
    if (!IsInfrastructure(e.exit.kind)) ForgetFaults(task);
  }

  void operator()(const AgentConnected& e) {
    Agent& agent = state_.agents[e.id];
    // What an administrator said of it outlives the connection.
    std::optional<Disabled> disabled = std::move(agent.disabled);
    std::map<int, Disabled> disabled_slots = std::move(agent.disabled_slots);
    agent = {.id = e.id,
             .pool = e.pool,
             .instance = e.instance,
             .boot_id = e.boot_id,
             .version = e.version,
             .address = e.address,
             .slots = e.slots,
             .connected = true,
             .session = e.session,
             .since = at_,
             .disabled = std::move(disabled),
             .disabled_slots = std::move(disabled_slots)};
  }
  void operator()(const AgentDisconnected& e) {
    Agent& agent = At<Agent>(state_.agents, e.id);
    agent.connected = false;
    agent.since = at_;
    agent.lost_at = e.lost_at;
  }
  void operator()(const AgentLost& e) { At<Agent>(state_.agents, e.id).lost = true; }
  void operator()(const AgentDisabled& e) {
    Agent& agent = At<Agent>(state_.agents, e.id);
    if (e.slot.has_value()) {
      agent.disabled_slots[*e.slot] = e.how;
    } else {
      agent.disabled = e.how;
    }
  }
  void operator()(const AgentEnabled& e) {
    Agent& agent = At<Agent>(state_.agents, e.id);
    if (e.slot.has_value()) {
      agent.disabled_slots.erase(*e.slot);
    } else {
      agent.disabled.reset();
    }
  }

 private:
  Task& Move(TaskId id, TaskState from, TaskState to) {
    Task& task = At<Task>(state_.tasks, id);
    DET_CHECK(task.state == from, "task in another state");
    task.state = to;
    task.since = at_;
    return task;
  }
  Allocation& Current(TaskId task, AllocationId id) {
    std::optional<Allocation>& allocation = At<Task>(state_.tasks, task).allocation;
    DET_CHECK(allocation.has_value() && allocation->id == id, "not the task's allocation");
    return *allocation;
  }
  // It was prepared: what was wrong is over.
  static void ForgetFaults(Task& task) {
    task.delay.reset();
    task.request.avoid = AgentId();
  }
  Trial& Report(TrialId id, const ReportId& report) {
    Trial& trial = At<Trial>(state_.trials, id);
    if (trial.reporter != report.allocation) {
      trial.reporter = report.allocation;
      trial.reports.clear();
    }
    trial.reports[report.stream] = report.seq;
    return trial;
  }

  State& state_;
  const absl::Time at_;
};

// The same for both directions: op is AddToIndexes or RemoveFromIndexes.
template <class Op>
void ForIndexes(State& state, const Key& key, Op op) {
  if (const auto* task = std::get_if<TaskId>(&key)) {
    if (const Task* found = state.Find(*task)) op(*found, state.indexes);
  } else if (const auto* experiment = std::get_if<ExperimentId>(&key)) {
    if (const Experiment* found = state.Find(*experiment)) op(*found, state.indexes);
  } else if (const auto* agent = std::get_if<AgentId>(&key)) {
    if (const Agent* found = state.Find(*agent)) op(*found, state.indexes);
  }
}

void MarkDirty(State& state, const Event& event, const Key& owner) {
  state.dirty.insert(owner);
  if (const auto* task = std::get_if<TaskId>(&owner)) {
    if (const Task* found = state.Find(*task)) state.dirty.insert(found->trial);
  }
  if (std::holds_alternative<ExperimentMoved>(event.body) ||
      std::holds_alternative<ExperimentConfigured>(event.body)) {
    const Experiment* experiment = state.Find(std::get<ExperimentId>(owner));
    for (const auto& [request, trial] : experiment->open_trials) state.dirty.insert(trial);
  }
}

void Depart(State& state, const Event& event, const std::vector<TrialId>& closed) {
  for (const TrialId trial : closed) DepartTrial(state, trial);
  const auto* moved = std::get_if<ExperimentMoved>(&event.body);
  if (moved == nullptr || !IsTerminal(moved->to)) return;
  const auto experiment = state.experiments.find(moved->id);
  DET_CHECK(experiment->second.open_trials.empty(), "an experiment ended before its trials");
  RemoveFromIndexes(experiment->second, state.indexes);
  state.indexes.view.RemoveJob(moved->id);
  state.departed.experiments.push_back(std::move(experiment->second));
  state.experiments.erase(experiment);
}

// The trials that the event closes for good.
std::vector<TrialId> Closed(const State& state, const Event& event) {
  std::vector<TrialId> closed;
  const auto* advanced = std::get_if<SearchAdvanced>(&event.body);
  if (advanced == nullptr) return closed;
  for (const searcher::Fact& fact : advanced->facts) {
    if (const auto* exited = std::get_if<searcher::Exited>(&fact)) {
      closed.push_back(state.Find(advanced->id)->open_trials.at(exited->request));
    }
  }
  return closed;
}

}  // namespace

void ApplyToAggregate(State& state, const Event& event) {
  ++state.seq;
  state.now = std::max(state.now, event.at);
  std::visit(Applier(state, event.at), event.body);
}

void Apply(State& state, const Event& event) {
  const Key owner = OwnerOf(event.body);
  const auto closed = Closed(state, event);
  ForIndexes(state, owner, [](const auto& x, Indexes& indexes) { RemoveFromIndexes(x, indexes); });
  ApplyToAggregate(state, event);
  state.indexes.view.SetNow(state.now);
  ForIndexes(state, owner, [](const auto& x, Indexes& indexes) { AddToIndexes(x, indexes); });
  state.changed.insert(owner);
  MarkDirty(state, event, owner);
  Depart(state, event, closed);
}

void SweepDeparted(State& state) {
  std::erase_if(state.experiments, [](const auto& item) { return IsTerminal(item.second.state); });
  std::erase_if(state.trials, [&](const auto& item) {
    const Experiment* experiment = state.Find(item.second.experiment);
    return experiment == nullptr || !experiment->open_trials.contains(item.second.request);
  });
  // A trial that was continued has another task than it had.
  std::erase_if(state.tasks, [&](const auto& item) {
    const Trial* trial = state.Find(item.second.trial);
    return trial == nullptr || trial->task != item.first;
  });
}

}  // namespace det::core
