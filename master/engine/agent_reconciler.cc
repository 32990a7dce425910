#include "master/engine/agent_reconciler.h"

namespace det::engine {

void AgentReconciler::Attach(const AgentId& agent, int64_t session, Send send) {
  sessions_[agent] = {.id = session, .send = std::move(send)};
}

void AgentReconciler::Detach(const AgentId& agent, int64_t session) {
  const auto it = sessions_.find(agent);
  if (it != sessions_.end() && it->second.id == session) sessions_.erase(it);
}

std::vector<AgentReconciler::Delivery> AgentReconciler::Collect(const core::State& state,
                                                                const std::set<AgentId>& touched) {
  std::vector<Delivery> deliveries;
  for (const AgentId& agent : touched) {
    const auto it = sessions_.find(agent);
    if (it == sessions_.end()) continue;
    core::DesiredSet set = core::Desired(state, agent);
    it->second.generation = set.generation;
    deliveries.push_back({std::move(set), it->second.send});
  }
  return deliveries;
}

std::vector<AgentReconciler::Delivery> AgentReconciler::OnHeartbeat(const core::State& state,
                                                                    const AgentId& agent,
                                                                    int64_t session,
                                                                    int64_t generation) {
  const auto it = sessions_.find(agent);
  if (it == sessions_.end() || it->second.id != session || generation >= it->second.generation) {
    return {};
  }
  return Collect(state, {agent});
}

}  // namespace det::engine
