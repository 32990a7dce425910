#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "common/base/value.h"
#include "master/core/event.h"

// Untrusted inputs: what somebody asks for. Decide answers each with events or an error.
namespace det::core {

enum class Role : uint8_t { kUser, kAdmin, kAgent, kMaster };

// What a person may do in a workspace: each may all that the one before may.
enum class Access : uint8_t { kNone, kViewer, kEditor, kAdministrator };
struct Grants {
  Access everywhere = Access::kNone;
  std::map<WorkspaceId, Access> in;
};

struct Principal {
  Role role = Role::kUser;
  std::string name;  // a user's handle: it stays when the user is renamed
  std::shared_ptr<const Grants> grants = nullptr;  // of a user; nullptr grants nothing
  // "user:ann", "agent:gpu-3", "master".
  std::string Actor() const;
};

struct CreateExperiment {
  std::shared_ptr<const spec::ExperimentSpec> spec;
  std::string config_text;
  std::string context;
  std::string source_checkpoint;  // of the specification's warm start, resolved; "" is none
  bool paused = false;
  ExperimentId parent;  // that it is forked from; 0 is none
  WorkspaceId workspace = kFirstWorkspace;
  ProjectId project = kFirstProject;
  CodeVersion code;
};
// A trial as it was when it ended.
struct EndedTrial {
  Trial trial;
  int64_t runs = 0;
};
// Takes up again what the core does not know any more: read back from the store, of an experiment
// that ended and that nobody deletes meanwhile.
struct ContinueExperiment {
  Experiment ended;
  std::vector<EndedTrial> trials;                    // those that may go on
  std::shared_ptr<const spec::ExperimentSpec> spec;  // in place of its own, unless null
};
// To the place directly before or behind another in the queue of the pool.
struct QueueMove {
  ExperimentId beside;
  bool behind = false;
};
struct ConfigureExperiment {
  ExperimentId id;
  ExperimentSettings settings;
  std::optional<QueueMove> move = {};  // after the settings; in a pool of priorities it takes those
};
struct KillTrial {
  TrialId id;
};
struct PauseExperiment {
  ExperimentId id;
};
struct ActivateExperiment {
  ExperimentId id;
};
struct CancelExperiment {
  ExperimentId id;
};
struct KillExperiment {
  ExperimentId id;
};

// What the agent says of one allocation that it holds.
struct HeldAllocation {
  AllocationId id;
  AllocationState state = AllocationState::kAssigned;
};
// A control connection begins; everything that the agent holds is in it.
struct ConnectAgent {
  AgentId id;
  std::string pool;
  std::string instance;
  std::string boot_id;
  std::string version;
  std::string address;
  std::vector<Slot> slots;
  std::vector<HeldAllocation> held;
};
struct DisconnectAgent {
  AgentId id;
  int64_t session = 0;
};
// Keeps the agent, or one slot of it, from taking anything new. What runs there is told to save and
// leave: at once, or when it is drained, once the time for that is over. A command given again
// changes nothing.
struct DisableAgent {
  AgentId id;
  std::optional<int> slot;
  bool drain = false;
  absl::Duration drain_for = absl::InfiniteDuration();
  std::string note;  // why, for people
};
struct EnableAgent {
  AgentId id;
  std::optional<int> slot;
};
struct ReportStatus {
  AgentId agent;
  AllocationId allocation;
  AllocationState state = AllocationState::kAssigned;
  Exit exit;  // with kTerminated
};

// Reports of a trial, through its agent.
struct ReportValidation {
  AgentId agent;
  ReportId report;
  int64_t steps_completed = 0;
  Value metrics;  // name -> value
};
struct ReportCheckpoint {
  AgentId agent;
  ReportId report;
  std::string uuid;
  int64_t steps_completed = 0;
  int64_t bytes = 0;
  Value files;
  Value metadata;
};
struct ReportInvalidHparams {
  AgentId agent;
  ReportId report;
};
// The trial is done by its own decision, whatever it was told meanwhile.
struct ReportStop {
  AgentId agent;
  ReportId report;
};
// What the trial runs on is about to be taken away: it is told to save and leave.
struct ReportPreemption {
  AgentId agent;
  ReportId report;
};
// A line of the trial's log matched a policy. Idempotent: `match` is recorded once.
struct ReportLogMatch {
  AllocationId allocation;
  TrialId trial;
  LogMatch match;
};

// The first command of every term of a master.
struct StartMaster {};
// The earliest deadline is acted on, if it has come. Repeat until none is due.
struct Tick {};

using CommandBody = std::variant<CreateExperiment,
                                 PauseExperiment,
                                 ActivateExperiment,
                                 CancelExperiment,
                                 KillExperiment,
                                 ConfigureExperiment,
                                 ContinueExperiment,
                                 KillTrial,
                                 ConnectAgent,
                                 DisconnectAgent,
                                 DisableAgent,
                                 EnableAgent,
                                 ReportStatus,
                                 ReportValidation,
                                 ReportCheckpoint,
                                 ReportInvalidHparams,
                                 ReportStop,
                                 ReportPreemption,
                                 ReportLogMatch,
                                 StartMaster,
                                 Tick>;

struct Command {
  Principal principal;
  CommandBody body;
};

}  // namespace det::core
