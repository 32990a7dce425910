// The engine over PostgreSQL, without the network: placements, and a search of 10,000 trials.
#include <algorithm>
#include <future>

#include "bench/base/engine_rig.h"
#include "bench/base/stats.h"
#include "bench/rows/rows.h"

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/pause.h"
#include "common/os/process.h"
#include "common/pg/pg.h"
#include "common/testing/tmp_dir.h"
#include "master/testing/commands.h"

namespace det::bench {
namespace {

constexpr double kPlaceGoal = 5000;
constexpr double kAshaGoalSeconds = 30;
constexpr double kCostGoal = 1.5;
constexpr double kBytesGoal = 1.1;
constexpr int kRowsPerCommit = 128;  // as the engine's own commits

// So many rows of a journal's size and nothing else, committed as the engine commits.
absl::StatusOr<double> JournalFloor(const EngineRig& rig, int rows) {
  pg::Connection connection(rig.conninfo());
  connection.OnConnect([](pqxx::connection& c) {
    pqxx::nontransaction(c).exec(
        "CREATE TABLE IF NOT EXISTS bench_floor (seq bigserial PRIMARY KEY, record bytea)");
    c.prepare("floor", "INSERT INTO bench_floor (record) SELECT unnest($1::bytea[])");
  });
  const std::string records =
      pg::ByteaArrayOf(std::vector<std::string>(kRowsPerCommit, std::string(60, 'x')));
  const absl::Duration begun = SteadyNow();
  for (int done = 0; done < rows; done += kRowsPerCommit) {
    DET_RETURN_IF_ERROR(
        connection.Transact([&](pqxx::work& tx) { tx.exec_prepared("floor", records); }));
  }
  return rows / absl::ToDoubleSeconds(SteadyNow() - begun);
}

// Trials wait, then agents come: all of them placed, each on a slot of its own.
absl::StatusOr<double> PlacementsPerSecond(EngineRig& rig, const std::string& name, int trials) {
  constexpr int kTrialsEach = 500;
  constexpr int kSlotsEach = 8;
  for (int i = 0; i < trials; i += kTrialsEach) {
    const int count = std::min(kTrialsEach, trials - i);
    DET_RETURN_IF_ERROR(
        rig.engine().Run(test::Submit(StrCat(R"({"searcher":{"name":"random","max_trials":)",
                                             count,
                                             R"(,"max_concurrent_trials":)",
                                             count,
                                             "}}"))));
  }
  Fleet fleet(rig.engine().engine(), [](const Fleet::Run&) {});
  const absl::Duration begun = SteadyNow();
  for (int i = 0; i * kSlotsEach < trials; ++i)
    fleet.Connect(AgentId(StrCat(name, "-", i)), kSlotsEach);
  DET_RETURN_IF_ERROR(Await("the placements", [&] { return fleet.runs() >= trials; }));
  const absl::Duration took = SteadyNow() - begun;
  rig.engine().Stop();
  return trials / absl::ToDoubleSeconds(took);
}

// What happens in zero time: a trial validates at each rung until the search stops it.
class SimulatedSearch {
 public:
  explicit SimulatedSearch(engine::Engine& engine)
      : engine_(engine), fleet_(engine, [this](const Fleet::Run& run) { Begin(run); }) {}

  Fleet& fleet() { return fleet_; }
  int64_t closed() const { return closed_; }
  bool over() const { return over_; }
  absl::Status status() {
    MutexLock lock(mutex_);
    return status_;
  }

 private:
  static constexpr std::array<int64_t, 5> kSteps = {1, 4, 16, 64, 256};

  void Post(core::Command command, std::function<void(const core::Events&)> then) {
    engine_.Post(std::move(command),
                 [this, then = std::move(then)](absl::StatusOr<core::Events> events) {
                   if (events.ok()) return then(*events);
                   MutexLock lock(mutex_);
                   status_.Update(events.status());
                   over_ = true;
                 });
  }

  void Begin(const Fleet::Run& run) {
    Post(test::Running(run.agent, run.id), [this, run](const core::Events&) { Report(run, 0); });
  }

  void Report(const Fleet::Run& run, size_t rung) {
    core::ReportValidation report{.agent = run.agent,
                                  .report = {run.id, 0, static_cast<int64_t>(rung) + 1},
                                  .steps_completed = kSteps[rung],
                                  .metrics = Value()};
    // Any fixed order of trials will do.
    report.metrics["loss"] = static_cast<double>(run.id.value() * 7919 % 10007);
    Post(test::AsAgent(run.agent, std::move(report)),
         [this, run, rung](const core::Events& events) {
           const bool stopped = std::any_of(events.begin(), events.end(), [&](const auto& event) {
             const auto* signal = std::get_if<core::AllocationSignaled>(&event);
             return signal != nullptr && signal->id == run.id;
           });
           if (stopped || rung + 1 == kSteps.size()) return End(run, stopped);
           Report(run, rung + 1);
         });
  }

  void End(const Fleet::Run& run, bool stopped) {
    Post(test::AsAgent(run.agent,
                       core::ReportStatus{.agent = run.agent,
                                          .allocation = run.id,
                                          .state = core::AllocationState::kTerminated,
                                          .exit = {.on_order = stopped}}),
         [this](const core::Events& events) {
           ++closed_;
           for (const core::EventBody& event : events) {
             const auto* moved = std::get_if<core::ExperimentMoved>(&event);
             if (moved != nullptr && core::IsTerminal(moved->to)) over_ = true;
           }
         });
  }

  engine::Engine& engine_;
  std::atomic<int64_t> closed_{0};
  std::atomic<bool> over_{false};
  Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  Fleet fleet_;
};

// How far everything was at some moment.
struct Mark {
  int64_t seq = 0;
  absl::Duration cpu;
  absl::Duration at;
};

struct Window {
  Mark from;
  Mark to;
  double events() const { return static_cast<double>(to.seq - from.seq); }
  double CpuMicros() const { return absl::ToDoubleMicroseconds(to.cpu - from.cpu) / events(); }
  double WallMicros() const { return absl::ToDoubleMicroseconds(to.at - from.at) / events(); }
};

Mark MarkOf(EngineRig& rig) {
  return {rig.engine().engine().durable_seq(), rig.CpuTime(), SteadyNow()};
}

absl::StatusOr<double> BytesPerEvent(const EngineRig& rig, const Window& window) {
  return rig.Number(StrCat("SELECT avg(octet_length(record)) FROM journal WHERE seq > ",
                           window.from.seq,
                           " AND seq <= ",
                           window.to.seq));
}

struct AshaRun {
  double seconds = 0;
  int64_t trials = 0;
  Window early;  // about trial 100
  Window late;   // about the last trial but 100
};

absl::StatusOr<AshaRun> RunAsha(EngineRig& rig, int trials) {
  constexpr int kAgents = 8;
  constexpr int kSlotsEach = 8;
  SimulatedSearch search(rig.engine().engine());
  for (int i = 0; i < kAgents; ++i)
    search.fleet().Connect(AgentId(StrCat("agent-", i)), kSlotsEach);
  const absl::Duration begun = SteadyNow();
  DET_RETURN_IF_ERROR(rig.engine().Run(test::Submit(
      StrCat(R"({"searcher":{"name":"adaptive_asha","time_metric":"batches","max_time":256,)",
             R"("max_rungs":5,"max_concurrent_trials":)",
             kAgents * kSlotsEach,
             R"(,"max_trials":)",
             trials,
             "}}"))));
  // The marks lie at 1 %, 11 %, 89 % and 99 % of the trials.
  std::array<Mark, 4> marks;
  const std::array<int64_t, 4> at = {
      trials / 100, trials * 11 / 100, trials * 89 / 100, trials * 99 / 100};
  for (size_t i = 0; i < marks.size(); ++i) {
    while (search.closed() < at[i] && !search.over()) PauseFor(absl::Milliseconds(1));
    marks[i] = MarkOf(rig);
  }
  DET_RETURN_IF_ERROR(Await("the search's end", [&] { return search.over(); }));
  DET_RETURN_IF_ERROR(search.status());
  AshaRun run{.seconds = absl::ToDoubleSeconds(SteadyNow() - begun),
              .trials = search.closed(),
              .early = {marks[0], marks[1]},
              .late = {marks[2], marks[3]}};
  return run;
}

}  // namespace

Rows PlaceDurable(const Settings& settings) {
  const int trials = settings.Size(10000, 100);
  std::vector<double> product;
  std::vector<double> floor;
  for (int round = 0; round < settings.Size(3, 1); ++round) {
    TmpDir dir;
    DET_ASSIGN_OR_RETURN(const auto rig, EngineRig::Start(dir / "postgres"));
    DET_ASSIGN_OR_RETURN(const double raw, JournalFloor(*rig, settings.Size(50000, 256)));
    DET_ASSIGN_OR_RETURN(const double placed, PlacementsPerSecond(*rig, "agent", trials));
    floor.push_back(raw);
    product.push_back(placed);
  }
  return std::vector<Row>{
      {.name = "place_durable",
       .value = Median(product),
       .unit = "placements/s",
       .floor = Median(floor),
       .goal = {Goal::Kind::kAtLeast, kPlaceGoal},
       .note = StrCat(trials,
                      " trials wait, then agents of 8 slots connect; until the agents hear of "
                      "them. Floor: one row of 60 bytes a placement, 128 a commit")}};
}

Rows AshaTenThousand(const Settings& settings) {
  const int trials = settings.Size(10000, 200);
  TmpDir dir;
  DET_ASSIGN_OR_RETURN(const auto rig, EngineRig::Start(dir / "postgres"));
  DET_ASSIGN_OR_RETURN(const AshaRun run, RunAsha(*rig, trials));
  DET_ASSIGN_OR_RETURN(const double early_bytes, BytesPerEvent(*rig, run.early));
  DET_ASSIGN_OR_RETURN(const double late_bytes, BytesPerEvent(*rig, run.late));
  DET_ASSIGN_OR_RETURN(const double events, rig->Number("SELECT max(seq) FROM journal"));
  const auto [low, high] = std::minmax(early_bytes, late_bytes);
  rig->engine().Stop();
  return std::vector<Row>{
      {.name = "asha_10k",
       .value = run.seconds,
       .unit = "s",
       .goal = {Goal::Kind::kAtMost, kAshaGoalSeconds},
       .note = StrCat(run.trials, " trials, ", events, " events, 64 at a time")},
      {.name = "asha_10k.event_cost",
       .value = run.late.CpuMicros(),
       .unit = "us",
       .floor = run.early.CpuMicros(),
       .goal = {Goal::Kind::kRatioAtMost, kCostGoal},
       .note = StrCat("CPU of engine and PostgreSQL an event, the last tenth against the first; "
                      "wall clock ",
                      run.late.WallMicros(),
                      " against ",
                      run.early.WallMicros(),
                      " us")},
      {.name = "asha_10k.event_bytes",
       .value = high,
       .unit = "bytes",
       .floor = low,
       .goal = {Goal::Kind::kRatioAtMost, kBytesGoal},
       .note = StrCat("journal bytes an event: ", early_bytes, " early, ", late_bytes, " late")}};
}

}  // namespace det::bench
