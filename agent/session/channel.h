#pragma once

#include <memory>
#include <string>

#include <grpcpp/grpcpp.h>

#include "common/base/secret.h"

namespace det::agent {

// How an agent reaches its master.
struct MasterAddress {
  std::string target;  // host:port
  Secret join_token;
  std::string agent_id;
};

// A connection of its own for each call: control must not share one with bulk data. A peer that is
// silent for 10 s is asked, and given up 5 s later. Reconnecting is ours: the channel tries at
// once.
std::shared_ptr<grpc::Channel> MakeChannel(const MasterAddress& address,
                                           const std::string& purpose);

// The join token and the agent's name.
void AddCredentials(const MasterAddress& address, grpc::ClientContext* context);

// How long to wait before the next try: 0.1 to 0.5 s first, at most 2 s for the first five minutes,
// then 10 s, with jitter, for ever.
class Backoff {
 public:
  absl::Duration Next();
  void Reset();

 private:
  int tries_ = 0;
  absl::Duration waited_;
};

}  // namespace det::agent
