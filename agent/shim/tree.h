#pragma once

#include <optional>
#include <vector>

#include <sys/types.h>

#include "agent/shim/cgroup.h"
#include "agent/shim/kill.h"

namespace det::agent {

// Everything that descends from the calling process, which must be a subreaper: orphans become its
// own children, so none escapes, whatever sessions it starts. It has one main child; the others are
// of no interest but to end them. One thread, and nobody else in the process may wait for children.
class Tree {
 public:
  struct End {
    bool by_signal = false;
    int code = 0;  // the status, or the signal
  };

  // `cgroup` outlives it.
  explicit Tree(const Cgroup* cgroup) : cgroup_(cgroup) {}

  void SetMain(pid_t pid) { main_ = pid; }

  // Collects what has ended, so that no zombies pile up. The main child stays one until all is
  // over: that keeps its process group's number from being given to others, so that the group can
  // be signalled safely.
  void Collect();
  // How the main child ended; nothing while it runs. After Collect().
  const std::optional<End>& main_end() const { return main_end_; }
  // Nothing is left. After Collect().
  bool Empty();

  // SIGTERM to each, and SIGCONT, since what is stopped can't act on it.
  void Terminate();
  // One attempt at killing all; call until Empty().
  KillCount Kill();

 private:
  void KillChildren();
  void CollectMain();
  bool PeekMain();

  const Cgroup* cgroup_;
  pid_t main_ = 0;
  bool main_collected_ = false;
  std::optional<End> main_end_;
};

// The caller's own children, zombies too.
std::vector<pid_t> Children();

}  // namespace det::agent
