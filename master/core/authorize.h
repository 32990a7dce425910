#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"

#include "master/core/command.h"

namespace det::core {

enum class Verb : uint8_t {
  kRead,        // look at it
  kCreate,      // an experiment, a project, a template
  kControl,     // pause, activate, cancel, kill; name, label, archive, move
  kDelete,      // what nobody brings back: an experiment, its checkpoints
  kManage,      // a workspace itself: who may what in it, its name, its end
  kAdminister,  // what belongs to nobody: users, workspaces, agents
  kRunTasks,    // what agents do
  kRule,        // the master's own commands
};

// What is acted on.
struct Object {
  std::string owner = {};  // a user's handle; "" belongs to nobody
  AgentId agent = {};      // of an agent's commands: whose they are
  // 0: the cluster itself, which every user may look at.
  WorkspaceId workspace = {};
  std::string what = "this";  // for the refusal: "experiment 7"
};

// The one place that says who may do what: every door and every command ask it. Deny by default.
//
//   reading       viewers of the object's workspace
//   creating      editors of the workspace; of nothing in particular: who is editor anywhere
//   controlling   editors of the workspace, and the object's owner while they are viewer there
//   deleting      administrators of the workspace, and the owner while they are viewer there
//   managing      administrators of the workspace
//   administering administrators of the cluster, who may do all of the above everywhere
//
// An agent acts for itself alone. PERMISSION_DENIED (reason FORBIDDEN) says who may not do what to
// which object, and which role would do.
absl::Status Authorize(const Principal& principal, Verb verb, const Object& object);

// What the user may do in the workspace; kNone for whoever is no user.
Access AccessOf(const Principal& principal, WorkspaceId workspace);

// Whether the principal may know of what is there at all.
bool Sees(const Principal& principal, WorkspaceId workspace);
// Whether the principal sees all workspaces, and else which.
bool ReadsEverything(const Principal& principal);
std::vector<WorkspaceId> ReadableWorkspaces(const Principal& principal);

// "viewer", "editor", "administrator", "no role".
std::string_view Name(Access access);

// A user who is editor of that workspace and nothing else.
Principal EditorOf(WorkspaceId workspace, std::string name);

}  // namespace det::core
