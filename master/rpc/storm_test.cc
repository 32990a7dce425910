#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "det/api/v1/experiment.grpc.pb.h"
#include "det/api/v1/trial.grpc.pb.h"
#include <gtest/gtest.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/net/grpc_status.h"
#include "common/pg/pg.h"
#include "common/rng/counter_rng.h"
#include "common/testing/eventually.h"
#include "common/testing/tmp_dir.h"
#include "master/core/invariants.h"
#include "master/deletion/worker.h"
#include "master/testing/commands.h"
#include "master/testing/test_server.h"

// Eight clients do at random all that can be done to fifty experiments, while agents run them.
// Afterwards nothing is stuck, no slot is held, and the journal gives the state that lived.
// DET_STORM_OPERATIONS: how many (1000).
namespace det::rpc {
namespace {

using namespace api::v1;  // NOLINT(google-build-using-namespace): every message is of it
using test::TestServer;
using Experiments = ExperimentService::Stub;

constexpr int kClients = 8;
constexpr int64_t kExperiments = 50;

int64_t Operations() {
  const char* text = std::getenv("DET_STORM_OPERATIONS");
  return text == nullptr ? 1000 : std::strtoll(text, nullptr, 10);
}

const std::string kSearchers[] = {
    "{name: single, metric: loss}",
    "{name: random, metric: loss, max_trials: 4, max_concurrent_trials: 2}",
    "{name: async_halving, metric: loss, max_trials: 5, num_rungs: 2, max_time: 4, divisor: 2, "
    "time_metric: batches, max_concurrent_trials: 3}"};

// What clients may hear: everything but a fault of the master's.
bool IsAnAnswer(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kResourceExhausted:
      return true;
    default:
      return ErrorReason(status) == "EXPERIMENT_BUSY";
  }
}

class Dice {
 public:
  explicit Dice(uint64_t seed) : rng_(seed, 0) {}
  int64_t Below(int64_t n) {
    return static_cast<int64_t>(rng_.Below(static_cast<uint64_t>(n), next_++));
  }

 private:
  CounterRng rng_;
  uint64_t next_ = 0;
};

class Client {
 public:
  Client(TestServer& server, std::string checkpoints, uint64_t seed)
      : experiments_(ExperimentService::NewStub(server.channel())),
        trials_(TrialService::NewStub(server.channel())),
        checkpoints_(std::move(checkpoints)),
        dice_(seed) {}

  void Create() {
    CreateExperimentRequest request;
    request.set_config(StrCat("entrypoint: x\nmax_restarts: 1\npreemption_timeout: 5\n",
                              "hyperparameters: {x: {type: double, minval: 0, maxval: 1}}\n",
                              "checkpoint_storage: {type: shared_fs, host_path: ",
                              checkpoints_,
                              "}\nsearcher: ",
                              kSearchers[static_cast<size_t>(Below(3))]));
    request.set_paused(Below(4) == 0);
    if (Below(5) == 0) {
      request.clear_config();
      request.set_parent(Id());
    }
    CreateExperimentResponse response;
    Judge("create", Call(*experiments_, &Experiments::CreateExperiment, request, &response));
  }

  void Operate() {
    switch (Below(10)) {
      case 0:
        return Act("pause", &Experiments::PauseExperiment);
      case 1:
      case 2:
        return Act("activate", &Experiments::ActivateExperiment);
      case 3:
        return Act("cancel", &Experiments::CancelExperiment);
      case 4:
        return Act("kill", &Experiments::KillExperiment);
      case 5:
        return Below(4) == 0 ? Act("delete", &Experiments::DeleteExperiment) : Configure();
      case 6:
        return Configure();
      case 7:
        return KillTrial();
      case 8:
        return Continue();
      default:
        return Below(10) == 0 ? Create() : Act("activate", &Experiments::ActivateExperiment);
    }
  }

  const std::string& fault() const { return fault_; }

 private:
  template <class Stub, class Request, class Response>
  static absl::Status Call(Stub& stub,
                           grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                        const Request&,
                                                        Response*),
                           const Request& request,
                           Response* response) {
    const auto context = TestServer::As(test::kAdminToken);
    return net::FromGrpc((stub.*method)(context.get(), request, response));
  }
  void Judge(std::string_view what, const absl::Status& status) {
    if (!IsAnAnswer(status)) fault_ = StrCat(what, ": ", status.ToString());
  }
  void Act(std::string_view what,
           grpc::Status (Experiments::*method)(grpc::ClientContext*,
                                               const ExperimentRequest&,
                                               ExperimentResponse*)) {
    ExperimentRequest request;
    request.set_id(Id());
    ExperimentResponse response;
    Judge(what, Call(*experiments_, method, request, &response));
  }
  void Configure() {
    ConfigureExperimentRequest request;
    request.set_id(Id());
    if (Below(2) == 0) request.set_priority(Below(101));
    if (Below(3) == 0) request.set_pool(Below(2) == 0 ? "default" : "other");
    if (Below(3) == 0) request.set_max_slots(1 + Below(4));
    ExperimentResponse response;
    Judge("configure", Call(*experiments_, &Experiments::ConfigureExperiment, request, &response));
  }
  void KillTrial() {
    KillTrialRequest request;
    request.set_id(1 + Below(3 * kExperiments));
    KillTrialResponse response;
    Judge("kill trial", Call(*trials_, &TrialService::Stub::KillTrial, request, &response));
  }
  void Continue() {
    ContinueExperimentRequest request;
    request.set_id(Id());
    if (Below(4) == 0) request.add_overrides("max_restarts=2");
    ExperimentResponse response;
    Judge("continue", Call(*experiments_, &Experiments::ContinueExperiment, request, &response));
  }
  int64_t Below(int64_t n) { return dice_.Below(n); }
  int64_t Id() { return 1 + Below(kExperiments); }

  const std::unique_ptr<Experiments> experiments_;
  const std::unique_ptr<TrialService::Stub> trials_;
  const std::string checkpoints_;
  Dice dice_;
  std::string fault_;
};

// Runs what the master places: each round every run takes a step, or leaves when it is told to.
class Agents {
 public:
  explicit Agents(test::TestEngine& engine) : engine_(engine) {
    engine_.Must(test::Connect(AgentId("a"), 4));
    engine_.Must(test::Connect(AgentId("b"), 4));
    core::Command other = test::Connect(AgentId("c"), 4);
    std::get<core::ConnectAgent>(other.body).pool = "other";
    engine_.Must(std::move(other));
  }

  // Were there any?
  bool Round() {
    std::vector<core::Command> commands;
    engine_.Read([&](const core::State& state) {
      for (const auto& [id, task] : state.indexes.allocations) {
        commands.push_back(Next(*state.Find(task)->allocation));
      }
    });
    for (core::Command& command : commands) engine_.Run(std::move(command)).status().IgnoreError();
    return !commands.empty();
  }

 private:
  core::Command Next(const core::Allocation& run) {
    const int64_t luck = dice_.Below(10);
    if (run.level != core::StopLevel::kRun) {
      return Ended(run, {.code = 0, .on_order = true});
    }
    if (run.state < core::AllocationState::kRunning) return test::Running(run.agent, run.id);
    if (luck == 0) return Ended(run, {.code = 1});
    if (luck == 1) return Ended(run, {.kind = core::ExitKind::kLost});
    if (luck < 5) return Ended(run, {.code = 0});
    return test::Validated(run.agent, {run.id, 0, ++seqs_[run.id]}, 0.5);
  }
  static core::Command Ended(const core::Allocation& run, const core::Exit& exit) {
    return test::AsAgent(
        run.agent, core::ReportStatus{run.agent, run.id, core::AllocationState::kTerminated, exit});
  }

  test::TestEngine& engine_;
  std::map<AllocationId, int64_t> seqs_;
  Dice dice_{7};
};

int64_t Count(const TestServer& server, const std::string& what) {
  int64_t count = -1;
  pg::Connection connection(server.database().conninfo());
  const absl::Status status = connection.Transact(
      [&](pqxx::work& tx) { count = tx.exec1("SELECT count(*) FROM " + what)[0].as<int64_t>(); });
  EXPECT_TRUE(status.ok()) << status;
  return count;
}

TEST(Storm, NothingIsStuckAndNothingIsHeldAfterwards) {
  const TmpDir checkpoints;
  TestServer server;
  deletion::Worker worker(server.deletions(), test::QuickDeletions(server));
  Agents agents(server.engine());
  Client first(server, checkpoints.path(), 0);
  for (int64_t i = 0; i < kExperiments; ++i) first.Create();
  std::atomic<int> running{kClients};
  std::vector<std::unique_ptr<Client>> clients;
  std::vector<std::thread> threads;
  for (int c = 0; c < kClients; ++c) {
    clients.push_back(
        std::make_unique<Client>(server, checkpoints.path(), static_cast<uint64_t>(c) + 1));
    threads.emplace_back([&running, client = clients.back().get()] {
      for (int64_t i = 0; i < Operations() / kClients; ++i) client->Operate();
      --running;
    });
  }
  while (running > 0) agents.Round();
  for (std::thread& thread : threads) thread.join();
  for (const auto& client : clients) EXPECT_EQ(client->fault(), "");
  // Everything ends once it is let go on, without a hand being lent to any.
  ASSERT_TRUE(Eventually(
      [&] {
        std::vector<ExperimentId> paused;
        bool live = false;
        server.engine().Read([&](const core::State& state) {
          live = !state.experiments.empty();
          for (const auto& [id, e] : state.experiments) {
            if (e.state == core::ExperimentState::kPaused) paused.push_back(id);
          }
        });
        for (const ExperimentId id : paused) {
          server.engine()
              .Run({{core::Role::kAdmin, "admin"}, core::ActivateExperiment{id}})
              .status()
              .IgnoreError();
        }
        server.engine().clock().Advance(absl::Seconds(2));
        agents.Round();
        return !live;
      },
      std::chrono::seconds(60 + Operations() / 20)));
  server.engine().Read([](const core::State& state) {
    EXPECT_EQ(core::BrokenInvariants(state), std::vector<std::string>());
    EXPECT_TRUE(state.indexes.allocations.empty());
    EXPECT_TRUE(state.trials.empty());
  });
  EXPECT_TRUE(
      Eventually([&] { return Count(server, "experiments WHERE state = 'DELETING'") == 0; }));
  EXPECT_EQ(
      Count(server, "experiments WHERE state NOT IN ('COMPLETED', 'CANCELED', 'ERROR', 'DELETED')"),
      0);
  EXPECT_EQ(Count(server, "trials WHERE state NOT IN ('COMPLETED', 'CANCELED', 'ERROR')"), 0);
  EXPECT_EQ(Count(server, "allocations WHERE ended_at IS NULL"), 0);
  journal::PostgresJournal reader(server.database().conninfo(), "reader/1/1");
  EXPECT_EQ(test::Replayed(reader), server.engine().State());
}

}  // namespace
}  // namespace det::rpc
