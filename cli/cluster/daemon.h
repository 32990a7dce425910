#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "cli/client/connection.h"
#include "cli/cluster/layout.h"
#include "common/os/process.h"

namespace det::cli {

// One of the programs of a cluster on this machine.
struct Daemon {
  std::string program;  // "det-master"
  std::string lock;     // held while it runs, with its pid inside
  std::string log;      // what it prints
};

Daemon MasterDaemon(const Layout& layout);
// An agent's configuration may put its data elsewhere.
Daemon AgentDaemon(const Layout& layout, const std::string& agent_data);

// The program that runs now, or nothing. FAILED_PRECONDITION when something else holds its lock:
// such a process is never touched.
absl::StatusOr<std::optional<ProcessId>> FindDaemon(const Daemon& daemon);

// Where the program lies: beside this one, else in PATH.
absl::StatusOr<std::string> FindProgram(const std::string& name, const GetEnv& getenv);

struct StartedDaemon {
  ProcessId id;
  int64_t log_begin = 0;  // where its own lines begin in the log
};

// Starts it on its own: it goes on when this process and its terminal are gone.
absl::StatusOr<StartedDaemon> StartDaemon(const Daemon& daemon,
                                          const std::vector<std::string>& argv);

// SIGTERM, then SIGKILL when it has not ended within `patience`. Gives whether it had to be killed.
absl::StatusOr<bool> StopDaemon(const Daemon& daemon, const ProcessId& id, absl::Duration patience);

// Why a program that was started is gone, from its last words, with the hint that it gave.
absl::Status DeathOf(const Daemon& daemon, const StartedDaemon& started);

}  // namespace det::cli
