#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "master/core/desired.h"

namespace det::engine {

// Keeps each connected agent's desired set in step with the state: level-triggered, a whole set
// each time, so a set that is lost, late or sent twice does no harm. Without locks: the core
// thread's own.
class AgentReconciler {
 public:
  // Delivers a set to the agent's connection; called when its cause is durable, on any thread.
  using Send = std::function<void(const core::DesiredSet&)>;
  struct Delivery {
    core::DesiredSet set;
    Send send;
  };

  // The agent's session begins. An earlier one is forgotten.
  void Attach(const AgentId& agent, int64_t session, Send send);
  void Detach(const AgentId& agent, int64_t session);

  // The sets of the touched agents that are connected, to be delivered once state.seq is durable.
  std::vector<Delivery> Collect(const core::State& state, const std::set<AgentId>& touched);

  // An agent follows `generation`: a set again when it missed one.
  std::vector<Delivery> OnHeartbeat(const core::State& state,
                                    const AgentId& agent,
                                    int64_t session,
                                    int64_t generation);

 private:
  struct Session {
    int64_t id = 0;
    int64_t generation = 0;  // of the last set collected
    Send send;
  };
  std::map<AgentId, Session> sessions_;
};

}  // namespace det::engine
