#include "master/rpc/call.h"

#include <future>

#include "common/base/status.h"

namespace det::rpc {

absl::StatusOr<core::Events> RunCommand(const Deps& deps, core::Command command) {
  auto outcome = std::make_shared<std::promise<absl::StatusOr<core::Events>>>();
  std::future<absl::StatusOr<core::Events>> future = outcome->get_future();
  deps.engine.Post(std::move(command), [outcome](absl::StatusOr<core::Events> result) {
    outcome->set_value(std::move(result));
  });
  return future.get();
}

absl::Status ReadState(const Deps& deps, std::function<void(const core::State&)> read) {
  auto done = std::make_shared<std::promise<void>>();
  std::future<void> future = done->get_future();
  const bool queued = deps.engine.Read([read = std::move(read), done](const core::State& state) {
    read(state);
    return [done] { done->set_value(); };
  });
  if (!queued) {
    return Error(absl::StatusCode::kResourceExhausted,
                 "MASTER_BUSY",
                 "the master is busy",
                 "try again in a moment");
  }
  try {
    future.get();
  } catch (const std::future_error&) {
    return Error(
        absl::StatusCode::kUnavailable, "MASTER_STOPPING", "the master is stopping", "try again");
  }
  return absl::OkStatus();
}

}  // namespace det::rpc
