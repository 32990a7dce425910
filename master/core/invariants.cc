#include "master/core/invariants.h"

#include <algorithm>

#include "common/base/strings.h"
#include "master/core/index.h"

namespace det::core {
namespace {

class Checker {
 public:
  explicit Checker(const State& state) : state_(state) {}

  std::vector<std::string> Run() {
    for (const auto& [id, experiment] : state_.experiments) CheckExperiment(experiment);
    for (const auto& [id, trial] : state_.trials) CheckTrial(trial);
    for (const auto& [id, task] : state_.tasks) CheckTask(task);
    CheckSlots();
    CheckIndexes();
    Expect(state_.dirty.empty(), "something is dirty between steps");
    return std::move(broken_);
  }

 private:
  void Expect(bool holds, const std::string& otherwise) {
    if (!holds) broken_.push_back(otherwise);
  }

  void CheckExperiment(const Experiment& e) {
    const std::string name = StrCat("experiment ", e.id.value());
    Expect(!IsTerminal(e.state), name + " has ended but is in the state");
    Expect(!IsStopping(e.state) || !e.open_trials.empty(), name + " is stopping without trials");
    Expect(e.id.value() < state_.next.experiment, name + " has an id not yet given");
    for (const auto& [request, id] : e.open_trials) {
      const Trial* trial = state_.Find(id);
      Expect(trial != nullptr && trial->experiment == e.id && trial->request == request,
             StrCat(name, " names trial ", id.value(), " wrongly"));
    }
    const auto open = static_cast<int64_t>(e.open_trials.size());
    Expect(e.search.totals.requested - e.search.totals.closed == open,
           name + " and its searcher count open trials differently");
  }

  void CheckTrial(const Trial& t) {
    const std::string name = StrCat("trial ", t.id.value());
    const Experiment* experiment = state_.Find(t.experiment);
    Expect(experiment != nullptr, name + " has no experiment");
    const Task* task = state_.Find(t.task);
    Expect(task != nullptr && task->trial == t.id, name + " has no task of its own");
    if (experiment == nullptr || task == nullptr) return;
    Expect(!IsTerminal(t.state), name + " has ended but is in the state");
    Expect(t.restarts <= experiment->spec->max_restarts, name + " restarted too often");
    const bool wants = WantsToRun(state_, t);
    Expect(!wants || task->state != TaskState::kIdle || task->Waits(),
           name + " should run but asks for nothing");
    Expect(wants || task->state != TaskState::kQueued,
           name + " should not run but waits for slots");
    Expect(
        wants || task->state != TaskState::kAllocated || task->allocation->level != StopLevel::kRun,
        name + " should not run and was not told to leave");
    Expect(!IsStopping(t.state) || task->state == TaskState::kAllocated,
           name + " is stopping but holds nothing that could end");
  }

  void CheckTask(const Task& t) {
    const std::string name = StrCat("task ", t.id.value());
    Expect((t.state == TaskState::kAllocated) == t.allocation.has_value(),
           name + " is allocated without an allocation, or the reverse");
    Expect(!t.Waits() || t.state == TaskState::kIdle, name + " waits and asks for slots");
    if (!t.allocation.has_value()) return;
    const Allocation& a = *t.allocation;
    Expect(a.id.value() < state_.next.allocation, name + " has an allocation id not yet given");
    Expect(a.state != AllocationState::kTerminated, name + " keeps a terminated allocation");
    Expect(static_cast<int64_t>(a.slots.size()) == t.request.slots,
           name + " holds other slots than it asked for");
    const Agent* agent = state_.Find(a.agent);
    Expect(agent != nullptr && !agent->lost, name + " is placed on an agent that is gone");
  }

  // At every instant the slots that are held exist and are held once.
  void CheckSlots() {
    std::set<std::pair<AgentId, int>> held;
    for (const auto& [id, task] : state_.tasks) {
      if (!task.allocation.has_value()) continue;
      const Agent* agent = state_.Find(task.allocation->agent);
      for (const int slot : task.allocation->slots) {
        const std::string name = StrCat("slot ", slot, " of ", task.allocation->agent.value());
        Expect(held.emplace(task.allocation->agent, slot).second, name + " is held twice");
        const bool exists =
            agent != nullptr && std::any_of(agent->slots.begin(),
                                            agent->slots.end(),
                                            [&](const Slot& s) { return s.index == slot; });
        Expect(exists, name + " is held but does not exist");
      }
    }
  }

  void CheckIndexes() {
    const Indexes fresh = BuildIndexes(state_, state_.indexes.view.rules());
    Expect(fresh.view.Dump() == state_.indexes.view.Dump(),
           "the scheduler's view differs from one built afresh");
    Expect(fresh.on_agent == state_.indexes.on_agent, "the index by agent differs");
    Expect(fresh.allocations == state_.indexes.allocations, "the index of allocations differs");
    Expect(fresh.jobs == state_.indexes.jobs, "the index of jobs differs");
    Expect(fresh.positions == state_.indexes.positions, "the index of positions differs");
    Expect(fresh.deadlines == state_.indexes.deadlines, "the index of deadlines differs");
    Expect(fresh.agents_connected == state_.indexes.agents_connected,
           "the count of connected agents differs");
  }

  const State& state_;
  std::vector<std::string> broken_;
};

}  // namespace

std::vector<std::string> BrokenInvariants(const State& state) {
  return Checker(state).Run();
}

}  // namespace det::core
