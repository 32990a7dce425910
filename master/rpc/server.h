#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "master/rpc/deps.h"

namespace det::rpc {

// The gRPC server with all services.
class Server {
 public:
  struct Options {
    std::string host = "127.0.0.1";
    int port = 0;  // 0: a free one
  };

  // kAlreadyExists when the port is taken. `deps` outlives the server.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const Deps& deps, const Options& options);
  // Cancels calls that have not ended after half a second.
  ~Server();

  int port() const;

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace det::rpc
