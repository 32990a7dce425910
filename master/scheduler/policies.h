#pragma once

#include "master/scheduler/draft.h"

namespace det::scheduler {

// priority.cc: in the order of the queue. FIFO is the case in which all have one priority.
void RunPriority(const View& view, Draft& draft);
// fair_share.cc
void RunFairShare(const View& view, Draft& draft);

// victims.cc: Of `tasks`, in the order in which they would be asked to leave, as few as make up for
// what `agent` (nullptr: the pool) lacks; empty when all of them don't. None could be left out.
std::vector<const RunningTask*> Fewest(const std::vector<const RunningTask*>& tasks,
                                       const AgentSlots* agent,
                                       int64_t lacks);
// The slots that the task holds there.
int64_t SlotsOn(const RunningTask& task, const AgentSlots* agent);

}  // namespace det::scheduler
