#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "absl/time/time.h"

#include "master/core/command.h"

// Reports of trials on their way into the store.
namespace det::ingest {

struct Metrics {
  std::string group;  // "training", "validation", or the user's own
  int64_t steps_completed = 0;
  Value values;  // name -> value
};
struct Checkpoint {
  std::string uuid;
  int64_t steps_completed = 0;
  int64_t bytes = 0;
  Value files;
  Value metadata;
};
struct Progress {
  double fraction = 0;
};
struct InvalidHparams {};
// The trial ends by its own decision.
struct Stop {};
// Its machine is about to be taken away.
struct PendingPreemption {};
// A report that makes no sense. It is taken like any other, or it would be sent again for ever, and
// leaves only a line in the trial's log.
struct Unreadable {
  std::string why;
};

struct Report {
  core::ReportId id;
  TrialId trial;
  int64_t rank = 0;
  absl::Time at;
  std::variant<Metrics, Checkpoint, Progress, InvalidHparams, Stop, PendingPreemption, Unreadable>
      body;
};

// What the core must hear of the report, if anything. It is acknowledged only when this command's
// events are durable too; the command is posted again for a report that comes again, and the core
// knows it by its id.
std::optional<core::Command> CommandFor(const AgentId& agent, const Report& report);

}  // namespace det::ingest
