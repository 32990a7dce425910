#include "agent/session/channel.h"

#include <algorithm>
#include <random>

#include "common/base/strings.h"

namespace det::agent {

std::shared_ptr<grpc::Channel> MakeChannel(const MasterAddress& address,
                                           const std::string& purpose) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  // Also how long a connection may take to come about.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 10000);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetMaxReceiveMessageSize(64 << 20);
  arguments.SetString("det.purpose", purpose);
  return grpc::CreateCustomChannel(address.target, grpc::InsecureChannelCredentials(), arguments);
}

void AddCredentials(const MasterAddress& address, grpc::ClientContext* context) {
  context->AddMetadata("authorization", StrCat("Bearer ", address.join_token.Reveal()));
  context->AddMetadata("det-agent-id", address.agent_id);
}

absl::Duration Backoff::Next() {
  static thread_local std::minstd_rand random{std::random_device{}()};
  const absl::Duration most =
      waited_ < absl::Minutes(5)
          ? std::min(absl::Milliseconds(500) * (1 << std::min(tries_, 2)), absl::Seconds(2))
          : absl::Seconds(10);
  ++tries_;
  const double share = std::uniform_real_distribution<double>(0.2, 1)(random);
  const absl::Duration wait = most * share;
  waited_ += wait;
  return wait;
}

void Backoff::Reset() {
  tries_ = 0;
  waited_ = absl::ZeroDuration();
}

}  // namespace det::agent
