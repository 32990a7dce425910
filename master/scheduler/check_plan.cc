#include <set>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "master/scheduler/scheduler.h"

namespace det::scheduler {
namespace {

absl::Status Bad(TaskId task, std::string_view what) {
  return Error(
      absl::StatusCode::kInternal, "BAD_PLAN", StrCat("plan for task ", task.value(), ": ", what));
}

class Judge {
 public:
  Judge(const View& view, const std::string& pool) : view_(view), pool_(pool) {}

  absl::Status OnPlacement(const Placement& placement) {
    const TaskId task = placement.task;
    const Waiting* waiting = view_.FindWaiting(task);
    if (waiting == nullptr || waiting->request.pool != pool_)
      return Bad(task, "does not wait here");
    if (!tasks_.insert(task).second) return Bad(task, "placed twice");
    const Request& request = waiting->request;
    const bool one = placement.pieces.size() == 1;
    if (placement.pieces.empty() || (!one && !request.spans)) {
      return Bad(task, StrCat("got ", placement.pieces.size(), " agents"));
    }
    int64_t slots = 0;
    for (const Piece& piece : placement.pieces) {
      DET_RETURN_IF_ERROR(OnPiece(task, piece));
      slots += static_cast<int64_t>(piece.slots.size());
    }
    if (slots != request.slots) {
      return Bad(task, "got another number of slots than it asked for");
    }
    if (slots == 0) return OnAux(task, placement.pieces[0].agent);
    return OnLimits(request);
  }

  absl::Status OnPreemption(const Preemption& preemption) {
    const RunningTask* victim = view_.FindRunning(preemption.task);
    const Waiting* waiting = view_.FindWaiting(preemption.waiter);
    if (victim == nullptr || victim->running.pool != pool_) {
      return Bad(preemption.task, "is to leave and does not run here");
    }
    if (waiting == nullptr || waiting->request.pool != pool_ ||
        tasks_.contains(preemption.waiter)) {
      return Bad(preemption.task, "is to leave for one that does not wait");
    }
    if (!victim->running.preemptible || victim->running.leaving) {
      return Bad(preemption.task, "may not be told to leave");
    }
    if (!tasks_.insert(preemption.task).second) return Bad(preemption.task, "is to leave twice");
    const PoolRules& rules = view_.rules().ForPool(pool_);
    const bool better =
        rules.policy != Policy::kPriority || waiting->job->job.priority < victim->running.priority;
    const bool may = rules.preemption && rules.policy != Policy::kFifo && better &&
                     waiting->request.job != victim->running.job;
    return may ? absl::OkStatus() : Bad(preemption.task, "is to leave for one that is not better");
  }

 private:
  absl::Status OnPiece(TaskId task, const Piece& piece) {
    const AgentSlots* agent = view_.FindAgent(piece.agent);
    if (agent == nullptr || !agent->schedulable || agent->pool != pool_) {
      return Bad(task, StrCat("agent ", piece.agent.value(), " can't take it"));
    }
    const std::set<int> exist(agent->slots.begin(), agent->slots.end());
    const std::set<int> taken(agent->taken.begin(), agent->taken.end());
    for (const int slot : piece.slots) {
      const bool free = exist.contains(slot) && !taken.contains(slot);
      if (!free || !used_.emplace(piece.agent, slot).second) {
        return Bad(task, StrCat("slot ", slot, " of ", piece.agent.value(), " is not free"));
      }
    }
    return absl::OkStatus();
  }

  absl::Status OnAux(TaskId task, const AgentId& agent) {
    const int64_t tasks = view_.FindAgent(agent)->aux_tasks + ++aux_[agent];
    if (tasks <= view_.rules().ForPool(pool_).aux_per_agent_max) return absl::OkStatus();
    return Bad(task, StrCat("agent ", agent.value(), " has ", tasks, " tasks without slots"));
  }

  absl::Status OnLimits(const Request& request) {
    const JobState& state = *view_.FindJob(request.job);
    const int64_t by_job = of_job_[request.job] += request.slots;
    const int64_t by_user = of_user_[state.job.owner] += request.slots;
    const int64_t by_workspace = of_workspace_[state.job.workspace] += request.slots;
    if (state.job.max_slots.has_value() && state.held + by_job > *state.job.max_slots) {
      return Bad(request.task, "goes beyond its job's max_slots");
    }
    if (by_user > view_.UserQuotaLeft(state.job.owner).value_or(INT64_MAX)) {
      return Bad(request.task, "goes beyond its user's quota");
    }
    if (by_workspace > view_.WorkspaceQuotaLeft(state.job.workspace).value_or(INT64_MAX)) {
      return Bad(request.task, "goes beyond its workspace's quota");
    }
    return absl::OkStatus();
  }

  const View& view_;
  const std::string& pool_;
  std::set<TaskId> tasks_;
  std::set<std::pair<AgentId, int>> used_;
  std::map<AgentId, int64_t> aux_;
  std::map<ExperimentId, int64_t> of_job_;
  std::map<std::string, int64_t> of_user_;
  std::map<std::string, int64_t> of_workspace_;
};

}  // namespace

absl::Status CheckPlan(const View& view, const std::string& pool, const Plan& plan) {
  Judge judge(view, pool);
  for (const Placement& placement : plan.placements) {
    DET_RETURN_IF_ERROR(judge.OnPlacement(placement));
  }
  for (const Preemption& preemption : plan.preemptions) {
    DET_RETURN_IF_ERROR(judge.OnPreemption(preemption));
  }
  return absl::OkStatus();
}

}  // namespace det::scheduler
