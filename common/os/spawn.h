#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include <sys/types.h>

namespace det {

struct SpawnOptions {
  // argv[0] is looked up in the PATH of `env` when it holds no '/'.
  std::vector<std::string> argv;
  // The whole environment, "NAME=value" each.
  std::vector<std::string> env;
  // "" stays where the caller is. A relative program and relative parts of PATH count from here.
  std::string cwd;
  // Descriptors 0, 1 and 2; -1 is /dev/null.
  int stdin_fd = -1;
  int stdout_fd = -1;
  int stderr_fd = -1;
  // They become 3, 4, ... Every other descriptor is closed.
  std::vector<int> pass_fds;
  // cgroup.procs files, open for writing: the program begins as a member.
  std::vector<int> cgroup_fds;
  // A session and a process group of its own.
  bool new_session = false;
  // A grandchild: nobody here has to collect it, and it does not end with the caller.
  bool detach = false;
  // Sent to it when the calling thread ends; 0 none. Not with `detach`.
  int parent_death_signal = 0;
};

// Starts a program: every signal at its default and none blocked, the caller's limits and umask.
// OK means that the program itself runs; its pid is given. Otherwise nothing runs, and the error
// names what could not be run and why: PROGRAM_NOT_FOUND, PROGRAM_NOT_EXECUTABLE,
// PROGRAM_BAD_FORMAT, PROGRAM_NO_INTERPRETER, ARGUMENTS_TOO_LARGE, WORKDIR_UNUSABLE,
// CGROUP_UNUSABLE, or those of OsError.
// Any thread, also while others run: the child makes raw system calls only.
absl::StatusOr<pid_t> Spawn(const SpawnOptions& options);

// Shared by Spawn and by whoever checks an order before it starts: why these strings can be no
// arguments or environment (an embedded NUL), or OK.
absl::Status CheckStrings(const std::vector<std::string>& strings, std::string_view what);

}  // namespace det
