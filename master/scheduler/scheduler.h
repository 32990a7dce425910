#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"

#include "master/scheduler/view.h"

namespace det::scheduler {

// A pass places at most so many requests, so that no pass takes long; the pool stays dirty for the
// next one.
inline constexpr int64_t kPlacementsPerPassMax = 256;
// Waiting requests for which a pass tells running tasks to leave.
inline constexpr int64_t kPreemptionsPerPassMax = 32;
// Requests that a pass looks at in vain behind one that has to wait.
inline constexpr int64_t kPassedOverMax = 256;
// Running tasks that a fair pass looks at for one request that wants their slots.
inline constexpr int64_t kVictimsLookedAtMax = 1024;
// By priority, tasks looked at in the order in which they would leave; then the agent is looked up
// where the least is lost, whoever came last.
inline constexpr int64_t kLatestLookedAtMax = 64;

struct Placement {
  TaskId task;
  std::vector<Piece> pieces;
  int64_t priority = 42;  // of its job now, with its age: Running::priority
};

// A running task is to leave, so that a waiting one can start.
struct Preemption {
  TaskId task;
  TaskId waiter;
};

struct Plan {
  std::vector<Placement> placements;
  std::vector<Preemption> preemptions;
  bool complete = true;  // false: the pass was cut at its limit
  // The first request that has to wait, and what is kept for it: one agent, or as much of the whole
  // pool as it needs.
  std::optional<TaskId> reserved;
  AgentId reserved_agent;  // "": the whole pool
};

// Places what waits in the pool, in the order of its policy, each request on the agent that its
// fitting says (ties by name), or, where it spans agents and no single one has the slots, on as few
// as do, all at once.
//
// The first that could run but does not fit now gets a reservation: the agent that lacks least for
// it (the pool, where it spans). Those behind it may use what is left over, and what is reserved
// only if they are known to end before it could start (EASY backfill: Lifka, "The ANL/IBM SP
// Scheduling System", 1995). So none that could run is overtaken for ever. Where a limit of its job
// or a quota keeps one back, it keeps back those of the same limit behind it, and nobody else.
// Requests without slots wait for nothing but an agent.
//
// With preemption, running tasks are told to leave for a waiting one: never more than it needs, the
// lowest priority and the latest first. By priority a task leaves for a strictly better one; under
// fair share, where its job keeps at least as much for its weight as the other job then has. What
// leaves is kept for whom it leaves for. Nothing that holds slots is asked for twice.
//
// Cost: O(log n) a placement, whatever waits. Pure.
Plan Schedule(const View& view, const std::string& pool);

// Judges a plan afresh, sharing no code with Schedule: every task waits in the pool and is within
// all limits together with the others of the plan, every agent is of the pool and schedulable, no
// slot is given twice or is taken, and who leaves may be asked to.
absl::Status CheckPlan(const View& view, const std::string& pool, const Plan& plan);

// Why a waiting task still waits, for people and machines.
struct Explanation {
  // WAITING_FOR_SLOTS, WAITING_FOR_TURN, WAITING_FOR_PREEMPTION, RESERVED, MAX_SLOTS, USER_QUOTA,
  // WORKSPACE_QUOTA, TOO_LARGE, NO_AGENTS, SCHEDULABLE, NOT_WAITING
  std::string code;
  std::string text;
  int64_t ahead = 0;        // jobs with requests before it; counted over kAheadMax requests
  int64_t slots_ahead = 0;  // that these requests want
  bool impossible = false;  // it can't run unless agents, limits or quotas change
};
inline constexpr int64_t kAheadMax = 1000;

Explanation Explain(const View& view, TaskId task);

}  // namespace det::scheduler
