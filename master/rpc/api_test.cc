#include <chrono>
#include <thread>

#include "det/api/v1/checkpoint.grpc.pb.h"
#include "det/api/v1/cluster.grpc.pb.h"
#include "det/api/v1/context.grpc.pb.h"
#include "det/api/v1/experiment.grpc.pb.h"
#include "det/api/v1/log.grpc.pb.h"
#include "det/api/v1/trial.grpc.pb.h"
#include <gtest/gtest.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/net/grpc_status.h"
#include "common/pg/pg.h"
#include "common/testing/eventually.h"
#include "master/testing/commands.h"
#include "master/testing/scenario.h"
#include "master/testing/test_server.h"

// People's services, through the wire.
namespace det::rpc {
namespace {

using namespace api::v1;  // NOLINT(google-build-using-namespace): every message is of it
using test::TestServer;

constexpr char kConfig[] = R"(name: mine
entrypoint: python3 train.py --lr ${hp.lr}
hyperparameters:
  lr: {type: double, minval: 0.1, maxval: 1}
searcher: {name: random, metric: loss, max_trials: 2}
)";
constexpr char kAbcSha[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

class ApiTest : public testing::Test {
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
  absl::Status Create(const std::string& config, CreateExperimentResponse* response) {
    CreateExperimentRequest request;
    request.set_config(config);
    request.set_config_name("exp.yaml");
    return Call(*experiments, &ExperimentService::Stub::CreateExperiment, request, response);
  }
  int64_t MustCreate() {
    CreateExperimentResponse response;
    const absl::Status status = Create(kConfig, &response);
    EXPECT_TRUE(status.ok()) << status;
    return response.experiment().id();
  }
  // How many records of the journal hold the text.
  int64_t JournalsThatHold(const std::string& text) {
    pqxx::connection connection(server.database().conninfo());
    pqxx::work tx(connection);
    return tx
        .exec1(StrCat(
            "SELECT count(*) FROM journal WHERE position('", text, "'::bytea in record) > 0"))[0]
        .as<int64_t>();
  }
  using ControlMethod = grpc::Status (ExperimentService::Stub::*)(grpc::ClientContext*,
                                                                  const ExperimentRequest&,
                                                                  ExperimentResponse*);
  absl::Status Control(ControlMethod method,
                       int64_t id,
                       const std::string& token = test::kAnnToken,
                       std::string* state = nullptr) {
    ExperimentRequest request;
    request.set_id(id);
    ExperimentResponse response;
    const absl::Status status = Call(*experiments, method, request, &response, token);
    if (state != nullptr) *state = response.experiment().state();
    return status;
  }

  TestServer server;
  const std::unique_ptr<ExperimentService::Stub> experiments =
      ExperimentService::NewStub(server.channel());
  const std::unique_ptr<TrialService::Stub> trials = TrialService::NewStub(server.channel());
  const std::unique_ptr<ClusterService::Stub> cluster = ClusterService::NewStub(server.channel());
  const std::unique_ptr<ContextService::Stub> contexts = ContextService::NewStub(server.channel());
  const std::unique_ptr<CheckpointService::Stub> checkpoints =
      CheckpointService::NewStub(server.channel());
  const std::unique_ptr<LogService::Stub> logs = LogService::NewStub(server.channel());
};

TEST_F(ApiTest, AnExperimentExistsWhenItsCreationIsAnswered) {
  CreateExperimentResponse created;
  ASSERT_TRUE(Create(kConfig, &created).ok());
  EXPECT_EQ(created.experiment().owner(), "ann");
  EXPECT_EQ(created.experiment().state(), "ACTIVE");
  EXPECT_NE(created.effective_config().find("\"max_trials\":2"), std::string::npos);
  GetExperimentRequest get;
  get.set_id(created.experiment().id());
  GetExperimentResponse got;
  ASSERT_TRUE(Call(*experiments, &ExperimentService::Stub::GetExperiment, get, &got).ok());
  EXPECT_EQ(got.experiment().name(), "mine");
  ASSERT_EQ(got.history_size(), 1);
  EXPECT_EQ(got.history(0).actor(), "user:ann");
  ListTrialsRequest list;
  list.set_experiment(created.experiment().id());
  ListTrialsResponse listed;
  ASSERT_TRUE(Call(*trials, &TrialService::Stub::ListTrials, list, &listed).ok());
  EXPECT_EQ(listed.total(), 2);
  EXPECT_EQ(listed.trials(0).state(), "QUEUED");
}

TEST_F(ApiTest, SecretsAreKeptApart) {
  const std::string config = std::string(kConfig) +
                             "\nenvironment: {registry_auth: {username: AKIAEXAMPLE, "
                             "password: wJalrXUtn}}\n";
  CreateExperimentResponse created;
  const absl::Status status = Create(config, &created);
  ASSERT_TRUE(status.ok()) << status;
  GetExperimentRequest get;
  get.set_id(created.experiment().id());
  get.set_with_submitted(true);
  GetExperimentResponse got;
  ASSERT_TRUE(Call(*experiments, &ExperimentService::Stub::GetExperiment, get, &got).ok());
  const std::string all = created.DebugString() + got.DebugString();
  EXPECT_EQ(all.find("AKIAEXAMPLE"), std::string::npos);
  EXPECT_EQ(all.find("wJalrXUtn"), std::string::npos);
  EXPECT_EQ(JournalsThatHold("AKIAEXAMPLE"), 0);
  EXPECT_EQ(JournalsThatHold("wJalrXUtn"), 0);
  EXPECT_EQ(JournalsThatHold("********"), 1);
  EXPECT_NE(got.submitted_config().find("\"registry_auth\": \"********\""), std::string::npos)
      << got.submitted_config();
  // The effective configuration can be used again by its owner, and by nobody else.
  EXPECT_TRUE(Create(got.effective_config(), &created).ok());
}

TEST_F(ApiTest, KeysAreExplained) {
  ExplainConfigRequest request;
  request.set_key("resources.devices");
  ExplainConfigResponse response;
  ASSERT_TRUE(Call(*cluster, &ClusterService::Stub::ExplainConfig, request, &response).ok());
  ASSERT_EQ(response.keys_size(), 4);
  EXPECT_EQ(response.keys(0).path(), "resources.devices");
  EXPECT_EQ(response.keys(3).default_value(), "mrw");
  EXPECT_EQ(response.keys(3).effect(), "not yet");
  request.set_key("searcher.max_trial");
  const absl::Status status =
      Call(*cluster, &ClusterService::Stub::ExplainConfig, request, &response);
  EXPECT_EQ(ErrorReason(status), "KEY_NOT_FOUND");
  EXPECT_EQ(ErrorHint(status), "did you mean \"searcher.max_trials\"?");
}

TEST_F(ApiTest, ValidatingOnlyRecordsNothing) {
  CreateExperimentRequest request;
  request.set_config(kConfig);
  request.set_validate_only(true);
  CreateExperimentResponse response;
  ASSERT_TRUE(
      Call(*experiments, &ExperimentService::Stub::CreateExperiment, request, &response).ok());
  EXPECT_FALSE(response.has_experiment());
  ListExperimentsResponse listed;
  ASSERT_TRUE(Call(*experiments,
                   &ExperimentService::Stub::ListExperiments,
                   ListExperimentsRequest(),
                   &listed)
                  .ok());
  EXPECT_EQ(listed.experiments_size(), 0);
}

TEST_F(ApiTest, AConfigurationsErrorsComeWithTheirLineAndACaret) {
  CreateExperimentResponse response;
  const absl::Status status = Create(
      "entrypoint: x --lr ${hp.rl}\n"
      "hyperparameters: {lr: 1}\n"
      "searcher: {name: singel, metric: loss}\n",
      &response);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorReason(status), "INVALID_CONFIG");
  const std::string text(status.message());
  EXPECT_NE(text.find("exp.yaml:1:13: error: entrypoint: names ${hp.rl}, and there is no such "
                      "hyperparameter\n    1 | entrypoint: x --lr ${hp.rl}\n      |             ^"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("hint: did you mean ${hp.lr}?"), std::string::npos) << text;
  EXPECT_NE(text.find("exp.yaml:3:18: error: searcher.name: \"singel\""), std::string::npos)
      << text;
}

TEST_F(ApiTest, WhatIsTooLargeIsRefusedAndTheServerStaysUp) {
  CreateExperimentResponse response;
  EXPECT_EQ(ErrorReason(Create(std::string((4 << 20) + 1, '#'), &response)), "INVALID_CONFIG");
  EXPECT_EQ(Create(std::string(17 << 20, '#'), &response).code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(Create(kConfig, &response).ok());
}

TEST_F(ApiTest, AnUnknownContextOrSourceIsNamed) {
  CreateExperimentRequest request;
  request.set_config(kConfig);
  request.set_context_sha256(kAbcSha);
  CreateExperimentResponse response;
  const auto create = [&] {
    return Call(*experiments, &ExperimentService::Stub::CreateExperiment, request, &response);
  };
  EXPECT_EQ(ErrorReason(create()), "CONTEXT_NOT_FOUND");
  request.clear_context_sha256();
  request.add_overrides("searcher.source_trial_id=77");
  EXPECT_EQ(ErrorReason(create()), "TRIAL_NOT_FOUND");
}

TEST_F(ApiTest, EditorsControlWhatIsInTheirWorkspaceAndAnAdministratorEverything) {
  using Stub = ExperimentService::Stub;
  const int64_t id = MustCreate();
  std::string state;
  EXPECT_TRUE(Control(&Stub::PauseExperiment, id, test::kAnnToken, &state).ok());
  EXPECT_EQ(state, "PAUSED");
  EXPECT_TRUE(Control(&Stub::ActivateExperiment, id, test::kAdminToken, &state).ok());
  EXPECT_EQ(state, "ACTIVE");
  EXPECT_TRUE(Control(&Stub::KillExperiment, id, test::kAdminToken, &state).ok());
  EXPECT_EQ(state, "CANCELED");
  EXPECT_EQ(ErrorReason(Control(&Stub::PauseExperiment, id)), "EXPERIMENT_ENDED");
  EXPECT_EQ(ErrorReason(Control(&Stub::PauseExperiment, 4711)), "EXPERIMENT_NOT_FOUND");
}

TEST_F(ApiTest, ExperimentsAreListedInPages) {
  for (int i = 0; i < 3; ++i) MustCreate();
  ListExperimentsRequest request;
  request.set_limit(2);
  ListExperimentsResponse page;
  ASSERT_TRUE(Call(*experiments, &ExperimentService::Stub::ListExperiments, request, &page).ok());
  ASSERT_EQ(page.experiments_size(), 2);
  EXPECT_EQ(page.next_before_id(), 2);
  request.set_before_id(page.next_before_id());
  ASSERT_TRUE(Call(*experiments, &ExperimentService::Stub::ListExperiments, request, &page).ok());
  EXPECT_EQ(page.experiments_size(), 1);
  EXPECT_EQ(page.next_before_id(), 0);
  request.Clear();
  request.set_only_mine(true);
  ASSERT_TRUE(
      Call(*experiments, &ExperimentService::Stub::ListExperiments, request, &page, test::kBobToken)
          .ok());
  EXPECT_EQ(page.experiments_size(), 0);
}

TEST_F(ApiTest, AWatchTellsOfEachChangeUntilTheEnd) {
  const int64_t id = MustCreate();
  WatchExperimentRequest request;
  request.set_id(id);
  const auto context = TestServer::As(test::kBobToken);
  const auto watch = experiments->WatchExperiment(context.get(), request);
  WatchExperimentResponse seen;
  ASSERT_TRUE(watch->Read(&seen));
  EXPECT_EQ(seen.experiment().state(), "ACTIVE");
  EXPECT_EQ(seen.trials_waiting(), 2);
  server.engine().Must(test::Connect(AgentId("a"), 2));
  ASSERT_TRUE(watch->Read(&seen));
  EXPECT_EQ(seen.running_size(), 2);
  test::PlayToEnd(server.engine());
  while (watch->Read(&seen)) continue;
  EXPECT_TRUE(watch->Finish().ok());
  EXPECT_EQ(seen.experiment().state(), "COMPLETED");
  EXPECT_EQ(seen.experiment().progress(), 1.0);
}

TEST_F(ApiTest, ATrialIsToldWithItsHistoryCheckpointsAndRank) {
  const int64_t id = MustCreate();
  server.engine().Must(test::Connect(AgentId("a"), 2));
  test::PlayToEnd(server.engine());
  ListTrialsRequest list;
  list.set_experiment(id);
  list.set_order(ListTrialsRequest::ORDER_BY_BEST);
  list.set_limit(1);
  ListTrialsResponse listed;
  ASSERT_TRUE(Call(*trials, &TrialService::Stub::ListTrials, list, &listed).ok());
  ASSERT_EQ(listed.trials_size(), 1);
  EXPECT_EQ(listed.trials(0).id(), 2);
  GetTrialRequest get;
  get.set_id(2);
  GetTrialResponse got;
  ASSERT_TRUE(Call(*trials, &TrialService::Stub::GetTrial, get, &got).ok());
  EXPECT_EQ(got.trial().state(), "COMPLETED");
  EXPECT_GT(got.history_size(), 3);
  ListCheckpointsRequest of_experiment;
  of_experiment.set_experiment(id);
  ListCheckpointsResponse found;
  ASSERT_TRUE(
      Call(*checkpoints, &CheckpointService::Stub::ListCheckpoints, of_experiment, &found).ok());
  ASSERT_EQ(found.checkpoints_size(), 2);
  GetCheckpointRequest one;
  one.set_uuid(got.trial().latest_checkpoint());
  GetCheckpointResponse checkpoint;
  ASSERT_TRUE(Call(*checkpoints, &CheckpointService::Stub::GetCheckpoint, one, &checkpoint).ok());
  EXPECT_EQ(checkpoint.checkpoint().trial(), 2);
  get.set_id(99);
  EXPECT_EQ(ErrorReason(Call(*trials, &TrialService::Stub::GetTrial, get, &got)),
            "TRIAL_NOT_FOUND");
}

TEST_F(ApiTest, CheckpointsAreDeletedByTheirOwnersAfterALook) {
  const int64_t id = MustCreate();
  // Everybody looks from now on; what ann has made stays hers.
  const core::Principal admin = *server.catalog().directory().Find("admin");
  ASSERT_TRUE(server.catalog()
                  .SetRole(admin, "Uncategorized", catalog::kEverybody, core::Access::kViewer)
                  .ok());
  server.engine().Must(test::Connect(AgentId("a"), 2));
  test::PlayToEnd(server.engine());
  GetTrialRequest of_trial;
  of_trial.set_id(2);
  GetTrialResponse trial;
  ASSERT_TRUE(Call(*trials, &TrialService::Stub::GetTrial, of_trial, &trial).ok());
  DeleteCheckpointsRequest request;
  request.add_uuids(trial.trial().latest_checkpoint());
  request.set_validate_only(true);
  DeleteCheckpointsResponse response;
  const auto remove = &CheckpointService::Stub::DeleteCheckpoints;
  ASSERT_TRUE(Call(*checkpoints, remove, request, &response).ok());
  EXPECT_EQ(response.deletions_size(), 0);
  request.set_validate_only(false);
  EXPECT_EQ(ErrorReason(Call(*checkpoints, remove, request, &response, test::kBobToken)),
            "FORBIDDEN");
  response.Clear();
  ASSERT_TRUE(Call(*checkpoints, remove, request, &response).ok());
  ASSERT_EQ(response.deletions_size(), 1);
  EXPECT_EQ(response.deletions(0).state(), "PENDING");
  EXPECT_EQ(response.deletions(0).actor(), "user:ann");
  ListDeletionsRequest list;
  list.set_experiment(id);
  ListDeletionsResponse listed;
  ASSERT_TRUE(Call(*checkpoints, &CheckpointService::Stub::ListDeletions, list, &listed).ok());
  EXPECT_EQ(listed.deletions_size(), 1);
  SetRetentionRequest retention;
  retention.set_experiment(id);
  retention.set_save_trial_latest(0);
  retention.set_save_trial_best(0);
  retention.set_validate_only(true);
  SetRetentionResponse kept;
  const auto set = &CheckpointService::Stub::SetRetention;
  ASSERT_TRUE(Call(*checkpoints, set, retention, &kept).ok());
  EXPECT_EQ(kept.going_count(), 1);  // the other trial's
  EXPECT_EQ(kept.policy().save_trial_best(), 0);
  retention.set_save_trial_latest(-1);
  EXPECT_EQ(ErrorReason(Call(*checkpoints, set, retention, &kept)), "INVALID_REQUEST");
  EXPECT_EQ(ErrorReason(Call(*checkpoints, set, retention, &kept, test::kBobToken)), "FORBIDDEN");
  PatchCheckpointMetadataRequest patch;
  patch.set_uuid(request.uuids(0));
  patch.set_patch_json(R"({"note":"mine"})");
  PatchCheckpointMetadataResponse patched;
  const auto call = &CheckpointService::Stub::PatchCheckpointMetadata;
  ASSERT_TRUE(Call(*checkpoints, call, patch, &patched).ok());
  EXPECT_NE(patched.checkpoint().metadata_json().find("mine"), std::string::npos);
}

TEST_F(ApiTest, TheClusterItsAgentsAndItsQueueAreShown) {
  MustCreate();
  server.engine().Must(test::Connect(AgentId("a"), 1));
  GetClusterResponse about;
  ASSERT_TRUE(Call(*cluster, &ClusterService::Stub::GetCluster, GetClusterRequest(), &about).ok());
  EXPECT_EQ(about.cluster_id(), test::kClusterId);
  EXPECT_EQ(about.user(), "ann");
  EXPECT_EQ(about.agents(), 1);
  EXPECT_EQ(about.slots(), 1);
  EXPECT_EQ(about.slots_free(), 0);
  ListAgentsResponse agents;
  ASSERT_TRUE(Call(*cluster, &ClusterService::Stub::ListAgents, ListAgentsRequest(), &agents).ok());
  ASSERT_EQ(agents.agents_size(), 1);
  EXPECT_EQ(agents.agents(0).slots(0).trial(), 1);
  ListJobsResponse jobs;
  ASSERT_TRUE(Call(*cluster, &ClusterService::Stub::ListJobs, ListJobsRequest(), &jobs).ok());
  ASSERT_EQ(jobs.jobs_size(), 1);
  EXPECT_EQ(jobs.jobs(0).slots_held(), 1);
  EXPECT_EQ(jobs.jobs(0).slots_waiting(), 1);
}

TEST_F(ApiTest, OnlyAnAdministratorTakesAnAgentOutAndEveryoneSeesWhy) {
  using Stub = ClusterService::Stub;
  MustCreate();
  server.engine().Must(test::Connect(AgentId("a"), 1));
  DisableAgentRequest disable;
  disable.set_id("a");
  disable.set_note("new disks");
  DisableAgentResponse disabled;
  EXPECT_EQ(ErrorReason(Call(*cluster, &Stub::DisableAgent, disable, &disabled)), "FORBIDDEN");
  ASSERT_TRUE(Call(*cluster, &Stub::DisableAgent, disable, &disabled, test::kAdminToken).ok());
  ListAgentsResponse agents;
  ASSERT_TRUE(Call(*cluster, &Stub::ListAgents, ListAgentsRequest(), &agents).ok());
  EXPECT_EQ(agents.agents(0).state(), "DISABLED");
  EXPECT_EQ(agents.agents(0).disabled().reason().text(),
            "agent a is disabled by user:admin: new disks");
  EnableAgentRequest enable;
  enable.set_id("a");
  EnableAgentResponse enabled;
  ASSERT_TRUE(Call(*cluster, &Stub::EnableAgent, enable, &enabled, test::kAdminToken).ok());
  enable.set_id("b");
  EXPECT_EQ(ErrorReason(Call(*cluster, &Stub::EnableAgent, enable, &enabled, test::kAdminToken)),
            "AGENT_NOT_FOUND");
}

TEST_F(ApiTest, AgentsAndJobsComeInPagesInTheirOrder) {
  for (int i = 0; i < 5; ++i) MustCreate();
  for (const char* agent : {"c", "a", "b"}) server.engine().Must(test::Connect(AgentId(agent), 1));
  ListAgentsRequest agents;
  agents.set_limit(2);
  ListAgentsResponse found;
  ASSERT_TRUE(Call(*cluster, &ClusterService::Stub::ListAgents, agents, &found).ok());
  ASSERT_EQ(found.agents_size(), 2);
  EXPECT_EQ(found.agents(1).id(), "b");
  agents.set_after_id(found.next_after_id());
  found.Clear();
  ASSERT_TRUE(Call(*cluster, &ClusterService::Stub::ListAgents, agents, &found).ok());
  ASSERT_EQ(found.agents_size(), 1);
  EXPECT_EQ(found.agents(0).id(), "c");
  EXPECT_EQ(found.next_after_id(), "");
  ListJobsRequest jobs;
  jobs.set_limit(2);
  std::vector<int64_t> order;
  int64_t held = 0, waiting = 0;
  for (bool more = true; more;) {
    ListJobsResponse page;
    ASSERT_TRUE(Call(*cluster, &ClusterService::Stub::ListJobs, jobs, &page).ok());
    EXPECT_LE(page.jobs_size(), 2);
    for (const Job& job : page.jobs()) {
      order.push_back(job.experiment());
      held += job.slots_held();
      waiting += job.slots_waiting();
    }
    more = page.has_next_after();
    *jobs.mutable_after() = page.next_after();
  }
  EXPECT_EQ(order, (std::vector<int64_t>{1, 2, 3, 4, 5}));
  EXPECT_EQ(held, 3);
  EXPECT_EQ(waiting, 7);
}

TEST_F(ApiTest, ExplainSaysWhySomethingWaitsAndHowItEnded) {
  const int64_t id = MustCreate();
  ExplainRequest request;
  request.set_kind("trial");
  request.set_id(1);
  ExplainResponse why;
  const auto explain = [&] {
    why.Clear();
    return Call(*cluster, &ClusterService::Stub::Explain, request, &why);
  };
  ASSERT_TRUE(explain().ok());
  EXPECT_EQ(why.subject(), "trial 1");
  EXPECT_EQ(why.state(), "QUEUED");
  EXPECT_GT(why.details_size(), 0);
  ASSERT_TRUE(Control(&ExperimentService::Stub::KillExperiment, id).ok());
  ASSERT_TRUE(explain().ok());
  EXPECT_EQ(why.state(), "CANCELED");
  EXPECT_NE(why.reason().code(), "");
  request.set_kind("allocation");
  EXPECT_EQ(ErrorReason(explain()), "ALLOCATION_NOT_FOUND");
  request.set_kind("planet");
  EXPECT_EQ(ErrorReason(explain()), "INVALID_KIND");
}

TEST_F(ApiTest, APreviewTellsThePlanAndRecordsNothing) {
  PreviewSearchRequest request;
  request.set_config(kConfig);
  PreviewSearchResponse preview;
  ASSERT_TRUE(Call(*cluster, &ClusterService::Stub::PreviewSearch, request, &preview).ok());
  EXPECT_EQ(preview.searcher(), "random");
  ASSERT_EQ(preview.planned_size(), 1);
  EXPECT_EQ(preview.planned(0).trials(), 2);
  EXPECT_EQ(preview.samples_json_size(), 2);
  request.add_overrides("searcher.max_trials=0");
  EXPECT_EQ(ErrorReason(Call(*cluster, &ClusterService::Stub::PreviewSearch, request, &preview)),
            "INVALID_CONFIG");
  EXPECT_EQ(server.database().Count("SELECT count(*) FROM experiments"), 0);
}

TEST_F(ApiTest, APlanSaysWhetherItCouldRunAndRecordsNothing) {
  PlanExperimentRequest request;
  request.set_config(kConfig);
  request.set_units_per_second(1);
  PlanExperimentResponse plan;
  const auto ask = [&] {
    plan.Clear();
    return Call(*cluster, &ClusterService::Stub::PlanExperiment, request, &plan);
  };
  ASSERT_TRUE(ask().ok());
  EXPECT_EQ(plan.searcher(), "random");
  EXPECT_EQ(plan.trials(), 2);
  EXPECT_EQ(plan.starts_size(), 0);
  EXPECT_TRUE(plan.impossible());
  EXPECT_NE(plan.waits().find("no connected agent"), std::string::npos);
  request.add_overrides("resources.resource_pool=nowhere");
  EXPECT_EQ(ErrorReason(ask()), "POOL_NOT_FOUND");
  request.set_overrides(0, "searcher.max_trials=0");
  EXPECT_EQ(ErrorReason(ask()), "INVALID_CONFIG");
  request.set_units_per_second(-1);
  EXPECT_EQ(ErrorReason(ask()), "INVALID_SPEED");
  EXPECT_EQ(server.database().Count("SELECT count(*) FROM experiments"), 0);
}

TEST_F(ApiTest, AModelDirectoryIsUploadedOnce) {
  const auto has = [&] {
    HasContextRequest request;
    request.set_sha256(kAbcSha);
    HasContextResponse response;
    EXPECT_TRUE(Call(*contexts, &ContextService::Stub::HasContext, request, &response).ok());
    return response.present();
  };
  const auto upload = [&](const std::string& data) {
    const auto context = TestServer::As(test::kAnnToken);
    UploadContextResponse response;
    const auto writer = contexts->UploadContext(context.get(), &response);
    UploadContextRequest request;
    request.set_sha256(kAbcSha);
    request.set_data(data);
    writer->Write(request);
    writer->WritesDone();
    return net::FromGrpc(writer->Finish());
  };
  EXPECT_FALSE(has());
  EXPECT_EQ(ErrorReason(upload("abd")), "WRONG_SHA256");
  EXPECT_FALSE(has());
  EXPECT_TRUE(upload("abc").ok());
  EXPECT_TRUE(has());
}

// No commit gets through for as long as it lives.
class HeldJournal {
 public:
  explicit HeldJournal(const test::TestDatabase& database) : connection_(database.conninfo()) {
    EXPECT_TRUE(connection_
                    .Run([](pqxx::connection& c) {
                      pqxx::nontransaction tx(c);
                      tx.exec("BEGIN");
                      tx.exec("LOCK TABLE journal IN EXCLUSIVE MODE");
                    })
                    .ok());
  }

 private:
  pg::Connection connection_;
};

TEST_F(ApiTest, CallsThatWaitForACommitHoldNoThreadAndAreToldWhenTheirTimeRanOut) {
  const int64_t id = MustCreate();
  // More than the server has threads; live reads wait for the commit too.
  constexpr size_t kCalls = 12;
  std::vector<absl::Status> answers(kCalls);
  {
    const HeldJournal held(server.database());
    std::vector<std::thread> callers;
    for (size_t i = 0; i < kCalls; ++i) {
      callers.emplace_back([&, i] {
        const auto context = TestServer::As(test::kAnnToken);
        context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(3));
        CreateExperimentRequest request;
        request.set_config(kConfig);
        CreateExperimentResponse response;
        answers[i] =
            net::FromGrpc(experiments->CreateExperiment(context.get(), request, &response));
      });
    }
    GetExperimentRequest request;
    request.set_id(id);
    GetExperimentResponse response;
    EXPECT_TRUE(
        Call(*experiments, &ExperimentService::Stub::GetExperiment, request, &response).ok());
    // Of a state that is not durable yet, as soon as the first of them was decided on.
    EXPECT_TRUE(Eventually([&] {
      const auto context = TestServer::As(test::kAnnToken);
      context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(1));
      ListJobsResponse jobs;
      const grpc::Status late = cluster->ListJobs(context.get(), ListJobsRequest(), &jobs);
      return ErrorReason(net::FromGrpc(late)) == "ANSWER_LATE";
    }));
    for (std::thread& caller : callers) caller.join();
    EXPECT_TRUE(
        Call(*experiments, &ExperimentService::Stub::GetExperiment, request, &response).ok());
  }
  for (const absl::Status& answer : answers) {
    EXPECT_EQ(answer.code(), absl::StatusCode::kDeadlineExceeded) << answer;
    EXPECT_EQ(ErrorReason(answer), "ANSWER_LATE") << answer;
  }
  // As they were told, they were carried out.
  EXPECT_EQ(MustCreate(), id + static_cast<int64_t>(kCalls) + 1);
}

TEST_F(ApiTest, AMasterThatStopsAnswersItsCallsInsteadOfWaitingForThem) {
  MustCreate();
  server.engine().engine().Stop();
  CreateExperimentResponse response;
  EXPECT_EQ(ErrorReason(Create(kConfig, &response)), "MASTER_STOPPING");
  GetClusterResponse about;
  EXPECT_FALSE(Call(*cluster, &ClusterService::Stub::GetCluster, GetClusterRequest(), &about).ok());
}

}  // namespace
}  // namespace det::rpc
