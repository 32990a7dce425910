#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "agent/core/agent_core.h"
#include "agent/shim/cgroup.h"
#include "agent/shim/task_log.h"
#include "agent/shim/tree.h"
#include "agent/task/task_files.h"
#include "common/clock/clock.h"
#include "common/os/signals.h"
#include "common/os/unique_fd.h"

namespace det::agent {

// Runs one task from its start to the end of its last process. Never waits for anything but in one
// poll. One thread, in a process that is a subreaper and has no other children.
class Supervisor {
 public:
  // All of these outlive it.
  Supervisor(const TaskOrder* order, Cgroup* cgroup, const SignalWaiter* signals);

  // A line in the task's log.
  void Say(std::string_view text) { log_.Say(text); }
  // Returns when nothing of the task is left.
  Exit Run();

 private:
  enum class Stage : uint8_t {
    kRunning,
    kDraining,     // the main program has ended; what it printed is read
    kTerminating,  // what it left behind was told to end
    kKilling,
    kDone,
  };
  struct Stream {
    UniqueFd fd;
    spool::LogSource source;
  };

  absl::Status Start();
  absl::Status SpawnMain(const std::array<UniqueFd, 2>& writers);
  void Loop();
  void Wait();
  absl::Duration NextDeadline() const;
  void HandleSignals();
  void ReadStreams(int chunks);
  bool ReadChunk(Stream& stream);
  void Advance();
  void KillRound();
  void ReadRest();
  bool StreamsEnded() const;
  void SetStage(Stage stage, absl::Duration time_left);
  Exit Describe() const;
  void DescribeSignal(int signal, Exit* exit) const;
  bool OutOfMemory(const Tree::End& end, Exit* exit) const;

  const TaskOrder& order_;
  Cgroup& cgroup_;
  const SignalWaiter& signals_;
  SystemClock clock_;
  TaskLog log_;
  Tree tree_;
  std::array<Stream, 2> streams_;
  std::string buffer_;

  Stage stage_ = Stage::kRunning;
  absl::Duration stage_ends_ = absl::InfiniteDuration();
  bool terminate_ordered_ = false;
  bool kill_ordered_ = false;
  bool grace_over_ = false;
  bool killed_main_ = false;  // SIGKILL was sent while it ran
  absl::Duration kill_tick_;
  absl::Duration killing_since_;
  std::optional<absl::Duration> refused_since_;
  bool told_of_survivors_ = false;
  std::string survivors_;
  std::optional<int64_t> host_oom_kills_;
};

}  // namespace det::agent
