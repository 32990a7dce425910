#include <algorithm>

#include "master/scheduler/policies.h"

namespace det::scheduler {
namespace {

class Priority {
 public:
  Priority(const View& view, Draft& draft) : view_(view), draft_(draft) {
    for (const auto& [size, rows] : draft.pool().ready) {
      rows_.push_back({size, ReadyCursor(rows)});
    }
  }

  void Run() {
    int64_t passed_over = 0;
    while (!draft_.full()) {
      const Waiting* next = Next();
      if (next == nullptr) return;
      if (draft_.Place(*next)) continue;
      if (draft_.has_reserved()) {
        if (++passed_over == kPassedOverMax) return;
      } else if (!draft_.Promise(*next) && !TryPreempt(*next)) {
        draft_.Reserve(*next);
      }
    }
    draft_.plan().complete = false;
  }

 private:
  struct Sized {
    SizeClass size;
    ReadyCursor next;
  };

  // The first in the queue whose size may fit; once one had to wait, sizes that can't are left out.
  const Waiting* Next() {
    const bool any = !draft_.has_reserved();
    const int64_t room = any ? 0 : draft_.Room(false);
    const int64_t room_in_all = any ? 0 : draft_.Room(true);
    Sized* first = nullptr;
    for (Sized& row : rows_) {
      if (row.next.Get() == nullptr) continue;
      if (!any && row.size.slots > (row.size.spans ? room_in_all : room)) continue;
      if (first == nullptr || row.next.Get()->key < first->next.Get()->key) first = &row;
    }
    if (first == nullptr) return nullptr;
    const Waiting* next = first->next.Get();
    first->next.Next();
    return next;
  }

  bool MayLeaveFor(const RunningTask& task, const Waiting& waiting) const {
    return task.could_leave() && !draft_.IsSignaled(task.running.task) &&
           task.running.priority > waiting.job->job.priority && task.job != waiting.job;
  }

  std::vector<const RunningTask*> VictimsOn(const AgentSlots& agent, const Waiting& waiting) const {
    std::vector<const RunningTask*> tasks;
    for (const RunningTask* task : agent.tasks) {
      if (MayLeaveFor(*task, waiting)) tasks.push_back(task);
    }
    return Fewest(tasks, &agent, waiting.request.slots - draft_.Soon(agent));
  }

  // The slots that the agent has when all tasks of that priority or less have left.
  int64_t Freeable(const AgentSlots& agent, int64_t priority, const Waiting& waiting) const {
    int64_t slots = draft_.Soon(agent);
    for (const RunningTask* task : agent.tasks) {
      if (task->running.priority < priority) break;
      if (MayLeaveFor(*task, waiting)) slots += SlotsOn(*task, &agent);
    }
    return slots;
  }

  // On the agent of the first that would leave, where that and others like it are enough.
  std::vector<const RunningTask*> VictimsOfLatest(const Waiting& waiting) const {
    const Kept kept = draft_.Avoided(waiting);
    int64_t looked = 0;
    for (const RunningTask* task : draft_.pool().victims) {
      if (task->running.priority <= waiting.job->job.priority) break;
      if (++looked > kLatestLookedAtMax) break;
      if (!MayLeaveFor(*task, waiting)) continue;
      const AgentSlots* agent = view_.FindAgent(task->running.pieces.front().agent);
      const bool usable = agent != nullptr && agent->schedulable && !kept.Off(agent->agent) &&
                          agent->pool == waiting.request.pool;
      if (!usable || Freeable(*agent, task->running.priority, waiting) < waiting.request.slots) {
        continue;
      }
      std::vector<const RunningTask*> victims = VictimsOn(*agent, waiting);
      if (!victims.empty()) return victims;
    }
    return {};
  }

  // On the agent where the least worth is lost: its most important victim is the least important,
  // and of such agents the one with the fewest slots to spare.
  std::vector<const RunningTask*> VictimsOnOne(const Waiting& waiting) const {
    if (auto latest = VictimsOfLatest(waiting); !latest.empty()) return latest;
    const Kept kept = draft_.Avoided(waiting);
    const int64_t slots = waiting.request.slots;
    const std::vector<const AgentSlots*> touched = draft_.Touched();
    const auto& freeable = draft_.pool().freeable;
    for (auto level = freeable.rbegin(); level != freeable.rend(); ++level) {
      if (level->first <= waiting.job->job.priority) break;
      for (auto it = level->second.lower_bound(slots); it != level->second.end(); ++it) {
        const AgentSlots* agent = draft_.Clean(it->second, kept);
        if (agent == nullptr) continue;
        std::vector<const RunningTask*> victims = VictimsOn(*agent, waiting);
        if (!victims.empty()) return victims;
      }
      for (const AgentSlots* agent : touched) {
        if (kept.Off(agent->agent) || Freeable(*agent, level->first, waiting) < slots) continue;
        std::vector<const RunningTask*> victims = VictimsOn(*agent, waiting);
        if (!victims.empty()) return victims;
      }
    }
    return {};
  }

  std::vector<const RunningTask*> VictimsOnMany(const Waiting& waiting) const {
    const int64_t lacks = waiting.request.slots - draft_.SoonInAll();
    std::vector<const RunningTask*> tasks;
    int64_t slots = 0;
    for (const RunningTask* task : draft_.pool().victims) {
      if (slots >= lacks || task->running.priority <= waiting.job->job.priority) break;
      if (!MayLeaveFor(*task, waiting)) continue;
      tasks.push_back(task);
      slots += task->slots;
    }
    return Fewest(tasks, nullptr, lacks);
  }

  bool TryPreempt(const Waiting& waiting) {
    if (!draft_.pool().rules.preemption || preemptions_ == kPreemptionsPerPassMax) return false;
    const auto victims = waiting.request.spans ? VictimsOnMany(waiting) : VictimsOnOne(waiting);
    if (victims.empty()) return false;
    draft_.Preempt(waiting, victims);
    if (++preemptions_ == kPreemptionsPerPassMax) draft_.plan().complete = false;
    return true;
  }

  const View& view_;
  Draft& draft_;
  std::vector<Sized> rows_;
  int64_t preemptions_ = 0;
};

}  // namespace

void RunPriority(const View& view, Draft& draft) {
  Priority(view, draft).Run();
}

}  // namespace det::scheduler
