#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/base/benchmark.h"
#include "bench/base/program.h"
#include <grpcpp/grpcpp.h>

#include "common/testing/tmp_dir.h"

namespace det::bench {

// A det-master of its own with its private PostgreSQL, as `det up` starts it, and det-agents, all
// real processes on a folder that goes with it. One thread.
class Cluster {
 public:
  explicit Cluster(const Settings& settings);
  // Starts det-master and waits until it serves.
  static absl::StatusOr<std::unique_ptr<Cluster>> Start(const Settings& settings);
  ~Cluster();

  // The time from the master's fork to when it serves.
  absl::StatusOr<absl::Duration> StartMaster();
  // By SIGTERM; by SIGKILL when `kill`.
  void StopMaster(bool kill = false);
  absl::StatusOr<pid_t> StartAgent(const std::string& name, int slots);

  pid_t master_pid() const { return master_->pid(); }
  std::string data_dir() const { return dir_ / "master"; }
  std::string Path(const std::string& name) const { return dir_ / name; }
  std::string target() const;  // "127.0.0.1:PORT"
  // Of the private PostgreSQL.
  absl::StatusOr<std::string> Conninfo() const;
  absl::StatusOr<std::string> Token(const std::string& name) const;  // "admin", "agent"
  // Each a connection of its own.
  std::shared_ptr<grpc::Channel> Channel() const;
  // Of the administrator.
  std::unique_ptr<grpc::ClientContext> Context() const;
  // The environment of `det`.
  std::vector<std::string> CliEnvironment() const;

  // Creates an experiment of this configuration (YAML); its id. Over a connection that stays.
  absl::StatusOr<int64_t> CreateExperiment(const std::string& config) const;

 private:
  TmpDir dir_;
  const Settings settings_;
  std::optional<Program> master_;
  std::vector<Program> agents_;
  int grpc_port_ = 0;
  std::shared_ptr<grpc::Channel> channel_;
  std::string admin_;
};

// UNAVAILABLE when it does not come about in time.
absl::Status Await(const std::string& what, const std::function<bool()>& holds);

}  // namespace det::bench
