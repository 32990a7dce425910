#include "bench/base/open_loop.h"

#include <thread>
#include <vector>

#include "common/os/pause.h"
#include "common/os/process.h"

namespace det::bench {

absl::Status RunOpenLoop(
    const OpenLoop& load,
    const std::function<absl::Status(int connection, int64_t number, absl::Duration due)>&
        request) {
  const auto total = static_cast<int64_t>(load.per_second * absl::ToDoubleSeconds(load.duration));
  const absl::Duration begun = SteadyNow();
  std::vector<absl::Status> results(static_cast<size_t>(load.connections));
  std::vector<std::thread> threads;
  for (int connection = 0; connection < load.connections; ++connection) {
    threads.emplace_back([&, connection] {
      absl::Status& result = results[static_cast<size_t>(connection)];
      for (int64_t i = connection; i < total && result.ok(); i += load.connections) {
        const absl::Duration due = begun + absl::Seconds(static_cast<double>(i) / load.per_second);
        PauseFor(due - SteadyNow());
        result = request(connection, i, due);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& result : results) {
    if (!result.ok()) return result;
  }
  return absl::OkStatus();
}

}  // namespace det::bench
