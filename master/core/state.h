#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"

#include "common/base/ids.h"
#include "common/base/value.h"
#include "master/core/lifecycle.h"
#include "master/scheduler/view.h"
#include "master/searcher/searcher.h"
#include "master/spec/experiment_spec.h"

// Everything that the master decides from. Changed by Apply alone, on the one core thread.
//
// The state is a set of aggregates (experiments, trials, tasks, agents), each changed only by
// events of its own, and indexes that can be rebuilt from them. A finished trial or experiment
// leaves the state; the store keeps it.
namespace det::core {

// Why something is as it is: a code for machines, a text for people, who did it, and since when.
struct Reason {
  std::string code;   // "USER_PAUSED"
  std::string text;   // "paused by admin"
  std::string actor;  // "user:admin", "searcher", "agent:gpu-3", "master"
  absl::Time since;
  bool operator==(const Reason&) const = default;
};

struct CheckpointRef {
  std::string uuid;
  int64_t steps_completed = 0;
  bool operator==(const CheckpointRef&) const = default;
};

struct BestTrial {
  TrialId trial;
  double metric = 0;  // as reported
  int64_t steps_completed = 0;
};

// Between the places of two jobs in the queue, so that others find room there.
inline constexpr int64_t kQueueStep = int64_t{1} << 20;

struct Experiment {
  ExperimentId id;
  std::shared_ptr<const spec::ExperimentSpec>
      spec;  // shared with replies and orders being prepared
  std::string owner;
  std::string context;            // SHA-256 of the model directory, hexadecimal; "" is none
  std::string source_checkpoint;  // what its trials begin from; "" is nothing
  ExperimentId parent;            // that it was forked from; 0 is none
  WorkspaceId workspace = kFirstWorkspace;
  ProjectId project = kFirstProject;  // at its creation: the table knows where it is
  absl::Time created_at;
  ExperimentState state = ExperimentState::kActive;
  Reason reason;
  searcher::State search;
  uint64_t search_history = 0;  // a hash over every fact applied to `search`, in order
  std::map<searcher::RequestId, TrialId> open_trials;  // whose end the searcher was not told
  std::optional<BestTrial> best;
  bool metric_reported = false;  // by one of the trials that are closed
  int64_t queue_position = 0;    // less goes first
  absl::Time ended_at = absl::InfinitePast();

  bool IsSingle() const { return std::holds_alternative<spec::SingleSpec>(spec->searcher.method); }
  searcher::Config SearchConfig() const { return {spec->searcher, spec->hparams, spec->seed}; }
};

// A line of the trial's log that a policy of its experiment speaks of.
struct LogMatch {
  std::string policy;  // its name, or its pattern when it has none
  spec::LogAction action = spec::LogAction::kNone;
  AgentId agent;     // where the trial ran
  std::string line;  // cut at kLogLineBytesMax
  bool operator==(const LogMatch&) const = default;
};

struct Trial {
  TrialId id;
  ExperimentId experiment;
  TaskId task;
  searcher::RequestId request;
  Value hparams;
  uint32_t seed = 0;
  absl::Time created_at;
  TrialState state = TrialState::kActive;
  Reason reason;
  int64_t restarts = 0;                 // failures of its own
  int64_t infrastructure_restarts = 0;  // runs lost to an agent or the master
  std::optional<CheckpointRef> latest_checkpoint;
  std::string source_checkpoint;  // its experiment's, when it was made
  bool invalid_hparams = false;   // it refused them
  double best_metric = 0;         // valid when validations > 0; as reported
  double latest_metric = 0;
  int64_t latest_steps = 0;
  int64_t validations = 0;
  // The highest report decided on, by stream, of the allocation that reported last: what is sent
  // again is known by it.
  AllocationId reporter;
  std::map<int64_t, int64_t> reports;
  std::vector<LogMatch> log_matches;  // of each policy the first; of those that exclude, by agent
  absl::Time ended_at = absl::InfinitePast();
};

struct Allocation {
  AllocationId id;
  AgentId agent;
  std::vector<int> slots;
  int64_t run = 1;  // the task's run-th allocation
  AllocationState state = AllocationState::kAssigned;
  int64_t priority = 0;  // of its job then, with its age: it is protected by it
  StopLevel level = StopLevel::kRun;
  Reason level_reason;
  absl::Time kill_at = absl::InfiniteFuture();  // when kPreempt turns into kKill
  absl::Time placed_at;
};

// After a fault of the infrastructure a task waits before it asks for slots again.
struct Delay {
  int64_t faults = 0;                       // in a row: no run of the task got to kRunning since
  absl::Time until = absl::InfinitePast();  // the infinite past: the wait is over
  Reason reason;                            // "a failure to prepare on agent a: disk full"
};

// What holds slots: a trial's run is one kind of task.
struct Task {
  TaskId id;
  TrialId trial;  // its owner
  TaskState state = TaskState::kIdle;
  scheduler::Request request;
  absl::Time since;
  int64_t runs = 0;  // allocations so far
  std::optional<Allocation> allocation;
  std::optional<Delay> delay;

  bool Waits() const { return delay.has_value() && delay->until != absl::InfinitePast(); }
};

struct Slot {
  int index = 0;
  std::string kind;  // "cpu", "cuda", "rocm", "artificial"
  std::string name;
  bool operator==(const Slot&) const = default;
};

// An administrator keeps an agent, or one of its slots, from taking what is new.
struct Disabled {
  bool drain = false;  // what runs there goes on; otherwise it is told to save and leave
  absl::Time until = absl::InfiniteFuture();  // then what still runs is told to leave as well
  Reason reason;
};

struct Agent {
  AgentId id;
  std::string pool;
  std::string instance;  // a UUID of the agent's data directory: a copy of a machine has another
  std::string boot_id;
  std::string version;
  std::string address;
  std::vector<Slot> slots;
  bool connected = false;
  int64_t session = 0;
  absl::Time since;                             // of `connected`
  absl::Time lost_at = absl::InfiniteFuture();  // when it is given up, unless it comes back
  bool lost = false;
  std::optional<Disabled> disabled;        // lasts until it is enabled, whoever restarts
  std::map<int, Disabled> disabled_slots;  // by index
};

// What Advance looks at again, and what is projected and hashed after a step.
using Key = std::variant<ExperimentId, TrialId, TaskId, AgentId>;

// Where an experiment stands among all: less goes first.
struct JobPlace {
  std::string pool;
  int64_t priority = 0;
  int64_t position = 0;
  ExperimentId id;
  auto operator<=>(const JobPlace&) const = default;
};

// Rebuilt from the aggregates by BuildIndexes (index.h); never saved.
struct Indexes {
  scheduler::View view;
  std::map<AgentId, std::map<AllocationId, TaskId>> on_agent;
  std::map<AllocationId, TaskId> allocations;
  std::set<std::pair<absl::Time, Key>> deadlines;
  std::set<JobPlace> jobs;
  std::set<std::pair<int64_t, ExperimentId>> positions;  // of all pools
  int64_t agents_connected = 0;
};

// The next id of each kind. Ids of things that left the state are never used again.
struct NextIds {
  int64_t experiment = 1;
  int64_t trial = 1;
  int64_t task = 1;
  int64_t allocation = 1;
  bool operator==(const NextIds&) const = default;
};

struct Departed {
  std::vector<Trial> trials;
  std::vector<Task> tasks;
  std::vector<Experiment> experiments;
};

struct State {
  int64_t seq = 0;  // events applied since the cluster began
  absl::Time now = absl::UnixEpoch();
  NextIds next;
  std::map<ExperimentId, Experiment> experiments;
  std::map<TrialId, Trial> trials;
  std::map<TaskId, Task> tasks;
  std::map<AgentId, Agent> agents;

  Indexes indexes;
  std::set<Key> dirty;    // for Advance; empty between steps
  std::set<Key> changed;  // for projections, hashes and snapshots; taken by the engine
  Departed departed;      // left the state in this step; taken by the engine

  const Experiment* Find(ExperimentId id) const;
  const Trial* Find(TrialId id) const;
  const Task* Find(TaskId id) const;
  const Agent* Find(const AgentId& id) const;
  // The task that holds the allocation now, or nullptr.
  const Task* FindByAllocation(AllocationId id) const;
};

// The earliest deadline, or the infinite future.
absl::Time NextDeadline(const State& state);

// The agents that the trial may not run on any more.
std::set<AgentId> ExcludedAgents(const Trial& trial);

// Should the trial hold slots, as far as its owner is concerned?
bool WantsToRun(const State& state, const Trial& trial);

template <class A>
void Fields(A& a, Reason& x) {
  a(x.code, x.text, x.actor, x.since);
}
template <class A>
void Fields(A& a, CheckpointRef& x) {
  a(x.uuid, x.steps_completed);
}
template <class A>
void Fields(A& a, BestTrial& x) {
  a(x.trial, x.metric, x.steps_completed);
}
template <class A>
void Fields(A& a, LogMatch& x) {
  a(x.policy, x.action, x.agent, x.line);
}
template <class A>
void Fields(A& a, Trial& x) {
  a(x.id,
    x.experiment,
    x.task,
    x.request,
    x.hparams,
    x.seed,
    x.created_at,
    x.state,
    x.reason,
    x.restarts,
    x.infrastructure_restarts,
    x.latest_checkpoint,
    x.source_checkpoint,
    x.invalid_hparams,
    x.best_metric,
    x.latest_metric,
    x.latest_steps,
    x.validations,
    x.reporter,
    x.reports,
    x.log_matches,
    x.ended_at);
}
template <class A>
void Fields(A& a, Allocation& x) {
  a(x.id,
    x.agent,
    x.slots,
    x.run,
    x.priority,
    x.state,
    x.level,
    x.level_reason,
    x.kill_at,
    x.placed_at);
}
template <class A>
void FieldsOfRequest(A& a, scheduler::Request& x) {
  a(x.task, x.job, x.pool, x.slots, x.avoid, x.excluded);
}
template <class A>
void Fields(A& a, Delay& x) {
  a(x.faults, x.until, x.reason);
}
template <class A>
void Fields(A& a, Task& x) {
  a(x.id, x.trial, x.state);
  FieldsOfRequest(a, x.request);
  a(x.since, x.runs, x.allocation, x.delay);
}
template <class A>
void Fields(A& a, Slot& x) {
  a(x.index, x.kind, x.name);
}
template <class A>
void Fields(A& a, Disabled& x) {
  a(x.drain, x.until, x.reason);
}
template <class A>
void Fields(A& a, Agent& x) {
  a(x.id,
    x.pool,
    x.instance,
    x.boot_id,
    x.version,
    x.address,
    x.slots,
    x.connected,
    x.session,
    x.since,
    x.lost_at,
    x.lost,
    x.disabled,
    x.disabled_slots);
}
// All of an experiment but its specification and the searcher's own state.
template <class A>
void FieldsOfHead(A& a, Experiment& x) {
  a(x.id,
    x.owner,
    x.context,
    x.source_checkpoint,
    x.parent,
    x.workspace,
    x.project,
    x.created_at,
    x.state,
    x.reason,
    x.search_history,
    x.open_trials,
    x.best,
    x.metric_reported,
    x.queue_position,
    x.ended_at);
}
template <class A>
void Fields(A& a, NextIds& x) {
  a(x.experiment, x.trial, x.task, x.allocation);
}

}  // namespace det::core
