#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "common/os/process.h"
#include "common/os/unique_fd.h"

namespace det::agent {

// A control group of a task: one directory in each hierarchy that lets us make one (version 2, and
// of version 1 those of pids and memory). Everything about it is a bonus: without one, killing goes
// by the process tree, and an end for lack of memory is told as what it looks like. One thread.
class Cgroup {
 public:
  Cgroup() = default;  // none
  // One below the caller's own. None, with the reason, when no hierarchy is writable.
  static Cgroup Create(std::string_view name, int64_t processes_max, std::string* why_none);
  // One that another process made.
  explicit Cgroup(std::vector<std::string> directories) : directories_(std::move(directories)) {}

  const std::vector<std::string>& directories() const { return directories_; }
  bool none() const { return directories_.empty(); }

  // Its cgroup.procs files, for SpawnOptions::cgroup_fds.
  absl::StatusOr<std::vector<UniqueFd>> OpenToJoin() const;
  // Ends all of it at once where the kernel can (version 2, Linux 5.14), and lets nothing fork
  // where there is a pids controller.
  void Kill() const;
  // Processes in it now, each known to be a member.
  std::vector<ProcessId> Members() const;
  // How many of its processes the kernel ended for lack of memory; nothing where it doesn't count.
  std::optional<int64_t> OomKills() const;
  // False when something is still in it.
  bool Remove() const;

 private:
  std::vector<std::string> directories_;
};

// The same count for the whole host; nothing when it can't be read.
std::optional<int64_t> HostOomKills();

namespace internal {
struct CgroupHierarchy {
  std::string directory;  // the caller's own group in it
  bool is_v2 = false;
};
// From the texts of /proc/self/mountinfo and /proc/self/cgroup: hierarchies worth a group.
std::vector<CgroupHierarchy> FindHierarchies(std::string_view mountinfo, std::string_view cgroup);
}  // namespace internal

}  // namespace det::agent
