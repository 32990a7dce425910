#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "cli/follow/snapshot.h"

namespace det::cli {

class Client;
class Context;

namespace follow {

struct FollowOptions {
  bool show = true;                       // progress, unless --quiet
  std::optional<absl::Duration> give_up;  // DEADLINE_EXCEEDED after that long
};

struct FollowEnd {
  Snapshot last;
  bool detached = false;  // by Ctrl-C; the experiment goes on
};

// Watches an experiment until it has ended. On a terminal a live view is drawn on the standard
// error, which vanishes at the end; elsewhere a line for each noteworthy change.
absl::StatusOr<FollowEnd> Follow(Context& context,
                                 Client* client,
                                 int64_t experiment,
                                 const FollowOptions& options);

}  // namespace follow
}  // namespace det::cli
