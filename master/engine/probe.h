#pragma once

#include <cstdint>

#include "absl/time/time.h"

namespace det::engine {

// What the engine tells of its own work, for metrics. Calls come from its threads and must not
// block.
class Probe {
 public:
  virtual ~Probe() = default;
  // A commit of `events` events took `latency`.
  virtual void OnCommit(int64_t events, absl::Duration latency) = 0;
  // A try to commit failed and is repeated.
  virtual void OnCommitRetry() = 0;
  // A turn of the core thread ran `commands` commands; its scheduling pass took `scheduling`.
  virtual void OnTurn(int64_t commands, absl::Duration scheduling) = 0;
};

}  // namespace det::engine
