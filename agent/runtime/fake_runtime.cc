#include "agent/runtime/fake_runtime.h"

#include <csignal>

#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::agent {

void FakeHost::Expect(const std::string& directory, Script script) {
  const MutexLock lock(mutex_);
  tasks_[directory].script = std::move(script);
}

std::vector<Runtime::OnExit> FakeHost::EndLocked(Task& task, const Exit& exit) {
  std::vector<Runtime::OnExit> told;
  if (task.found.state != Found::State::kRunning) return told;
  task.found = {.state = Found::State::kExited, .exit = exit};
  for (auto& [who, on_exit] : task.watchers) told.push_back(std::move(on_exit));
  task.watchers.clear();
  return told;
}

void FakeHost::End(const std::string& directory, const Exit& exit) {
  std::vector<Runtime::OnExit> told;
  {
    const MutexLock lock(mutex_);
    told = EndLocked(tasks_[directory], exit);
  }
  for (const Runtime::OnExit& on_exit : told) on_exit(exit);
}

void FakeHost::Lose(const std::string& directory) {
  End(directory, {.kind = ExitKind::kLost, .text = "its supervisor was killed"});
}

int FakeHost::runs(const std::string& directory) const {
  const MutexLock lock(mutex_);
  const auto it = tasks_.find(directory);
  return it == tasks_.end() ? 0 : it->second.runs;
}

std::optional<TaskSpec> FakeHost::started(const std::string& directory) const {
  const MutexLock lock(mutex_);
  const auto it = tasks_.find(directory);
  if (it == tasks_.end() || it->second.runs == 0) return std::nullopt;
  return it->second.spec;
}

absl::Status FakeHost::Start(const TaskSpec& spec) {
  const MutexLock lock(mutex_);
  Task& task = tasks_[spec.directory];
  if (task.found.state != Found::State::kNothing) return absl::OkStatus();
  if (!task.script.start.ok()) return task.script.start;
  task.spec = spec;
  ++task.runs;
  task.found.state = Found::State::kRunning;
  if (task.script.ends_at_once.has_value()) (void)EndLocked(task, *task.script.ends_at_once);
  return absl::OkStatus();
}

Found FakeHost::Inspect(const std::string& directory) const {
  const MutexLock lock(mutex_);
  const auto it = tasks_.find(directory);
  return it == tasks_.end() ? Found{} : it->second.found;
}

bool FakeHost::Watch(const void* who,
                     const std::string& directory,
                     const Runtime::OnExit& on_exit) {
  Exit exit;
  {
    const MutexLock lock(mutex_);
    const auto it = tasks_.find(directory);
    if (it == tasks_.end() || it->second.found.state == Found::State::kNothing) return false;
    if (it->second.found.state == Found::State::kRunning) {
      it->second.watchers[who] = on_exit;
      return true;
    }
    exit = it->second.found.exit;
  }
  on_exit(exit);
  return true;
}

void FakeHost::Forget(const void* who) {
  const MutexLock lock(mutex_);
  for (auto& [directory, task] : tasks_) task.watchers.erase(who);
}

void FakeHost::Obey(const std::string& directory, Order order) {
  Exit exit{.kind = ExitKind::kSignaled};
  std::vector<Runtime::OnExit> told;
  {
    const MutexLock lock(mutex_);
    const auto it = tasks_.find(directory);
    if (it == tasks_.end()) return;
    const bool kill = order == Order::kKill || it->second.script.ignores_sigterm;
    exit.signal = kill ? SIGKILL : SIGTERM;
    told = EndLocked(it->second, exit);
  }
  for (const Runtime::OnExit& on_exit : told) on_exit(exit);
}

// False while it runs.
bool FakeHost::Remove(const std::string& directory) {
  const MutexLock lock(mutex_);
  const auto it = tasks_.find(directory);
  if (it == tasks_.end()) return true;
  if (it->second.found.state == Found::State::kRunning) return false;
  it->second.found = {};
  return true;
}

absl::Status FakeRuntime::Start(const TaskSpec& spec) {
  DET_RETURN_IF_ERROR(CheckTaskSpec(spec));
  return host_->Start(spec);
}

absl::StatusOr<Found> FakeRuntime::Inspect(const std::string& directory) {
  return host_->Inspect(directory);
}

absl::Status FakeRuntime::Watch(const std::string& directory, OnExit on_exit) {
  if (host_->Watch(this, directory, on_exit)) return absl::OkStatus();
  return Error(absl::StatusCode::kNotFound,
               "NOT_STARTED",
               StrCat("cannot watch ", directory, ": its task was never started"));
}

absl::Status FakeRuntime::Terminate(const std::string& directory) {
  host_->Obey(directory, FakeHost::Order::kTerminate);
  return absl::OkStatus();
}

absl::Status FakeRuntime::Kill(const std::string& directory) {
  host_->Obey(directory, FakeHost::Order::kKill);
  return absl::OkStatus();
}

absl::Status FakeRuntime::Remove(const std::string& directory) {
  if (host_->Remove(directory)) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition,
               "TASK_RUNNING",
               StrCat("cannot remove ", directory, ": its task is running"),
               "kill it first");
}

}  // namespace det::agent
