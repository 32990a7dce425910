#include <chrono>
#include <fstream>

#include "det/api/v1/catalog.grpc.pb.h"
#include "det/api/v1/checkpoint.grpc.pb.h"
#include "det/api/v1/cluster.grpc.pb.h"
#include "det/api/v1/context.grpc.pb.h"
#include "det/api/v1/experiment.grpc.pb.h"
#include "det/api/v1/log.grpc.pb.h"
#include "det/api/v1/trial.grpc.pb.h"
#include <gmock/gmock.h>
#include <google/protobuf/dynamic_message.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/digest/sha256.h"
#include "common/net/grpc_status.h"
#include "common/testing/eventually.h"
#include "master/testing/test_server.h"

// People and places through the wire, and what roles are worth there.
namespace det::rpc {
namespace {

using namespace api::v1;  // NOLINT(google-build-using-namespace): every message is of it
using test::TestServer;
using testing::HasSubstr;

constexpr char kConfig[] = R"(name: mine
entrypoint: python3 train.py
hyperparameters: {lr: {type: double, minval: 0.1, maxval: 1}}
searcher: {name: random, metric: loss, max_trials: 2}
)";

class CatalogApiTest : public testing::Test {
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
  absl::Status Create(const CreateExperimentRequest& request,
                      int64_t* id,
                      const std::string& token = test::kAnnToken) {
    CreateExperimentResponse response;
    const absl::Status status =
        Call(*experiments, &ExperimentService::Stub::CreateExperiment, request, &response, token);
    if (id != nullptr) *id = response.experiment().id();
    return status;
  }
  // Ann's workspace "Vision" with the project "Digits".
  void MakeVision() {
    WorkspaceRequest workspace;
    workspace.set_name("Vision");
    WorkspaceResponse made;
    ASSERT_TRUE(Call(*catalog, &CatalogService::Stub::CreateWorkspace, workspace, &made).ok());
    CreateProjectRequest project;
    project.set_workspace("Vision");
    project.set_project("Digits");
    ProjectResponse response;
    ASSERT_TRUE(Call(*catalog, &CatalogService::Stub::CreateProject, project, &response).ok());
  }
  static CreateExperimentRequest InDigits() {
    CreateExperimentRequest request;
    request.set_config(kConfig);
    request.set_workspace("vision");
    request.set_project("digits");
    return request;
  }
  absl::Status Give(const std::string& user, const std::string& role) {
    SetRoleRequest request;
    request.set_workspace("Vision");
    request.set_user(user);
    request.set_role(role);
    SetRoleResponse response;
    return Call(*catalog, &CatalogService::Stub::SetRole, request, &response);
  }
  EditExperimentsResponse Edit(const EditExperimentsRequest& request,
                               const std::string& token = test::kAnnToken) {
    EditExperimentsResponse response;
    const absl::Status status =
        Call(*experiments, &ExperimentService::Stub::EditExperiments, request, &response, token);
    EXPECT_TRUE(status.ok()) << status;
    return response;
  }
  std::vector<int64_t> List(const ListExperimentsRequest& request,
                            const std::string& token = test::kAnnToken) {
    ListExperimentsResponse response;
    const absl::Status status =
        Call(*experiments, &ExperimentService::Stub::ListExperiments, request, &response, token);
    EXPECT_TRUE(status.ok()) << status;
    std::vector<int64_t> ids;
    for (const Experiment& e : response.experiments()) ids.push_back(e.id());
    return ids;
  }
  // A unary or streaming call by its name; gives the status once it ended or sent something.
  grpc::Status Raw(const std::string& method,
                   const google::protobuf::Message& request,
                   const std::string& token) {
    grpc::GenericStub stub(server.channel());
    grpc::CompletionQueue queue;
    const auto context = TestServer::As(token);
    const auto call = stub.PrepareCall(context.get(), method, &queue);
    const auto wait = [&] {
      void* tag = nullptr;
      bool ok = false;
      queue.Next(&tag, &ok);
      return ok;
    };
    call->StartCall(nullptr);
    wait();
    const grpc::Slice slice(request.SerializeAsString());
    call->WriteLast(grpc::ByteBuffer(&slice, 1), grpc::WriteOptions(), nullptr);
    wait();
    grpc::ByteBuffer answer;
    call->Read(&answer, nullptr);
    const bool answered = wait();
    if (answered) context->TryCancel();
    grpc::Status status;
    call->Finish(&status, nullptr);
    wait();
    return answered && status.error_code() == grpc::StatusCode::CANCELLED ? grpc::Status::OK
                                                                          : status;
  }

  TestServer server;
  const std::unique_ptr<CatalogService::Stub> catalog = CatalogService::NewStub(server.channel());
  const std::unique_ptr<ExperimentService::Stub> experiments =
      ExperimentService::NewStub(server.channel());
  const std::unique_ptr<ContextService::Stub> contexts = ContextService::NewStub(server.channel());
};

TEST_F(CatalogApiTest, AnExperimentGoesWhereItIsPut) {
  MakeVision();
  int64_t id = 0;
  CreateExperimentRequest request = InDigits();
  request.mutable_code()->set_git_commit(std::string(40, 'a'));
  request.mutable_code()->set_git_branch("main");
  ASSERT_TRUE(Create(request, &id).ok());
  GetExperimentRequest get;
  get.set_id(id);
  GetExperimentResponse got;
  ASSERT_TRUE(Call(*experiments, &ExperimentService::Stub::GetExperiment, get, &got).ok());
  EXPECT_EQ(got.experiment().workspace(), "Vision");
  EXPECT_EQ(got.experiment().project(), "Digits");
  EXPECT_EQ(got.experiment().code().git_branch(), "main");
  request.set_project("digit");
  const absl::Status lost = Create(request, nullptr);
  EXPECT_EQ(ErrorReason(lost), "PROJECT_NOT_FOUND");
  EXPECT_EQ(ErrorHint(lost), "did you mean \"Digits\"?");
  request.clear_project();
  EXPECT_EQ(ErrorReason(Create(request, nullptr)), "BOTH_OR_NEITHER");
  EXPECT_EQ(ErrorReason(Create(InDigits(), nullptr, test::kBobToken)), "WORKSPACE_NOT_FOUND");
}

// Every method of the API whose request names an experiment, a trial or an allocation: who has no
// role there is told nothing. Methods are found in the protos, so that a new one can't be
// forgotten.
TEST_F(CatalogApiTest, NoMethodTellsAStrangerAnything) {
  MakeVision();
  int64_t id = 0;
  ASSERT_TRUE(Create(InDigits(), &id).ok());
  const auto* pool = google::protobuf::DescriptorPool::generated_pool();
  google::protobuf::DynamicMessageFactory factory;
  int checked = 0;
  for (const char* file : {"experiment", "trial", "log", "checkpoint", "cluster", "context"}) {
    const auto* proto = pool->FindFileByName(StrCat("det/api/v1/", file, ".proto"));
    ASSERT_NE(proto, nullptr) << file;
    for (int m = 0; m < proto->service(0)->method_count(); ++m) {
      const auto* method = proto->service(0)->method(m);
      const std::unique_ptr<google::protobuf::Message> request(
          factory.GetPrototype(method->input_type())->New());
      bool names = false;
      for (const char* field : {"id", "experiment", "trial"}) {
        const auto* found = method->input_type()->FindFieldByName(field);
        if (found == nullptr ||
            found->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_INT64)
          continue;
        // The first experiment and the first trial have the same number.
        request->GetReflection()->SetInt64(request.get(), found, id);
        names = true;
        break;
      }
      if (!names) continue;
      if (const auto* kind = method->input_type()->FindFieldByName("kind"))
        request->GetReflection()->SetString(request.get(), kind, "experiment");
      ++checked;
      const std::string path = StrCat("/", proto->service(0)->full_name(), "/", method->name());
      // Nor that it is there.
      EXPECT_EQ(Raw(path, *request, test::kBobToken).error_code(), grpc::StatusCode::NOT_FOUND)
          << path;
      EXPECT_NE(Raw(path, *request, test::kAnnToken).error_code(), grpc::StatusCode::NOT_FOUND)
          << path;
    }
  }
  EXPECT_GE(checked, 12);
}

TEST_F(CatalogApiTest, RolesSayWhatIsListedAndControlled) {
  MakeVision();
  int64_t id = 0;
  ASSERT_TRUE(Create(InDigits(), &id).ok());
  EXPECT_TRUE(List({}, test::kBobToken).empty());
  ClusterService::Stub cluster(server.channel());
  ListJobsResponse jobs;
  ASSERT_TRUE(
      Call(cluster, &ClusterService::Stub::ListJobs, ListJobsRequest(), &jobs, test::kBobToken)
          .ok());
  EXPECT_EQ(jobs.jobs_size(), 0);
  ASSERT_TRUE(Give("bob", "viewer").ok());
  EXPECT_EQ(List({}, test::kBobToken), std::vector<int64_t>{id});
  ExperimentRequest request;
  request.set_id(id);
  ExperimentResponse response;
  const auto pause = [&] {
    return Call(*experiments,
                &ExperimentService::Stub::PauseExperiment,
                request,
                &response,
                test::kBobToken);
  };
  EXPECT_EQ(ErrorReason(pause()), "FORBIDDEN");
  ASSERT_TRUE(Give("bob", "editor").ok());
  EXPECT_TRUE(pause().ok());
  ASSERT_TRUE(Give("bob", "none").ok());
  EXPECT_EQ(ErrorReason(pause()), "EXPERIMENT_NOT_FOUND");
}

// What is hidden tells nothing by what is said of other things.
TEST_F(CatalogApiTest, HiddenJobsAndPlacesServeNobodyAsAnAnswer) {
  MakeVision();
  int64_t hidden = 0, own = 0;
  ASSERT_TRUE(Create(InDigits(), &hidden).ok());
  CreateExperimentRequest request = InDigits();
  request.clear_workspace();
  request.clear_project();
  ASSERT_TRUE(Create(request, &own, test::kBobToken).ok());
  ConfigureExperimentRequest move;
  move.set_id(own);
  ExperimentResponse response;
  const auto beside = [&](int64_t id) {
    move.set_ahead_of(id);
    return Call(*experiments,
                &ExperimentService::Stub::ConfigureExperiment,
                move,
                &response,
                test::kBobToken);
  };
  EXPECT_EQ(ErrorReason(beside(hidden)), "OTHER_NOT_LIVE");
  EXPECT_EQ(ErrorReason(beside(hidden)), ErrorReason(beside(99999)));
  ClusterService::Stub cluster(server.channel());
  PlanExperimentRequest plan;
  plan.set_config(request.config());
  plan.add_overrides("workspace=Vision");
  plan.add_overrides("project=Digits");
  PlanExperimentResponse planned;
  const auto call = [&](const std::string& token) {
    return Call(cluster, &ClusterService::Stub::PlanExperiment, plan, &planned, token);
  };
  EXPECT_EQ(ErrorReason(call(test::kBobToken)), "WORKSPACE_NOT_FOUND");
  EXPECT_TRUE(call(test::kAnnToken).ok());
}

TEST_F(CatalogApiTest, AStreamEndsWithTheRoleThatAllowedIt) {
  MakeVision();
  int64_t id = 0;
  ASSERT_TRUE(Create(InDigits(), &id).ok());
  ASSERT_TRUE(Give("bob", "viewer").ok());
  const auto context = TestServer::As(test::kBobToken);
  WatchExperimentRequest request;
  request.set_id(id);
  const auto reader = experiments->WatchExperiment(context.get(), request);
  WatchExperimentResponse response;
  ASSERT_TRUE(reader->Read(&response));
  ASSERT_TRUE(Give("bob", "none").ok());
  while (reader->Read(&response)) continue;
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::PERMISSION_DENIED);
}

TEST_F(CatalogApiTest, EditsAnswerForEachExperiment) {
  MakeVision();
  int64_t first = 0, second = 0;
  ASSERT_TRUE(Create(InDigits(), &first).ok());
  ASSERT_TRUE(Create(InDigits(), &second).ok());
  ExperimentRequest kill;
  kill.set_id(second);
  ExperimentResponse killed;
  ASSERT_TRUE(Call(*experiments, &ExperimentService::Stub::KillExperiment, kill, &killed).ok());
  EditExperimentsRequest request;
  request.add_ids(first);
  request.add_ids(second);
  request.add_ids(77);
  request.set_archived(true);
  const EditExperimentsResponse edited = Edit(request);
  ASSERT_EQ(edited.results_size(), 3);
  EXPECT_EQ(edited.results(0).reason(), "EXPERIMENT_LIVE");
  EXPECT_EQ(edited.results(1).code(), 0);
  EXPECT_TRUE(edited.results(1).experiment().archived());
  EXPECT_EQ(edited.results(2).reason(), "EXPERIMENT_NOT_FOUND");
  EXPECT_EQ(Edit(request, test::kBobToken).results(1).reason(), "EXPERIMENT_NOT_FOUND");
  EXPECT_EQ(List({}), std::vector<int64_t>{first});
  ListExperimentsRequest all;
  all.set_archived(true);
  all.set_workspace("Vision");
  all.set_project("Digits");
  EXPECT_EQ(List(all), (std::vector<int64_t>{second, first}));
  EditExperimentsRequest label;
  label.add_ids(first);
  label.mutable_labels()->add_add("best");
  EXPECT_EQ(Edit(label).results(0).experiment().labels(0), "best");
  ListExperimentsRequest labelled;
  labelled.add_labels("best");
  EXPECT_EQ(List(labelled), std::vector<int64_t>{first});
  labelled.add_labels("none");
  EXPECT_TRUE(List(labelled).empty());
}

// The journal writes a row again with each change of the experiment: it leaves alone what people
// have edited.
TEST_F(CatalogApiTest, WhatPeopleEditedStaysWhenTheExperimentGoesOn) {
  int64_t id = 0;
  CreateExperimentRequest create;
  create.set_config(kConfig);
  ASSERT_TRUE(Create(create, &id).ok());
  EditExperimentsRequest request;
  request.add_ids(id);
  request.set_name("renamed");
  Edit(request);
  request.set_description("described");
  Edit(request);
  ExperimentRequest pause;
  pause.set_id(id);
  ExperimentResponse response;
  ASSERT_TRUE(Call(*experiments, &ExperimentService::Stub::PauseExperiment, pause, &response).ok());
  EXPECT_EQ(response.experiment().state(), "PAUSED");
  EXPECT_EQ(response.experiment().name(), "renamed");
  EXPECT_EQ(response.experiment().description(), "described");
}

TEST_F(CatalogApiTest, ATokenLetsItsUserInUntilItIsRevoked) {
  CreateTokenRequest create;
  create.set_name("ci");
  CreateTokenResponse made;
  ASSERT_TRUE(Call(*catalog, &CatalogService::Stub::CreateToken, create, &made).ok());
  ClusterService::Stub cluster(server.channel());
  GetClusterResponse who;
  const auto ask = [&] {
    return Call(
        cluster, &ClusterService::Stub::GetCluster, GetClusterRequest(), &who, made.secret());
  };
  ASSERT_TRUE(ask().ok());
  EXPECT_EQ(who.user(), "ann");
  RevokeTokenRequest revoke;
  revoke.set_id(made.token().id());
  RevokeTokenResponse revoked;
  ASSERT_TRUE(Call(*catalog, &CatalogService::Stub::RevokeToken, revoke, &revoked).ok());
  EXPECT_EQ(ask().code(), absl::StatusCode::kUnauthenticated);
}

TEST_F(CatalogApiTest, ATemplateIsCheckedWhenItIsStored) {
  SetTemplateRequest request;
  request.set_name("gpu");
  request.set_config_name("gpu.yaml");
  TemplateResponse response;
  const auto set = [&](const std::string& config) {
    request.set_config(config);
    return Call(*catalog, &CatalogService::Stub::SetTemplate, request, &response);
  };
  EXPECT_TRUE(set("resources: {slots_per_trial: 2}\n").ok());
  const absl::Status bad = set("a: [1\n");
  EXPECT_EQ(ErrorReason(bad), "INVALID_YAML");
  EXPECT_THAT(std::string(bad.message()), HasSubstr("gpu.yaml:"));
  EXPECT_EQ(ErrorReason(set("[1]")), "INVALID_TEMPLATE");
  EXPECT_EQ(ErrorReason(set("template: GPU")), "INVALID_TEMPLATE");
  EXPECT_TRUE(set("template: other").ok());
}

int64_t ResidentKib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::strtoll(line.c_str() + 6, nullptr, 10);
  return 0;
}

// 300 MiB there and back, through one process that is client and master: no more than some messages
// of it are ever in memory.
TEST_F(CatalogApiTest, ALargeModelDirectoryStreamsThroughLittleMemory) {
  constexpr int kMessages = 300;
  const auto piece = [](int number) {
    std::string text(1 << 20, static_cast<char>('a' + number % 26));
    text.replace(0, 8, StrCat(10'000'000 + number));
    return text;
  };
  Sha256 hash;
  for (int i = 0; i < kMessages; ++i) hash.Update(piece(i));
  const std::string sha256 = hash.Finish();
  const int64_t before = ResidentKib();
  int64_t most = before;
  grpc::ClientContext context;
  context.AddMetadata("authorization", StrCat("Bearer ", test::kAnnToken));
  UploadContextResponse uploaded;
  const auto writer = contexts->UploadContext(&context, &uploaded);
  UploadContextRequest request;
  for (int i = 0; i < kMessages; ++i) {
    request.set_sha256(i == 0 ? sha256 : "");
    request.set_data(piece(i));
    ASSERT_TRUE(writer->Write(request)) << i;
    most = std::max(most, ResidentKib());
  }
  writer->WritesDone();
  ASSERT_TRUE(writer->Finish().ok());
  EXPECT_EQ(uploaded.bytes(), int64_t{kMessages} << 20);
  CreateExperimentRequest create;
  create.set_config(kConfig);
  create.set_context_sha256(sha256);
  int64_t id = 0;
  ASSERT_TRUE(Create(create, &id).ok());
  grpc::ClientContext back;
  back.AddMetadata("authorization", StrCat("Bearer ", test::kAnnToken));
  DownloadContextRequest download;
  download.set_experiment(id);
  const auto reader = contexts->DownloadContext(&back, download);
  DownloadContextResponse response;
  Sha256 again;
  int64_t bytes = 0;
  while (reader->Read(&response)) {
    if (bytes == 0) {
      EXPECT_EQ(response.bytes(), int64_t{kMessages} << 20);
    }
    again.Update(response.data());
    bytes += static_cast<int64_t>(response.data().size());
    most = std::max(most, ResidentKib());
  }
  const grpc::Status end = reader->Finish();
  ASSERT_TRUE(end.ok()) << end.error_message();
  EXPECT_EQ(bytes, int64_t{kMessages} << 20);
  EXPECT_EQ(again.Finish(), sha256);
  EXPECT_LT(most - before, 64 << 10) << "KiB";
}

TEST_F(CatalogApiTest, ContextsThatNobodyUsesGoAfterTheirTime) {
  store::ContextStore store(server.database().conninfo(), server.engine().engine().epoch());
  const auto put = [&](const std::string& text) {
    Sha256 hash;
    hash.Update(text);
    const std::string name = hash.Finish();
    auto upload = *store.Begin(name);
    EXPECT_TRUE(upload->Append(text).ok());
    EXPECT_TRUE(upload->Finish().ok());
    return name;
  };
  const std::string used = put("used");
  const std::string unused = put("unused");
  CreateExperimentRequest create;
  create.set_config(kConfig);
  create.set_context_sha256(used);
  ASSERT_TRUE(Create(create, nullptr).ok());
  EXPECT_EQ(*store.RemoveUnused(), 0);
  server.database().Exec("UPDATE contexts SET used_at = now() - interval '2 days'");
  EXPECT_EQ(*store.RemoveUnused(), 1);
  EXPECT_TRUE(*store.Has(used));
  EXPECT_FALSE(*store.Has(unused));
  EXPECT_EQ(server.database().Count("SELECT count(*) FROM context_chunks"), 1);
  // Who asks for one that is old is about to use it.
  const std::string again = put("unused");
  server.database().Exec("UPDATE contexts SET used_at = now() - interval '2 days'");
  EXPECT_TRUE(*store.Has(again));
  EXPECT_EQ(*store.RemoveUnused(), 0);
}

TEST_F(CatalogApiTest, OnlyBrokenUploadsAreRemoved) {
  store::ContextStore store(server.database().conninfo(), server.engine().engine().epoch());
  Sha256 hash;
  const std::string text(2 * store::kContextChunkBytes, 'x');
  hash.Update(text);
  auto upload = *store.Begin(hash.Finish());
  ASSERT_TRUE(upload->Append(text).ok());
  server.database().Exec(
      "INSERT INTO context_chunks (sha256, number, data) VALUES ('upload:broken', 0, 'x')");
  ASSERT_TRUE(store.RemoveBrokenUploads().ok());
  EXPECT_EQ(server.database().Count("SELECT count(*) FROM context_chunks"), 2);
  EXPECT_TRUE(upload->Finish().ok());
}

TEST(UploadTest, OneThatStopsHalfwayIsEndedAndLeavesNothing) {
  TestServer server(absl::Milliseconds(200));
  const auto contexts = ContextService::NewStub(server.channel());
  const auto context = TestServer::As(test::kAnnToken);
  UploadContextResponse response;
  const auto writer = contexts->UploadContext(context.get(), &response);
  UploadContextRequest request;
  request.set_sha256(std::string(64, 'a'));
  request.set_data(std::string(1 << 20, 'x'));
  ASSERT_TRUE(writer->Write(request));
  // Nothing more comes.
  EXPECT_EQ(writer->Finish().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(Eventually(
      [&] { return server.database().Count("SELECT count(*) FROM context_chunks") == 0; }));
}

}  // namespace
}  // namespace det::rpc
