#include "bench/base/engine_rig.h"

#include "bench/base/program.h"
#include <unistd.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/fs.h"
#include "common/os/process.h"
#include "common/pg/pg.h"
#include "master/store/migrate.h"
#include "master/testing/commands.h"

namespace det::bench {

absl::StatusOr<std::unique_ptr<EngineRig>> EngineRig::Start(const std::string& directory) {
  DET_RETURN_IF_ERROR(MakeDirs(ParentDirectory(directory), 0711));
  std::unique_ptr<EngineRig> rig(new EngineRig());
  DET_ASSIGN_OR_RETURN(rig->server_, pg::PrivateServer::Start({.directory = directory}));
  DET_RETURN_IF_ERROR(store::MakeSchema(rig->conninfo()));
  DET_ASSIGN_OR_RETURN(const std::string holder, journal::PostgresJournal::ThisProcess());
  rig->journal_ = std::make_unique<journal::PostgresJournal>(rig->conninfo(), holder);
  rig->engine_ = std::make_unique<test::TestEngine>(*rig->journal_);
  return rig;
}

EngineRig::~EngineRig() {
  engine_.reset();
  if (journal_ != nullptr) journal_->Release().IgnoreError();
}

absl::Status EngineRig::FillCluster(const Fill& fill) {
  for (int i = 0; i < fill.agents; ++i) {
    DET_RETURN_IF_ERROR(engine_->Run(test::Connect(AgentId(StrCat("agent-", i)), fill.slots_each)));
  }
  for (int i = 0; i < fill.experiments; ++i) {
    DET_RETURN_IF_ERROR(
        engine_->Run(test::Submit(StrCat(R"({"searcher":{"name":"random","max_trials":)",
                                         fill.trials_each,
                                         R"(,"max_concurrent_trials":)",
                                         fill.trials_each,
                                         "}}"))));
  }
  std::vector<Fleet::Run> runs;
  engine_->Read([&](const core::State& state) {
    for (const auto& [id, task] : state.indexes.allocations)
      runs.push_back({state.Find(task)->allocation->agent, id});
  });
  for (const Fleet::Run& run : runs)
    DET_RETURN_IF_ERROR(engine_->Run(test::Running(run.agent, run.id)));
  return absl::OkStatus();
}

absl::StatusOr<double> EngineRig::Number(const std::string& sql) const {
  double number = 0;
  DET_RETURN_IF_ERROR(pg::Connection(conninfo()).Transact([&](pqxx::work& tx) {
    number = tx.exec1(sql)[0].as<double>(0);
  }));
  return number;
}

absl::Duration EngineRig::CpuTime() const {
  absl::Duration sum = bench::CpuTime(getpid()) + bench::CpuTime(server_->pid());
  const absl::StatusOr<std::vector<ProcessId>> backends = Descendants(server_->pid());
  if (!backends.ok()) return sum;
  for (const ProcessId& backend : *backends) sum += bench::CpuTime(backend.pid);
  return sum;
}

void Fleet::Connect(const AgentId& agent, int slots) {
  engine_.Connect(
      test::Connect(agent, slots),
      [this](const core::DesiredSet& set) { Hear(set); },
      [](const absl::StatusOr<core::Events>&) {});
}

void Fleet::Hear(const core::DesiredSet& set) {
  std::vector<Run> fresh;
  {
    MutexLock lock(mutex_);
    std::set<AllocationId>& known = known_[set.agent];
    std::set<AllocationId> now;
    for (const core::DesiredAllocation& allocation : set.allocations) {
      now.insert(allocation.id);
      if (!known.contains(allocation.id)) fresh.push_back({set.agent, allocation.id});
    }
    known = std::move(now);
  }
  runs_ += static_cast<int64_t>(fresh.size());
  for (const Run& run : fresh) on_run_(run);
}

}  // namespace det::bench
