#include <filesystem>
#include <fstream>

#include "det/api/v1/experiment.grpc.pb.h"
#include "det/api/v1/trial.grpc.pb.h"
#include <gtest/gtest.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/net/grpc_status.h"
#include "common/pg/pg.h"
#include "common/testing/eventually.h"
#include "common/testing/tmp_dir.h"
#include "master/deletion/worker.h"
#include "master/testing/commands.h"
#include "master/testing/test_server.h"

// The verbs of an experiment's life, through the wire.
namespace det::rpc {
namespace {

using namespace api::v1;  // NOLINT(google-build-using-namespace): every message is of it
using test::TestServer;
using Experiments = ExperimentService::Stub;

const AgentId kAgent("a");

class LifeTest : public testing::Test {
 protected:
  template <class Stub, class Request, class Response>
  absl::Status Call(Stub& stub,
                    grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request,
                    Response* response,
                    const std::string& token = test::kAnnToken) {
    const auto context = TestServer::As(token);
    return net::FromGrpc((stub.*method)(context.get(), request, response));
  }
  absl::StatusOr<Experiment> Create(const CreateExperimentRequest& request) {
    CreateExperimentResponse response;
    const absl::Status status =
        Call(*experiments, &Experiments::CreateExperiment, request, &response);
    if (!status.ok()) return status;
    return response.experiment();
  }
  int64_t Submit(const std::string& searcher = "{name: single, metric: loss}") {
    CreateExperimentRequest request;
    request.set_config(StrCat("name: mine\nentrypoint: x\nmax_restarts: 0\n",
                              "checkpoint_storage: {type: shared_fs, host_path: ",
                              checkpoints.path(),
                              "}\nsearcher: ",
                              searcher));
    const auto created = Create(request);
    EXPECT_TRUE(created.ok()) << created.status();
    return created.ok() ? created->id() : 0;
  }
  absl::StatusOr<Experiment> Act(grpc::Status (Experiments::*method)(grpc::ClientContext*,
                                                                     const ExperimentRequest&,
                                                                     ExperimentResponse*),
                                 int64_t id,
                                 const std::string& token = test::kAnnToken) {
    ExperimentRequest request;
    request.set_id(id);
    ExperimentResponse response;
    const absl::Status status = Call(*experiments, method, request, &response, token);
    if (!status.ok()) return status;
    return response.experiment();
  }
  absl::StatusOr<Experiment> Continue(int64_t id, const std::vector<std::string>& overrides = {}) {
    ContinueExperimentRequest request;
    request.set_id(id);
    for (const std::string& text : overrides) request.add_overrides(text);
    ExperimentResponse response;
    const absl::Status status =
        Call(*experiments, &Experiments::ContinueExperiment, request, &response);
    if (!status.ok()) return status;
    return response.experiment();
  }
  std::string StateOf(int64_t id) {
    const auto row = server.store().Experiment(ExperimentId(id));
    return row.ok() ? row->state : ErrorReason(row.status());
  }
  // The one run there is says so and ends.
  void RunAndExit(int64_t code) {
    const AllocationId allocation = server.engine().OnlyAllocation();
    server.engine().Must(test::Running(kAgent, allocation));
    server.engine().Must(test::Validated(kAgent, {allocation, 0, 2}, 0.5));
    server.engine().Must(test::Exited(kAgent, allocation, code));
  }
  void Checkpoint(const std::string& uuid, int64_t seq = 1) {
    const std::filesystem::path folder = std::filesystem::path(checkpoints.path()) / uuid;
    std::filesystem::create_directory(folder);
    std::ofstream(folder / "model") << "weights";
    const AllocationId allocation = server.engine().OnlyAllocation();
    server.engine().Must(
        test::AsAgent(kAgent,
                      core::ReportCheckpoint{.agent = kAgent,
                                             .report = {allocation, 0, seq},
                                             .uuid = uuid,
                                             .steps_completed = 4 + seq,
                                             .bytes = 7,
                                             .files = Value(Value::Object{{"model", 7}}),
                                             .metadata = Value(Value::Object{})}));
  }
  void Sql(const std::string& statement) {
    pg::Connection connection(server.database().conninfo());
    const absl::Status status = connection.Transact([&](pqxx::work& tx) { tx.exec(statement); });
    EXPECT_TRUE(status.ok()) << status;
  }
  // Those with a column that leads to an experiment.
  std::vector<std::string> TablesOfExperiments() {
    std::vector<std::string> tables;
    pg::Connection connection(server.database().conninfo());
    EXPECT_TRUE(connection
                    .Transact([&](pqxx::work& tx) {
                      tables.clear();
                      for (const auto& row : tx.exec(
                               "SELECT DISTINCT c.relname FROM pg_attribute a "
                               "JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p') "
                               "WHERE c.relnamespace = current_schema()::regnamespace AND "
                               "a.attname IN ('experiment_id', 'trial_id', 'allocation_id')"))
                        tables.push_back(row[0].as<std::string>());
                    })
                    .ok());
    EXPECT_GT(tables.size(), 8U);
    return tables;
  }
  int64_t Count(const std::string& table) {
    int64_t count = 0;
    pg::Connection connection(server.database().conninfo());
    EXPECT_TRUE(connection
                    .Transact([&](pqxx::work& tx) {
                      count = tx.exec1("SELECT count(*) FROM " + table)[0].as<int64_t>();
                    })
                    .ok());
    return count;
  }

  TmpDir checkpoints;
  TestServer server;
  deletion::Worker worker{server.deletions(), test::QuickDeletions(server)};
  const std::unique_ptr<Experiments> experiments = ExperimentService::NewStub(server.channel());
  const std::unique_ptr<TrialService::Stub> trials = TrialService::NewStub(server.channel());
};

TEST_F(LifeTest, SettingsShowInTheRowAndInTheConfiguration) {
  const int64_t id = Submit();
  ConfigureExperimentRequest request;
  request.set_id(id);
  request.set_priority(7);
  ExperimentResponse response;
  ASSERT_TRUE(Call(*experiments, &Experiments::ConfigureExperiment, request, &response).ok());
  EXPECT_EQ(response.experiment().priority(), 7);
  EXPECT_NE(server.store().EffectiveConfig(ExperimentId(id))->find("\"priority\": 7"),
            std::string::npos);
  request.set_priority(0);
  EXPECT_EQ(ErrorReason(Call(*experiments, &Experiments::ConfigureExperiment, request, &response)),
            "INVALID_SETTING");
  request.set_priority(8);
  // Whoever is editor of its workspace.
  EXPECT_TRUE(
      Call(*experiments, &Experiments::ConfigureExperiment, request, &response, test::kBobToken)
          .ok());
}

TEST_F(LifeTest, AKilledTrialIsCanceledAndKillingItTwiceIsNoError) {
  Submit("{name: random, metric: loss, max_trials: 2}");
  KillTrialRequest request;
  request.set_id(1);
  KillTrialResponse response;
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(Call(*trials, &TrialService::Stub::KillTrial, request, &response).ok());
    EXPECT_EQ(response.trial().state(), "CANCELED");
  }
  request.set_id(99);
  EXPECT_EQ(ErrorReason(Call(*trials, &TrialService::Stub::KillTrial, request, &response)),
            "TRIAL_NOT_FOUND");
}

TEST_F(LifeTest, AForkHasItsParentsConfigurationAndNamesIt) {
  const int64_t parent = Submit();
  CreateExperimentRequest request;
  request.set_parent(parent);
  request.add_overrides("max_restarts=3");
  const auto fork = Create(request);
  ASSERT_TRUE(fork.ok()) << fork.status();
  EXPECT_EQ(fork->parent(), parent);
  EXPECT_EQ(fork->name(), "mine");
  EXPECT_NE(server.store().EffectiveConfig(ExperimentId(fork->id()))->find("\"max_restarts\": 3"),
            std::string::npos);
  request.set_parent(99);
  EXPECT_EQ(ErrorReason(Create(request).status()), "EXPERIMENT_NOT_FOUND");
}

TEST_F(LifeTest, AContinuedTrialGoesOnFromItsCheckpointInAnotherTask) {
  server.engine().Must(test::Connect(kAgent, 1));
  const int64_t id = Submit();
  EXPECT_EQ(ErrorReason(Continue(id).status()), "EXPERIMENT_LIVE");
  Checkpoint("c1");
  RunAndExit(1);
  EXPECT_EQ(StateOf(id), "ERROR");
  const auto continued = Continue(id, {"max_restarts=1"});
  ASSERT_TRUE(continued.ok()) << continued.status();
  EXPECT_EQ(continued->state(), "ACTIVE");
  server.engine().Read([](const core::State& state) {
    const core::Trial& trial = state.trials.begin()->second;
    EXPECT_EQ(trial.latest_checkpoint->uuid, "c1");
    EXPECT_EQ(state.Find(trial.task)->runs, 2);
    EXPECT_EQ(state.Find(trial.experiment)->spec->max_restarts, 1);
  });
  RunAndExit(1);  // a restart of its own, from 0 again
  RunAndExit(0);
  EXPECT_EQ(StateOf(id), "COMPLETED");
  const TestServer& s = server;
  EXPECT_EQ(test::Replayed(
                *std::make_unique<journal::PostgresJournal>(s.database().conninfo(), "reader/1/1")),
            server.engine().State());
}

TEST_F(LifeTest, AContinuedTrialGoesOnFromWhatIsLeftOfItsCheckpoints) {
  server.engine().Must(test::Connect(kAgent, 1));
  const int64_t id = Submit();
  const AllocationId run = server.engine().OnlyAllocation();
  Sql("INSERT INTO retention VALUES (1, 0, 1, 9, 'x')");
  for (int64_t i = 1; i <= 3; ++i) Checkpoint(StrCat("c", i), i);
  server.engine().Must(test::Running(kAgent, run));
  server.engine().Must(test::Exited(kAgent, run, 1));
  const auto gone = server.deletions().Request({{TrialId(1), "c3"}}, {}, "user:ann");
  ASSERT_TRUE(gone.ok()) << gone.status();
  ASSERT_TRUE(Eventually(
      [&] { return server.deletions().ByIds({gone->at(0).id})->at(0).state == "DONE"; }));
  // One that is to go is none either, though it is there yet.
  Sql("INSERT INTO deletions (experiment_id, trial_id, uuid, globs, actor, due_at) "
      "VALUES (1, 1, 'c2', '[]', 'x', now() + interval '1 hour')");
  EXPECT_EQ(ErrorReason(server.deletions().Hold({{TrialId(1), "c2"}}).status()),
            "CHECKPOINT_DELETED");
  ASSERT_TRUE(Continue(id).ok());
  server.engine().Read([](const core::State& state) {
    const core::Trial& trial = state.trials.begin()->second;
    EXPECT_EQ(trial.latest_checkpoint, (core::CheckpointRef{"c1", 5}));
  });
}

TEST_F(LifeTest, AContinuedTrialWithoutACheckpointBeginsAnew) {
  server.engine().Must(test::Connect(kAgent, 1));
  const int64_t id = Submit();
  Checkpoint("c1");
  RunAndExit(1);
  Sql("UPDATE checkpoints SET state = 'DELETED'");
  ASSERT_TRUE(Continue(id).ok());
  server.engine().Read([](const core::State& state) {
    EXPECT_FALSE(state.trials.begin()->second.latest_checkpoint.has_value());
  });
}

// From when it was looked at until it is on record that something begins from it.
TEST_F(LifeTest, WhatIsHeldDoesNotGo) {
  server.engine().Must(test::Connect(kAgent, 1));
  Submit();
  Checkpoint("c1");
  RunAndExit(0);
  auto hold = server.deletions().Hold({{TrialId(1), "c1"}});
  ASSERT_TRUE(hold.ok()) << hold.status();
  const auto asked = server.deletions().Request({{TrialId(1), "c1"}}, {}, "x");
  ASSERT_TRUE(asked.ok()) << asked.status();
  const auto now = [&] { return server.deletions().ByIds({asked->at(0).id})->at(0); };
  ASSERT_TRUE(Eventually([&] { return now().attempts >= 2; }));
  EXPECT_TRUE(now().open());
  EXPECT_TRUE(std::filesystem::exists(std::filesystem::path(checkpoints.path()) / "c1"));
  // Nobody begins from what is on its way out.
  CreateExperimentRequest request;
  request.set_config(
      StrCat("name: x\nentrypoint: x\ncheckpoint_storage: {type: shared_fs, host_path: ",
             checkpoints.path(),
             "}\nsearcher: {name: single, metric: loss, source_checkpoint_uuid: c1}"));
  EXPECT_EQ(ErrorReason(Create(request).status()), "CHECKPOINT_DELETED");
  hold->reset();
  EXPECT_TRUE(Eventually([&] { return now().state == "DONE"; }));
}

TEST_F(LifeTest, WhatIsArchivedIsNotContinuedNorDoesAContinuationMoveIt) {
  server.engine().Must(test::Connect(kAgent, 1));
  const int64_t id = Submit();
  RunAndExit(1);
  EXPECT_EQ(ErrorReason(Continue(id, {"workspace=lab", "project=mine"}).status()), "PLACE_FIXED");
  EXPECT_FALSE(Continue(id, {"name=" + std::string(100'000, 'n')}).ok());
  Sql("UPDATE projects SET archived = true");
  const absl::Status archived = Continue(id).status();
  EXPECT_NE(ErrorReason(archived).find("ARCHIVED"), std::string::npos) << archived;
  Sql("UPDATE projects SET archived = false");
  EXPECT_TRUE(Continue(id, {"max_restarts=1"}).ok());
}

TEST_F(LifeTest, AStrangerTakesNobodysTurn) {
  server.engine().Must(test::Connect(kAgent, 1));
  const int64_t id = Submit();
  RunAndExit(1);
  const auto held = server.ended_locks().TryLock(ExperimentId(id));
  ASSERT_TRUE(held.has_value());
  EXPECT_EQ(ErrorReason(Act(&Experiments::DeleteExperiment, id, test::kBobToken).status()),
            "FORBIDDEN");
  EXPECT_EQ(ErrorReason(Continue(id).status()), "EXPERIMENT_BUSY");
}

TEST_F(LifeTest, ASearchGoesOnWithWhatDidNotComplete) {
  server.engine().Must(test::Connect(kAgent, 1));
  const int64_t id =
      Submit("{name: random, metric: loss, max_trials: 3, max_concurrent_trials: 1}");
  RunAndExit(0);
  ASSERT_TRUE(Act(&Experiments::KillExperiment, id).ok());
  RunAndExit(137);
  EXPECT_EQ(StateOf(id), "CANCELED");
  EXPECT_EQ(ErrorReason(Continue(id, {"max_restarts=1"}).status()), "SEARCH_CONFIG_FIXED");
  ASSERT_TRUE(Continue(id).ok());
  RunAndExit(0);
  RunAndExit(0);
  EXPECT_EQ(StateOf(id), "COMPLETED");
  EXPECT_EQ(ErrorReason(Continue(id).status()), "ALL_TRIALS_COMPLETED");
}

TEST_F(LifeTest, AForkOfAnothersExperimentMayUseItsSecrets) {
  CreateExperimentRequest request;
  request.set_config(
      "name: mine\nentrypoint: x\nsearcher: {name: single, metric: loss}\n"
      "environment: {registry_auth: {username: ann, password: hunter2}}\n");
  const auto parent = Create(request);
  ASSERT_TRUE(parent.ok()) << parent.status();
  CreateExperimentRequest fork;
  fork.set_parent(parent->id());
  CreateExperimentResponse response;
  const absl::Status forked =
      Call(*experiments, &Experiments::CreateExperiment, fork, &response, test::kBobToken);
  ASSERT_TRUE(forked.ok()) << forked;
  EXPECT_EQ(response.experiment().owner(), "bob");
  EXPECT_EQ(response.effective_config().find("hunter2"), std::string::npos);
  EXPECT_NE(response.effective_config(),
            *server.store().EffectiveConfig(ExperimentId(parent->id())));
}

TEST_F(LifeTest, WhatIsContinuedKeepsItsMetric) {
  server.engine().Must(test::Connect(kAgent, 1));
  const int64_t id = Submit();
  RunAndExit(0);
  EXPECT_EQ(ErrorReason(Continue(id, {"searcher.metric=accuracy"}).status()), "METRIC_FIXED");
  EXPECT_EQ(ErrorReason(Continue(id, {"searcher.smaller_is_better=false"}).status()),
            "METRIC_FIXED");
  EXPECT_TRUE(Continue(id, {"max_restarts=1"}).ok());
}

TEST_F(LifeTest, ADeletedExperimentLeavesNothingButItsName) {
  server.engine().Must(test::Connect(kAgent, 1));
  const int64_t id = Submit();
  EXPECT_EQ(ErrorReason(Act(&Experiments::DeleteExperiment, id).status()), "EXPERIMENT_LIVE");
  Checkpoint("c1");
  RunAndExit(0);
  EXPECT_EQ(ErrorReason(Act(&Experiments::DeleteExperiment, id, test::kBobToken).status()),
            "FORBIDDEN");
  ASSERT_EQ(Act(&Experiments::DeleteExperiment, id).status(), absl::OkStatus());
  ASSERT_TRUE(Eventually([&] { return StateOf(id) == "EXPERIMENT_DELETED"; }));
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::path(checkpoints.path()) / "c1"));
  // Whatever table names it, but its own row and its history.
  for (const std::string& table : TablesOfExperiments()) {
    if (table == "transitions") continue;
    EXPECT_EQ(Count(table), 0) << table;
  }
  const absl::Status gone = server.store().Experiment(ExperimentId(id)).status();
  EXPECT_NE(FromAbsl(gone.message()).find("was deleted by ann at"), std::string_view::npos);
  ListTrialsRequest list;
  list.set_experiment(id);
  ListTrialsResponse listed;
  EXPECT_EQ(ErrorReason(Call(*trials, &TrialService::Stub::ListTrials, list, &listed)),
            "EXPERIMENT_DELETED");
  EXPECT_EQ(ErrorReason(Continue(id).status()), "EXPERIMENT_DELETED");
  EXPECT_EQ(ErrorReason(Act(&Experiments::PauseExperiment, id).status()), "EXPERIMENT_DELETED");
  EXPECT_TRUE(Act(&Experiments::DeleteExperiment, id).ok());
  CreateExperimentRequest fork;
  fork.set_parent(id);
  EXPECT_EQ(ErrorReason(Create(fork).status()), "EXPERIMENT_DELETED");
  EXPECT_GT(Submit(), id);  // ids are never used again
}

TEST_F(LifeTest, OneThatCantBeDeletedKeepsNoOtherAndSaysWhy) {
  server.engine().Must(test::Connect(kAgent, 1));
  const int64_t stuck = Submit();
  RunAndExit(0);
  const int64_t other = Submit();
  RunAndExit(0);
  Sql("CREATE FUNCTION stay() RETURNS trigger LANGUAGE plpgsql AS "
      "'BEGIN RAISE EXCEPTION ''a trigger of somebody''; END'");
  Sql(
      StrCat("CREATE TRIGGER stay BEFORE DELETE ON submissions FOR EACH ROW WHEN "
             "(OLD.experiment_id = ",
             stuck,
             ") EXECUTE FUNCTION stay()"));
  ASSERT_TRUE(Act(&Experiments::DeleteExperiment, stuck).ok());
  ASSERT_TRUE(Act(&Experiments::DeleteExperiment, other).ok());
  EXPECT_TRUE(Eventually([&] { return StateOf(other) == "EXPERIMENT_DELETED"; }));
  ASSERT_TRUE(Eventually([&] { return StateOf(stuck) == "DELETE_FAILED"; }));
  EXPECT_NE(
      server.store().Experiment(ExperimentId(stuck))->reason.text.find("a trigger of somebody"),
      std::string::npos);
}

TEST_F(LifeTest, WhatCanNotBeDeletedSaysWhyAndMayBeTriedAgain) {
  server.engine().Must(test::Connect(kAgent, 1));
  const int64_t id = Submit();
  const AllocationId allocation = server.engine().OnlyAllocation();
  Checkpoint("c1");
  server.engine().Must(test::Exited(kAgent, allocation, 0));
  pg::Connection connection(server.database().conninfo());
  const auto set_storage = [&](const std::string& storage) {
    ASSERT_TRUE(connection
                    .Transact([&](pqxx::work& tx) {
                      tx.exec_params(
                          "UPDATE submissions SET config = jsonb_set(config, "
                          "'{checkpoint_storage}', $1::jsonb)",
                          storage);
                    })
                    .ok());
  };
  set_storage(R"({"type": "directory", "container_path": "/somewhere/else"})");
  ASSERT_EQ(Act(&Experiments::DeleteExperiment, id).status(), absl::OkStatus());
  ASSERT_TRUE(Eventually([&] { return StateOf(id) == "DELETE_FAILED"; }));
  EXPECT_NE(server.store().Experiment(ExperimentId(id))->reason.text.find("could not be deleted"),
            std::string::npos);
  EXPECT_EQ(ErrorReason(Continue(id).status()), "EXPERIMENT_DELETE_FAILED");
  set_storage(StrCat(R"({"type": "shared_fs", "host_path": )", QuoteJson(checkpoints.path()), "}"));
  ASSERT_EQ(Act(&Experiments::DeleteExperiment, id).status(), absl::OkStatus());
  EXPECT_TRUE(Eventually([&] { return StateOf(id) == "EXPERIMENT_DELETED"; }));
}

}  // namespace
}  // namespace det::rpc
