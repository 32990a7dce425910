#pragma once

#include <string>

namespace det::agent {

struct ShimOptions {
  std::string directory;
  // The lock comes as descriptor kLockDescriptor, and whoever started the shim reads its answer
  // from kAnswerDescriptor.
  bool adopt = false;
};

// The whole life of det-shim, the supervisor of one task. It takes the directory's lock for its
// life, starts the program as its child, writes what that prints into the log, ends everything that
// it leaves behind, and writes down how it ended.
//   SIGTERM  ends the tree: SIGTERM to each, SIGKILL after the grace
//   SIGUSR1  kills the tree now
// Gives the program's status: 0 the task's end is on disk, 1 it is not (stderr says why), 3 this
// directory's task was started before.
inline constexpr int kStatusDone = 0;
inline constexpr int kStatusFailed = 1;
inline constexpr int kStatusUsage = 2;
inline constexpr int kStatusStartedBefore = 3;
int RunShim(const ShimOptions& options);

}  // namespace det::agent
