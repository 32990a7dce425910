#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "cli/app/live_region.h"
#include "cli/cluster/daemon.h"

namespace det::cli {

class Context;

// "starting det-master, 3 s" on a terminal, for as long as it lives; nothing at all elsewhere.
class WaitLine {
 public:
  WaitLine(Context& context, std::string doing);
  void Show();

 private:
  const std::string doing_;
  const absl::Duration begun_;
  bool shown_ = false;
  int64_t seconds_ = -1;
  LiveRegion region_;
};

struct Awaited {
  const Daemon& daemon;
  StartedDaemon started;
  bool ours = false;     // this command has started it, so its last words are in the log
  std::string becoming;  // "ready"
};

// Looks until `ready` says yes; an error of it, the end of the program or of the time ends it.
absl::Status Await(Context& context,
                   const Awaited& what,
                   absl::Duration patience,
                   const std::function<absl::StatusOr<bool>()>& ready);

}  // namespace det::cli
