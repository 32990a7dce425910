#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"

#include "master/scheduler/view.h"

namespace det::scheduler {

// A pass places at most so many requests, so that no pass takes long; the pool stays dirty for the
// next one.
inline constexpr int64_t kPlacementsPerPassMax = 256;
// Requests that a pass looks at in vain behind one that waits for another agent than a free one.
inline constexpr int64_t kPassedOverMax = 256;

struct Placement {
  TaskId task;
  AgentId agent;
  std::vector<int> slots;
};

struct Plan {
  std::vector<Placement> placements;
  bool complete = true;  // false: the pass was cut at its limit
};

// Places the pool's requests strictly in queue order, each on the agent that fits it best (the
// fewest free slots left over; ties by name). The first request that could run but does not fit now
// holds those behind it back, so nobody starves; one that is larger than every agent is passed
// over, and one that waits because it avoids an agent leaves that one to those behind it. Requests
// without slots wait for nothing but an agent. Cost: O(log n) a placement, whatever waits. Pure.
Plan Schedule(const View& view, const std::string& pool);

// Judges a plan afresh, sharing no code with Schedule: every task waits in the pool, every agent is
// of the pool and schedulable, and no slot is given twice or is taken.
absl::Status CheckPlan(const View& view, const std::string& pool, const Plan& plan);

// Why a waiting task still waits, for people and machines.
struct Explanation {
  std::string code;  // WAITING_FOR_SLOTS, WAITING_FOR_TURN, TOO_LARGE, NO_AGENTS, SCHEDULABLE
  std::string text;
  int64_t ahead = 0;  // requests before it; counted to kAheadMax
};
inline constexpr int64_t kAheadMax = 10000;

Explanation Explain(const View& view, TaskId task);

}  // namespace det::scheduler
