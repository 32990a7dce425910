#include "tests/sim/network.h"

namespace det::sim {
namespace {
constexpr absl::Duration kKeepalive = absl::Seconds(15);
}

void Network::Send(const std::shared_ptr<Connection>& connection,
                   Direction direction,
                   const std::function<void()>& deliver) {
  if (connection->broken) return;
  const Link& link = links_[connection->agent];
  const absl::Time cut = direction == Direction::kToMaster ? link.cut_to_master : link.cut_to_agent;
  if (cut > kernel_.now() || kernel_.Happens(Fault::kMessageLost)) return;
  absl::Duration delay = absl::Milliseconds(kernel_.rng.Between(0.2, 5));
  if (kernel_.Happens(Fault::kMessageSlow)) delay += absl::Seconds(kernel_.rng.Between(0.1, 8));
  Lane& lane = lanes_[{connection->id, direction}];
  const absl::Time at = std::max(kernel_.now() + delay, lane.last);
  lane.last = at;
  const int copies = kernel_.Happens(Fault::kMessageDuplicated) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    kernel_.After(at - kernel_.now(), [connection, deliver] {
      if (!connection->broken) deliver();
    });
  }
}

void Network::Break(const std::shared_ptr<Connection>& connection) {
  if (connection->broken) return;
  connection->broken = true;
  kernel_.After(absl::Milliseconds(kernel_.rng.Between(1, 200)),
                [this, connection] { on_broken(connection); });
}

void Network::Disturb(const std::shared_ptr<Connection>& connection) {
  Link& link = links_[connection->agent];
  const absl::Time until = kernel_.now() + absl::Seconds(kernel_.rng.Between(5, 200));
  bool cut = false;
  if (kernel_.Happens(Fault::kLinkCut)) Break(connection);
  if (kernel_.Happens(Fault::kPartition)) {
    link.cut_to_master = link.cut_to_agent = until;
    cut = true;
  } else if (kernel_.Happens(Fault::kOneWayPartition)) {
    (kernel_.rng.Chance(0.5) ? link.cut_to_master : link.cut_to_agent) = until;
    cut = true;
  }
  if (!cut) return;
  kernel_.Log("partition of " + connection->agent.value());
  kernel_.After(std::min(kKeepalive, until - kernel_.now()), [this, connection] {
    if (!Reachable(connection->agent)) Break(connection);
  });
}

bool Network::Reachable(const AgentId& agent) const {
  const auto it = links_.find(agent);
  return it == links_.end() ||
         (it->second.cut_to_master <= kernel_.now() && it->second.cut_to_agent <= kernel_.now());
}

}  // namespace det::sim
