#include "master/scheduler/policies.h"

namespace det::scheduler {

int64_t SlotsOn(const RunningTask& task, const AgentSlots* agent) {
  if (agent == nullptr) return task.slots;
  int64_t slots = 0;
  for (const Piece& piece : task.running.pieces) {
    if (piece.agent == agent->agent) slots += static_cast<int64_t>(piece.slots.size());
  }
  return slots;
}

std::vector<const RunningTask*> Fewest(const std::vector<const RunningTask*>& tasks,
                                       const AgentSlots* agent,
                                       int64_t lacks) {
  std::vector<const RunningTask*> chosen;
  int64_t slots = 0;
  for (const RunningTask* task : tasks) {
    if (slots >= lacks) break;
    slots += SlotsOn(*task, agent);
    chosen.push_back(task);
  }
  if (slots < lacks) return {};
  // What came last is worth most.
  for (size_t i = chosen.size(); i-- > 0;) {
    const int64_t own = SlotsOn(*chosen[i], agent);
    if (slots - own < lacks) continue;
    slots -= own;
    chosen.erase(chosen.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return chosen;
}

}  // namespace det::scheduler
