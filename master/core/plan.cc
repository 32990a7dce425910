#include "master/core/plan.h"

#include <algorithm>
#include <vector>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "master/core/index.h"
#include "master/core/internal.h"
#include "master/scheduler/scheduler.h"

namespace det::core {
namespace {

// More passes than these place nothing that people would wait for.
constexpr int kPassesMax = 16;

int64_t TrialsAtOnce(const spec::ExperimentSpec& spec) {
  const searcher::Config config{spec.searcher, spec.hparams, spec.seed};
  const searcher::Step step = searcher::Start(config, searcher::MakeState(config));
  return std::count_if(step.operations.begin(), step.operations.end(), [](const auto& operation) {
    return std::holds_alternative<searcher::Create>(operation);
  });
}

// A queue of its own in which the experiment is.
class Rehearsal {
 public:
  Rehearsal(const State& state, const std::string& pool)
      : pool_(pool), view_(BuildIndexes(state, state.indexes.view.rules()).view) {}

  void Submit(const scheduler::Job& job, scheduler::Request request, int64_t trials) {
    view_.SetJob(job);
    job_ = job.id;
    for (int64_t i = 0; i < trials; ++i) {
      view_.AddRequest(request);
      ours_.push_back(request.task);
      request.task = TaskId(request.task.value() + 1);
    }
  }

  void Run(absl::Time now, ExperimentPlan* out) {
    for (int i = 0; i < kPassesMax; ++i) {
      const scheduler::Plan plan = scheduler::Schedule(view_, pool_);
      for (const scheduler::Preemption& preemption : plan.preemptions) Leave(preemption, out);
      for (const scheduler::Placement& placement : plan.placements) Place(placement, now, out);
      if (plan.complete) break;
    }
  }

  const scheduler::View& view() const { return view_; }
  std::optional<TaskId> FirstThatWaits() const {
    for (const TaskId task : ours_) {
      if (view_.FindWaiting(task) != nullptr) return task;
    }
    return std::nullopt;
  }

 private:
  void Place(const scheduler::Placement& placement, absl::Time now, ExperimentPlan* out) {
    const scheduler::Request request = view_.FindWaiting(placement.task)->request;
    view_.RemoveRequest(placement.task);
    view_.Start({.task = placement.task,
                 .job = request.job,
                 .pool = pool_,
                 .pieces = placement.pieces,
                 .priority = placement.priority,
                 .placed_at = now});
    if (request.job == job_) ++out->starts[placement.pieces.front().agent];
  }

  void Leave(const scheduler::Preemption& preemption, ExperimentPlan* out) {
    if (view_.FindWaiting(preemption.waiter)->request.job == job_) ++out->preempts;
    scheduler::Running running = view_.FindRunning(preemption.task)->running;
    view_.Stop(preemption.task);
    running.leaving = true;
    view_.Start(running);
  }

  const std::string& pool_;
  scheduler::View view_;
  ExperimentId job_;
  std::vector<TaskId> ours_;
};

}  // namespace

absl::StatusOr<ExperimentPlan> PlanExperiment(const State& state,
                                              const spec::ExperimentSpec& spec,
                                              const std::string& owner,
                                              absl::Time now) {
  const spec::ResourcesSpec& resources = spec.resources;
  DET_RETURN_IF_ERROR(internal::CheckPool(state, resources.resource_pool));
  if (state.tasks.size() > kPlannedTasksMax) {
    return Error(
        absl::StatusCode::kResourceExhausted,
        "TOO_MUCH_TO_PLAN",
        StrCat(
            state.tasks.size(), " tasks wait and run, a plan looks at most at ", kPlannedTasksMax),
        "submit it with --paused, and ask det why after you activate it");
  }
  ExperimentPlan plan{.at_once = TrialsAtOnce(spec)};
  Rehearsal rehearsal(state, resources.resource_pool);
  const ExperimentId id(state.next.experiment);
  rehearsal.Submit({.id = id,
                    .owner = owner,
                    .workspace = spec.workspace,
                    .priority = resources.priority,
                    .position = id.value(),
                    .weight = resources.weight,
                    .max_slots = resources.max_slots},
                   {.task = TaskId(state.next.task),
                    .job = id,
                    .pool = resources.resource_pool,
                    .slots = resources.slots_per_trial,
                    .since = now},
                   plan.at_once);
  rehearsal.Run(now, &plan);
  if (const std::optional<TaskId> task = rehearsal.FirstThatWaits()) {
    const scheduler::Explanation why = scheduler::Explain(rehearsal.view(), *task);
    plan.waits = why.text;
    plan.impossible = why.impossible;
    if (plan.starts.empty()) {
      plan.starts_in = internal::EstimateWait(state, rehearsal.view(), *task, now);
    }
  }
  return plan;
}

}  // namespace det::core
