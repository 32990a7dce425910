#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

#include "cli/cluster/layout.h"

namespace det::cli {

class Context;

struct UpOptions {
  std::string data_dir;
  std::optional<int64_t> slots;
  std::optional<int64_t> grpc_port;
  std::optional<int64_t> http_port;
  std::string db_url;
};

// The cluster as `det up` leaves it.
struct LocalCluster {
  std::string data_dir;
  std::string master;  // HOST:PORT
  std::string http;    // http://HOST:PORT
  std::string cluster_id;
  std::string version;
  std::string agent;
  int64_t slots = 0;
  bool master_started = false;  // by this call
  bool agent_started = false;
};

// Starts what does not run yet of a cluster on this machine and waits until it works.
absl::StatusOr<LocalCluster> Up(Context& context, const UpOptions& options);

}  // namespace det::cli
