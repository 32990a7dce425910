#include "master/core/desired.h"

namespace det::core {
namespace {

RunOrder OrderFor(const State& state, const Task& task) {
  const Trial& trial = *state.Find(task.trial);
  const Experiment& experiment = *state.Find(trial.experiment);
  RunOrder order{.experiment = experiment.id,
                 .trial = trial.id,
                 .task = task.id,
                 .owner = experiment.owner,
                 .spec = experiment.spec,
                 .hparams = trial.hparams,
                 .seed = trial.seed,
                 .context = experiment.context,
                 .latest_checkpoint = trial.source_checkpoint};
  if (trial.latest_checkpoint.has_value()) {
    order.latest_checkpoint = trial.latest_checkpoint->uuid;
    order.steps_completed = trial.latest_checkpoint->steps_completed;
  }
  return order;
}

}  // namespace

DesiredSet Desired(const State& state, const AgentId& agent) {
  DesiredSet desired{.agent = agent, .generation = state.seq};
  const auto on_agent = state.indexes.on_agent.find(agent);
  if (on_agent == state.indexes.on_agent.end()) return desired;
  for (const auto& [id, task_id] : on_agent->second) {
    const Task& task = *state.Find(task_id);
    const Allocation& allocation = *task.allocation;
    DesiredAllocation wanted{.id = id,
                             .run = allocation.run,
                             .slots = allocation.slots,
                             .level = allocation.level,
                             .reason = allocation.level_reason.text};
    if (allocation.state == AllocationState::kAssigned) wanted.order = OrderFor(state, task);
    desired.allocations.push_back(std::move(wanted));
  }
  return desired;
}

}  // namespace det::core
