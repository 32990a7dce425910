#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"

#include "agent/runtime/runtime.h"
#include "common/base/mutex.h"

namespace det::agent {

// A pretended host whose tasks do as they are told, in no time. It outlives the runtimes on it, as
// a real host outlives an agent. Any thread.
class FakeHost {
 public:
  struct Script {
    absl::Status start;                // an error: nothing runs
    std::optional<Exit> ends_at_once;  // else it runs until End or a signal
    bool ignores_sigterm = false;  // then it is killed when told to terminate: the grace is over
  };

  // What the task of a directory will do; without one it runs.
  void Expect(const std::string& directory, Script script);
  // The program ends by itself.
  void End(const std::string& directory, const Exit& exit);
  // Somebody kills the supervisor: the task is lost.
  void Lose(const std::string& directory);

  // How many were ever started for it.
  int runs(const std::string& directory) const;
  // With which order.
  std::optional<TaskSpec> started(const std::string& directory) const;

 private:
  friend class FakeRuntime;

  struct Task {
    Script script;
    TaskSpec spec;
    Found found;
    int runs = 0;
    // Those that watch it, by runtime.
    std::map<const void*, Runtime::OnExit> watchers;
  };
  enum class Order : uint8_t { kTerminate, kKill };

  absl::Status Start(const TaskSpec& spec);
  Found Inspect(const std::string& directory) const;
  bool Watch(const void* who, const std::string& directory, const Runtime::OnExit& on_exit);
  void Forget(const void* who);
  void Obey(const std::string& directory, Order order);
  bool Remove(const std::string& directory);
  std::vector<Runtime::OnExit> EndLocked(Task& task, const Exit& exit)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable Mutex mutex_;
  std::map<std::string, Task> tasks_ ABSL_GUARDED_BY(mutex_);
};

class FakeRuntime final : public Runtime {
 public:
  explicit FakeRuntime(std::shared_ptr<FakeHost> host) : host_(std::move(host)) {}
  ~FakeRuntime() override { host_->Forget(this); }

  absl::Status Start(const TaskSpec& spec) override;
  absl::StatusOr<Found> Inspect(const std::string& directory) override;
  absl::Status Watch(const std::string& directory, OnExit on_exit) override;
  absl::Status Terminate(const std::string& directory) override;
  absl::Status Kill(const std::string& directory) override;
  absl::Status Remove(const std::string& directory) override;

 private:
  std::shared_ptr<FakeHost> host_;
};

}  // namespace det::agent
