#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "master/config/master_config.h"

namespace det::master {

// The composition root: makes every part of det-master and connects them. Start waits, as a hot
// standby, while another master holds the lease.
class MasterServer {
 public:
  struct Hooks {
    std::function<bool()> stopped;            // asked while waiting for the lease
    std::function<void(absl::Status)> fatal;  // the process must end; any thread
  };

  static absl::StatusOr<std::unique_ptr<MasterServer>> Start(const config::MasterConfig& config,
                                                             Hooks hooks);
  // In order: what is decided is committed, no more calls, the lease is given up, PostgreSQL ends.
  ~MasterServer();

  int grpc_port() const;
  int http_port() const;

 private:
  struct Parts;
  explicit MasterServer(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace det::master
