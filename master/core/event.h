#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"

#include "common/base/value.h"
#include "master/core/settings.h"
#include "master/core/state.h"
#include "master/searcher/events.h"

// Recorded facts: what happened, never what was asked for. Each is a thing that a user could ask
// about, and each changes exactly one aggregate, named by OwnerOf. To add one: docs/checklists.md.
namespace det::core {

// Where a model directory stood in its git work tree; empty when it was in none.
struct CodeVersion {
  std::string commit;  // hexadecimal
  std::string branch;  // "" when no branch was checked out
  bool dirty = false;  // files differed from the commit
  bool operator==(const CodeVersion&) const = default;
};

// Experiments.
struct ExperimentCreated {
  ExperimentId id;
  std::shared_ptr<const spec::ExperimentSpec> spec;
  std::string owner;
  std::string context;
  std::string config_text;  // as submitted
  std::string source_checkpoint;
  bool paused = false;
  Reason reason;
  int64_t queue_position = 0;
  ExperimentId parent;
  WorkspaceId workspace = kFirstWorkspace;
  ProjectId project = kFirstProject;
  CodeVersion code;
};
// Another place in the queue.
struct ExperimentReordered {
  ExperimentId id;
  int64_t position = 0;
  Reason reason;  // without a code when another's move made it go
};
struct ExperimentConfigured {
  ExperimentId id;
  ExperimentSettings settings;  // those that changed
  Reason reason;
};
// It ended, and lives again as it is here, whole; TrialContinued follows for each of its open
// trials.
struct ExperimentContinued {
  Experiment experiment;
};
struct ExperimentMoved {
  ExperimentId id;
  ExperimentState to = ExperimentState::kActive;
  Reason reason;
};
struct SearchAdvanced {
  ExperimentId id;
  std::vector<searcher::Fact> facts;
  std::vector<TrialId> trials;   // of the Requested facts, in order; TrialCreated follows for each
  bool metric_reported = false;  // the trial that exits reported the search's metric
};
// A validation of one of the experiment's trials is the best so far.
struct BestFound {
  ExperimentId id;
  BestTrial best;
};
// Trials.
struct TrialCreated {
  TrialId id;
  ExperimentId experiment;
  TaskId task;
  searcher::RequestId request;
  Value hparams;
  uint32_t seed = 0;
  std::string source_checkpoint;
  Reason reason;
};
// It ended, and lives again as it is here, whole, with another task.
struct TrialContinued {
  Trial trial;
};
struct TrialMoved {
  TrialId id;
  TrialState to = TrialState::kActive;
  Reason reason;
};
// It will run again from its latest checkpoint.
struct TrialRestarted {
  TrialId id;
  bool infrastructure = false;
  Reason reason;
};
// Names a report: `seq` counts within one stream of one allocation, from 1.
struct ReportId {
  AllocationId allocation;
  int64_t stream = 0;
  int64_t seq = 0;
};
struct ValidationRecorded {
  TrialId id;
  ReportId report;
  int64_t steps_completed = 0;
  std::optional<double> metric;  // the searcher's, where the report has it
};
struct CheckpointRecorded {
  TrialId id;
  ReportId report;
  std::string uuid;
  int64_t steps_completed = 0;
  int64_t bytes = 0;
  Value files;  // path -> bytes
  Value metadata;
};
struct HparamsRefused {
  TrialId id;
  ReportId report;
};
// It said that it ends by its own decision; where it goes follows as a TrialMoved.
struct StopReported {
  TrialId id;
  ReportId report;
};
// It said that its machine is about to be taken away.
struct PreemptionAnnounced {
  TrialId id;
  ReportId report;
};
struct LogPolicyMatched {
  TrialId id;
  LogMatch match;
};

// Tasks.
struct TaskCreated {
  TaskId id;
  TrialId trial;
  scheduler::Request request;
  int64_t runs = 0;  // of its trial so far
};
// What it asks for is another thing from now on.
struct TaskRevised {
  TaskId id;
  std::string pool;
  std::set<AgentId> excluded;
};
struct TaskQueued {
  TaskId id;
};
struct TaskDequeued {
  TaskId id;
};
// A fault of the infrastructure ended its run: it asks for slots again at `until`, and for those of
// another agent than `avoid`.
struct TaskDelayed {
  TaskId id;
  int64_t faults = 1;  // in a row
  absl::Time until;
  AgentId avoid;  // "" is none
  Reason reason;
};
// That wait is over.
struct TaskReady {
  TaskId id;
};
struct AllocationPlaced {
  TaskId task;
  AllocationId id;
  AgentId agent;
  std::vector<int> slots;
  int64_t run = 1;
  int64_t priority = 0;  // of its job then, with its age
};
struct AllocationMoved {
  TaskId task;
  AllocationId id;
  AllocationState to = AllocationState::kAssigned;
};
struct AllocationSignaled {
  TaskId task;
  AllocationId id;
  StopLevel level = StopLevel::kPreempt;
  absl::Time kill_at = absl::InfiniteFuture();
  Reason reason;
};
// How a run of a task came to its end.
enum class ExitKind : uint8_t {
  kExited,         // by itself, with `code`
  kSignaled,       // by `signal`
  kOutOfMemory,    // killed by the kernel
  kStartFailed,    // the program could not be started: the user's fault
  kPrepareFailed,  // the agent could not prepare it: the infrastructure's fault
  kLost,           // with its agent, or the agent has no trace of it
  kStartTimeout,   // its agent did not get it to run in time: the infrastructure's fault
};
inline constexpr int kExitKinds = 7;
// Whose fault is not the trial's.
constexpr bool IsInfrastructure(ExitKind kind) {
  return kind == ExitKind::kPrepareFailed || kind == ExitKind::kLost ||
         kind == ExitKind::kStartTimeout;
}
struct Exit {
  ExitKind kind = ExitKind::kExited;
  int64_t code = 0;
  int64_t signal = 0;
  bool on_order = false;  // it left because it was told to
  std::string text;       // what the agent saw, for people
};

struct AllocationEnded {
  TaskId task;
  AllocationId id;
  Exit exit;
};

// Agents.
struct AgentConnected {
  AgentId id;
  std::string pool;
  std::string instance;
  std::string boot_id;
  std::string version;
  std::string address;
  std::vector<Slot> slots;
  int64_t session = 0;
};
struct AgentDisconnected {
  AgentId id;
  absl::Time lost_at;
};
struct AgentLost {
  AgentId id;
};
// The agent, or one of its slots, takes nothing new.
struct AgentDisabled {
  AgentId id;
  std::optional<int> slot;
  Disabled how;
};
struct AgentEnabled {
  AgentId id;
  std::optional<int> slot;
  Reason reason;
};

using EventBody = std::variant<ExperimentCreated,
                               ExperimentConfigured,
                               ExperimentReordered,
                               ExperimentContinued,
                               ExperimentMoved,
                               SearchAdvanced,
                               BestFound,
                               TrialCreated,
                               TrialContinued,
                               TrialMoved,
                               TrialRestarted,
                               ValidationRecorded,
                               CheckpointRecorded,
                               HparamsRefused,
                               StopReported,
                               PreemptionAnnounced,
                               LogPolicyMatched,
                               TaskCreated,
                               TaskRevised,
                               TaskQueued,
                               TaskDequeued,
                               TaskDelayed,
                               TaskReady,
                               AllocationPlaced,
                               AllocationMoved,
                               AllocationSignaled,
                               AllocationEnded,
                               AgentConnected,
                               AgentDisconnected,
                               AgentLost,
                               AgentDisabled,
                               AgentEnabled>;

struct Event {
  absl::Time at;
  EventBody body;
};
using Events = std::vector<EventBody>;

// The aggregate that the event changes.
Key OwnerOf(const EventBody& body);

}  // namespace det::core
