#include "master/core/authorize.h"

#include <algorithm>

#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::core {
namespace {

// The least that a user who owns nothing needs. Verbs that no role gives are the administrators'
// of the cluster, or nobody's.
Access Needed(Verb verb) {
  switch (verb) {
    case Verb::kRead:
      return Access::kViewer;
    case Verb::kCreate:
    case Verb::kControl:
      return Access::kEditor;
    case Verb::kDelete:
    case Verb::kManage:
      return Access::kAdministrator;
    default:
      return Access::kNone;
  }
}

// The most that a user may do in any one place.
Access Highest(const Principal& principal) {
  if (principal.grants == nullptr) return Access::kNone;
  Access highest = principal.grants->everywhere;
  for (const auto& [workspace, access] : principal.grants->in) highest = std::max(highest, access);
  return highest;
}

bool UserMay(const Principal& principal, Verb verb, const Object& object) {
  const Access needed = Needed(verb);
  if (needed == Access::kNone) return false;
  if (!object.workspace.valid()) {
    if (verb == Verb::kRead) return true;
    return verb == Verb::kCreate && Highest(principal) >= needed;
  }
  const Access access = AccessOf(principal, object.workspace);
  if (access >= needed) return true;
  const bool owns = !object.owner.empty() && object.owner == principal.name;
  const bool owners = verb == Verb::kControl || verb == Verb::kDelete;
  return owners && owns && access >= Access::kViewer;
}

bool Allowed(const Principal& principal, Verb verb, const Object& object) {
  switch (principal.role) {
    case Role::kMaster:
      return true;
    case Role::kAgent:
      return verb == Verb::kRunTasks && object.agent.value() == principal.name;
    case Role::kAdmin:
      return verb != Verb::kRunTasks && verb != Verb::kRule;
    case Role::kUser:
      return UserMay(principal, verb, object);
  }
  return false;
}

std::string_view Name(Verb verb) {
  static constexpr std::string_view kNames[] = {
      "look at", "create", "change", "delete", "manage", "administer", "run tasks for", "rule"};
  return kNames[static_cast<size_t>(verb)];
}

absl::Status Refused(const Principal& principal, Verb verb, const Object& object) {
  std::string text = StrCat(principal.Actor(), " may not ", Name(verb), " ", object.what);
  if (principal.role != Role::kUser)
    return Error(absl::StatusCode::kPermissionDenied, "FORBIDDEN", text);
  const Access needed = Needed(verb);
  if (needed == Access::kNone || (!object.workspace.valid() && verb != Verb::kCreate)) {
    return Error(absl::StatusCode::kPermissionDenied,
                 "FORBIDDEN",
                 StrCat(text, ": that takes an administrator of the cluster"),
                 "det user list shows who is one");
  }
  const bool somewhere = !object.workspace.valid();
  const bool named = somewhere || object.what.starts_with("workspace ");
  StrAppend(text, named ? "" : StrCat(" in workspace ", object.workspace.value()));
  if (!object.owner.empty()) StrAppend(text, ", which is ", object.owner, "'s");
  StrAppend(text,
            ": that takes the role ",
            Name(needed),
            somewhere ? " in some workspace, and " : " there, and ",
            principal.name,
            " has ",
            somewhere ? "none that high" : Name(AccessOf(principal, object.workspace)));
  return Error(absl::StatusCode::kPermissionDenied,
               "FORBIDDEN",
               text,
               "an administrator of the workspace gives roles: det workspace role add");
}

}  // namespace

std::string Principal::Actor() const {
  switch (role) {
    case Role::kMaster:
      return "master";
    case Role::kAgent:
      return StrCat("agent:", name);
    case Role::kAdmin:
    case Role::kUser:
      return StrCat("user:", name);
  }
  return "";
}

Access AccessOf(const Principal& principal, WorkspaceId workspace) {
  if (principal.role == Role::kAdmin) return Access::kAdministrator;
  if (principal.role != Role::kUser || principal.grants == nullptr) return Access::kNone;
  const auto in = principal.grants->in.find(workspace);
  const Access here = in == principal.grants->in.end() ? Access::kNone : in->second;
  return std::max(here, principal.grants->everywhere);
}

bool Sees(const Principal& principal, WorkspaceId workspace) {
  return Allowed(principal, Verb::kRead, {.workspace = workspace});
}

bool ReadsEverything(const Principal& principal) {
  return AccessOf(principal, WorkspaceId()) >= Access::kViewer;
}

std::vector<WorkspaceId> ReadableWorkspaces(const Principal& principal) {
  std::vector<WorkspaceId> workspaces;
  if (principal.grants == nullptr) return workspaces;
  for (const auto& [workspace, access] : principal.grants->in)
    if (access >= Access::kViewer) workspaces.push_back(workspace);
  return workspaces;
}

std::string_view Name(Access access) {
  static constexpr std::string_view kNames[] = {"no role", "viewer", "editor", "administrator"};
  return kNames[static_cast<size_t>(access)];
}

Principal EditorOf(WorkspaceId workspace, std::string name) {
  return {Role::kUser,
          std::move(name),
          std::make_shared<const Grants>(Grants{.in = {{workspace, Access::kEditor}}})};
}

absl::Status Authorize(const Principal& principal, Verb verb, const Object& object) {
  if (Allowed(principal, verb, object)) return absl::OkStatus();
  return Refused(principal, verb, object);
}

}  // namespace det::core
