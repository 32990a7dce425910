#include "cli/cluster/tasks.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include "absl/time/clock.h"

#include "agent/runtime/process_runtime.h"
#include "agent/task/task_files.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/os_error.h"
#include "common/os/pause.h"
#include "common/os/process.h"

namespace det::cli {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kBetweenLooks = absl::Milliseconds(20);
constexpr absl::Duration kKillPatience = absl::Seconds(10);

using agent::Found;

class Ender {
 public:
  absl::StatusOr<EndedTasks> End(const std::string& agent_data, absl::Duration patience) {
    DET_RETURN_IF_ERROR(FindRunning(StrCat(agent_data, "/tasks")));
    EndedTasks result{.ended = static_cast<int>(running_.size())};
    const std::vector<std::string> all = running_;
    ordered_ = absl::Now();
    for (const std::string& task : running_) DET_RETURN_IF_ERROR(runtime_.Terminate(task));
    DET_RETURN_IF_ERROR(Await(patience));
    result.killed = static_cast<int>(running_.size());
    for (const std::string& task : running_) DET_RETURN_IF_ERROR(runtime_.Kill(task));
    DET_RETURN_IF_ERROR(Await(kKillPatience));
    if (!running_.empty()) {
      return Error(absl::StatusCode::kDeadlineExceeded,
                   "TASK_DOES_NOT_END",
                   StrCat("the task in ", running_[0], " does not end, not even by SIGKILL"),
                   "it waits for a disk or a device, perhaps: see dmesg");
    }
    for (const std::string& task : all) DET_RETURN_IF_ERROR(NoteLost(task));
    return result;
  }

 private:
  absl::Status FindRunning(const std::string& tasks) {
    std::error_code error;
    if (!fs::exists(tasks, error)) {
      return error ? OsError(error.value(), "look at", tasks) : absl::OkStatus();
    }
    fs::directory_iterator entries(tasks, error);
    for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
      const std::string task = entries->path().string();
      DET_ASSIGN_OR_RETURN(const Found found, runtime_.Inspect(task));
      if (found.state == Found::State::kRunning) running_.push_back(task);
    }
    return error ? OsError(error.value(), "list", tasks) : absl::OkStatus();
  }

  // Until nothing runs any more, or the time is over.
  absl::Status Await(absl::Duration patience) {
    const absl::Duration deadline = SteadyNow() + patience;
    for (;;) {
      std::vector<std::string> left;
      for (const std::string& task : running_) {
        DET_ASSIGN_OR_RETURN(const Found found, runtime_.Inspect(task));
        if (found.state == Found::State::kRunning) left.push_back(task);
      }
      running_ = std::move(left);
      if (running_.empty() || SteadyNow() >= deadline) return absl::OkStatus();
      PauseFor(kBetweenLooks);
    }
  }

  // A task that ended before it was told to has ended as it says.
  absl::Status NoteLost(const std::string& task) {
    const absl::StatusOr<agent::ExitRecord> record = agent::TaskFiles(task).ReadExit();
    if (record.ok() && record->ended < ordered_) return absl::OkStatus();
    return agent::TaskFiles(task).WriteExit(
        {.exit = {.kind = agent::ExitKind::kLost, .text = "the cluster was stopped by det down"},
         .ended = absl::Now()});
  }

  agent::ProcessRuntime runtime_{agent::ProcessRuntime::Options{}};
  std::vector<std::string> running_;
  absl::Time ordered_;
};

}  // namespace

absl::StatusOr<EndedTasks> EndTasks(const std::string& agent_data, absl::Duration patience) {
  return Ender().End(agent_data, patience);
}

}  // namespace det::cli
