#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"

#include "common/base/ids.h"

// What scheduling is told: jobs, what they wait for, what they hold, agents, and the rules. Plain
// values.
namespace det::scheduler {

enum class Policy : uint8_t {
  kPriority,   // lower numbers first, then the older job
  kFifo,       // the older job first
  kFairShare,  // the job that holds least for its weight first
};
enum class Fitting : uint8_t {
  kBest,   // the agent with the fewest free slots that suffice: large ones stay whole
  kWorst,  // the agent with the most free slots: work spreads
};

struct PoolRules {
  Policy policy = Policy::kPriority;
  bool preemption = false;
  Fitting fitting = Fitting::kBest;
  int64_t aux_per_agent_max = 100;  // tasks without slots that one agent takes
  bool operator==(const PoolRules&) const = default;
};

struct Rules {
  PoolRules defaults;
  std::map<std::string, PoolRules> pools;  // that differ
  // Slots that all jobs of a user, or of a workspace, hold together at most.
  std::map<std::string, int64_t> user_slots;
  std::map<std::string, int64_t> workspace_slots;
  // A job that waits and gets nothing goes up by one priority each time so much has passed (where
  // shares are fair, before all that waited less long): so none waits for ever behind those that
  // keep coming. Zero is never.
  absl::Duration age_every = absl::Hours(1);

  const PoolRules& ForPool(const std::string& pool) const;
};

// An experiment: what limits and order apply to.
struct Job {
  ExperimentId id;
  std::string owner;
  std::string workspace;
  int64_t priority = 42;  // 1..99, lower goes first
  int64_t position = 0;   // among those of one priority, lower goes first, then the older id
  double weight = 1;      // > 0, of its share
  std::optional<int64_t> max_slots;
  bool operator==(const Job&) const = default;
};

// A task that waits.
struct Request {
  TaskId task;
  ExperimentId job;
  std::string pool;
  int64_t slots = 1;
  bool spans = false;  // may have slots of several agents, all at once
  // It can't run here for now, as it seems: taken only where no other agent of the pool has the
  // slots, free or not. Empty is none.
  AgentId avoid;
  std::set<AgentId> excluded;  // it must not run here, ever
  absl::Time since = absl::UnixEpoch();
  absl::Duration runs_for = absl::InfiniteDuration();  // as estimated; infinite: not known
  bool operator==(const Request&) const = default;
};

// Slots of one agent; none for a task without slots.
struct Piece {
  AgentId agent;
  std::vector<int> slots;
  bool operator==(const Piece&) const = default;
};

// A task that holds slots.
struct Running {
  TaskId task;
  ExperimentId job;
  std::string pool;
  std::vector<Piece> pieces;  // of different agents
  int64_t priority = 42;      // it was placed at: with its age
  bool preemptible = true;
  bool leaving = false;  // was told to leave
  absl::Time placed_at = absl::UnixEpoch();
  absl::Time ends_at = absl::InfiniteFuture();  // as estimated; infinite: not known
  bool operator==(const Running&) const = default;

  int64_t slots() const;
};

}  // namespace det::scheduler
