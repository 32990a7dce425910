#include "master/core/authorize.h"

#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::core {
namespace {

bool Allowed(const Principal& principal, Verb verb, const Object& object) {
  switch (principal.role) {
    case Role::kMaster:
      return true;
    case Role::kAgent:
      return verb == Verb::kRunTasks && object.agent.value() == principal.name;
    case Role::kAdmin:
      return verb == Verb::kRead || verb == Verb::kCreate || verb == Verb::kControl ||
             verb == Verb::kManageAgents;
    case Role::kUser:
      return verb == Verb::kRead || verb == Verb::kCreate ||
             (verb == Verb::kControl && !object.owner.empty() && object.owner == principal.name);
  }
  return false;
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

absl::Status Authorize(const Principal& principal, Verb verb, const Object& object) {
  if (Allowed(principal, verb, object)) return absl::OkStatus();
  if (verb == Verb::kControl && principal.role == Role::kUser) {
    return Error(
        absl::StatusCode::kPermissionDenied,
        "NOT_OWNER",
        StrCat(
            "it belongs to ", object.owner, ", and ", principal.name, " is not an administrator"));
  }
  return Error(absl::StatusCode::kPermissionDenied,
               "FORBIDDEN",
               StrCat(principal.Actor(), " is not allowed to do this"));
}

}  // namespace det::core
