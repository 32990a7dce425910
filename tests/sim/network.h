#pragma once

#include <functional>
#include <map>
#include <memory>

#include "tests/sim/messages.h"
#include "tests/sim/world.h"

namespace det::sim {

// Delivers messages of a connection in order, late, twice or not at all; partitions hosts. What a
// transport would notice in the end (a peer that is silent for 15 s) breaks the connection.
class Network {
 public:
  explicit Network(Kernel& kernel) : kernel_(kernel) {}

  enum class Direction { kToMaster, kToAgent };

  // `deliver` runs later, unless the message or the connection is lost first.
  void Send(const std::shared_ptr<Connection>& connection,
            Direction direction,
            const std::function<void()>& deliver);

  // Breaks the connection; both ends learn of it a little later, if they still live.
  void Break(const std::shared_ptr<Connection>& connection);

  // Now and then something happens to the agent's link. Asked at each heartbeat.
  void Disturb(const std::shared_ptr<Connection>& connection);

  bool Reachable(const AgentId& agent) const;

  // Called when a connection breaks, once for it.
  std::function<void(std::shared_ptr<Connection>)> on_broken;

 private:
  struct Link {
    absl::Time cut_to_master = absl::InfinitePast();  // until when
    absl::Time cut_to_agent = absl::InfinitePast();
  };
  struct Lane {
    absl::Time last = absl::InfinitePast();
  };
  Kernel& kernel_;
  std::map<AgentId, Link> links_;
  std::map<std::pair<int64_t, Direction>, Lane> lanes_;
};

}  // namespace det::sim
