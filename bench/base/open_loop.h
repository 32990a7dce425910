#pragma once

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "bench/base/stats.h"

namespace det::bench {

struct OpenLoop {
  double per_second = 100;
  int connections = 25;
  absl::Duration duration = absl::Seconds(10);
};

// Makes requests at the given rate whether or not earlier ones were answered, each connection a
// thread of its own. A request counts from when it was due, so one that had to wait for its
// connection counts as late. `request(connection, number)` makes one, on any of the threads, and
// records what it took with the time it was due. The first error of all.
absl::Status RunOpenLoop(
    const OpenLoop& load,
    const std::function<absl::Status(int connection, int64_t number, absl::Duration due)>& request);

}  // namespace det::bench
