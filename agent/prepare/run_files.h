#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "det/agent/v1/agent.pb.h"

#include "agent/checkpoints/run_checkpoints.h"
#include "agent/core/agent_core.h"
#include "agent/devices/devices.h"
#include "agent/prepare/command_line.h"
#include "agent/prepare/context_cache.h"
#include "agent/session/channel.h"
#include "common/base/secret.h"

namespace det::agent {

// Where the files of a run lie, and making them. Everything of a run is below its own folder; its
// socket, whose path must be short, is not.
class RunFiles {
 public:
  struct Options {
    std::string data_dir;
    std::string agent_id;
    MasterAddress master;
    std::vector<Device> devices;
  };
  // Makes the folders that all runs share.
  static absl::StatusOr<RunFiles> Open(Options options);

  std::string Directory(AllocationId id) const;
  std::string WorkDirectory(AllocationId id) const;
  std::string ReportsDirectory(AllocationId id) const;
  std::string LogDirectory(AllocationId id) const;
  std::string SocketPath(AllocationId id) const;

  // What an earlier life left on disk.
  struct Leftover {
    AllocationId id;
    int64_t trial = 0;
  };
  std::vector<Leftover> List() const;

  // Makes the run's folder: model directory, hyperparameters, configuration, token. What is there
  // already is made anew. Blocks. kInvalidArgument is the user's fault; anything else is this
  // machine's or the master's.
  absl::Status Prepare(const Held& held, const std::string& cluster_id);

  // What the run was ordered to do, without what is the agent's alone; a run whose checkpoints are
  // stored in a bucket has a folder of its own for them.
  absl::StatusOr<v1::RunOrder> Order(const Held& held) const;

  // Of a prepared run. Checkpoints gives none when the trial's folder is their place; `options` are
  // those that are not the run's.
  absl::StatusOr<std::unique_ptr<RunCheckpoints>> Checkpoints(
      AllocationId id, RunCheckpoints::Options options) const;
  absl::StatusOr<CommandLine> Command(const Held& held, const std::string& cluster_id) const;
  absl::StatusOr<Secret> Token(AllocationId id) const;

  absl::Status Remove(AllocationId id);

  // Puts the run's folder where people can look at it, and says where. Of those that were put there
  // the newest kAsideMax stay.
  absl::StatusOr<std::string> PutAside(AllocationId id);
  static constexpr size_t kAsideMax = 20;

 private:
  explicit RunFiles(Options options) : options_(std::move(options)) {}
  std::string CheckpointDirectory(AllocationId id) const;
  absl::Status WriteOrder(const Held& held, const v1::RunOrder& order) const;
  absl::Status PlaceContext(const std::string& sha256, const std::string& work);
  RunContext ContextOf(const Held& held,
                       const v1::RunOrder& order,
                       const std::string& cluster_id) const;

  Options options_;
  std::string sockets_;
  std::unique_ptr<ContextCache> contexts_;
};

}  // namespace det::agent
