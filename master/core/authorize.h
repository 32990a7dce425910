#pragma once

#include <string>

#include "absl/status/status.h"

#include "master/core/command.h"

namespace det::core {

enum class Verb : uint8_t {
  kRead,          // look at anything
  kCreate,        // an experiment
  kControl,       // pause, activate, cancel, kill
  kManageAgents,  // disable, drain and enable agents and slots
  kRunTasks,      // what agents do
  kRule,          // the master's own commands
};

struct Object {
  std::string owner;  // "" belongs to nobody
  AgentId agent;      // of an agent's commands: whose they are
};

// The one place that says who may do what: both doors and every command ask it. Deny by default.
// Administrators may do everything but act as an agent; users see everything and control what is
// theirs; an agent acts for itself alone.
absl::Status Authorize(const Principal& principal, Verb verb, const Object& object);

}  // namespace det::core
