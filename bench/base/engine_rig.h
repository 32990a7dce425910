#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "common/base/mutex.h"
#include "common/pg/private_server.h"
#include "master/journal/postgres_journal.h"
#include "master/testing/test_engine.h"

namespace det::bench {

// The engine in this process over a PostgreSQL of its own that keeps what it is told, as
// det-master's does. One thread.
class EngineRig {
 public:
  // PostgreSQL's files go to `directory`.
  static absl::StatusOr<std::unique_ptr<EngineRig>> Start(const std::string& directory);
  // Gives the lease up: a master may go on here at once.
  ~EngineRig();

  struct Fill {
    int agents = 0;
    int slots_each = 0;
    int experiments = 0;
    int trials_each = 0;
  };
  // Agents that connect, experiments whose trials need one slot each; what was placed runs. All of
  // it is durable when this returns.
  absl::Status FillCluster(const Fill& fill);

  test::TestEngine& engine() { return *engine_; }
  const std::string& conninfo() const { return server_->conninfo(); }
  // The first column of the only row.
  absl::StatusOr<double> Number(const std::string& sql) const;
  // CPU time of this process and of PostgreSQL's, those that run.
  absl::Duration CpuTime() const;

 private:
  EngineRig() = default;

  std::unique_ptr<pg::PrivateServer> server_;
  std::unique_ptr<journal::PostgresJournal> journal_;
  std::unique_ptr<test::TestEngine> engine_;
};

// Agents of an engine that hear what they shall run. Any thread.
class Fleet {
 public:
  struct Run {
    AgentId agent;
    AllocationId id;
  };
  // Called once a run, on one of the engine's threads: must not block.
  using OnRun = std::function<void(const Run&)>;

  Fleet(engine::Engine& engine, OnRun on_run) : engine_(engine), on_run_(std::move(on_run)) {}

  // Does not wait: what the agent shall run comes when it is connected.
  void Connect(const AgentId& agent, int slots);
  // Runs that were heard of.
  int64_t runs() const { return runs_; }

 private:
  void Hear(const core::DesiredSet& set);

  engine::Engine& engine_;
  const OnRun on_run_;
  std::atomic<int64_t> runs_{0};
  Mutex mutex_;
  std::map<AgentId, std::set<AllocationId>> known_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace det::bench
