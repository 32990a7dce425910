#include <chrono>
#include <filesystem>
#include <set>

#include "det/agent/v1/agent.pb.h"
#include "det/api/v1/catalog.pb.h"
#include "det/api/v1/checkpoint.pb.h"
#include "det/api/v1/cluster.pb.h"
#include "det/api/v1/context.pb.h"
#include "det/api/v1/experiment.pb.h"
#include "det/api/v1/log.pb.h"
#include "det/api/v1/trial.pb.h"
#include <google/protobuf/descriptor.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include "common/base/strings.h"
#include "master/testing/test_server.h"

// Who may call what, of every method there is: they are found in the protos, so that a new one
// can't be forgotten.
namespace det::rpc {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;
using grpc::StatusCode;

// Makes the linker keep every service's descriptors.
void Link() {
  for (const google::protobuf::Descriptor* one : {agent::v1::Hello::descriptor(),
                                                  api::v1::User::descriptor(),
                                                  api::v1::Checkpoint::descriptor(),
                                                  api::v1::Agent::descriptor(),
                                                  api::v1::HasContextRequest::descriptor(),
                                                  api::v1::Experiment::descriptor(),
                                                  api::v1::LogLine::descriptor(),
                                                  api::v1::Trial::descriptor()}) {
    ASSERT_NE(one, nullptr);
  }
}

// "/det.api.v1.TrialService/GetTrial"
std::vector<std::string> Methods(const std::string& package) {
  namespace fs = std::filesystem;
  Link();
  std::vector<std::string> methods;
  const fs::path root = fs::path(DET_SOURCE_DIR) / "proto";
  for (const auto& entry : fs::recursive_directory_iterator(root / "det" / package)) {
    if (entry.path().extension() != ".proto") continue;
    const std::string name = fs::relative(entry.path(), root).string();
    const FileDescriptor* file = DescriptorPool::generated_pool()->FindFileByName(name);
    EXPECT_NE(file, nullptr) << name << " is not linked into this test: name it in Link()";
    for (int s = 0; file != nullptr && s < file->service_count(); ++s) {
      for (int m = 0; m < file->service(s)->method_count(); ++m)
        methods.push_back(
            StrCat("/", file->service(s)->full_name(), "/", file->service(s)->method(m)->name()));
    }
  }
  return methods;
}

class AuthTest : public testing::Test {
 protected:
  // Calls with an empty message, whatever kind of call it is, and gives its status.
  StatusCode Call(const std::string& method, const std::string& authorization) {
    grpc::GenericStub stub(server_->channel());
    grpc::CompletionQueue queue;
    grpc::ClientContext context;
    if (!authorization.empty()) context.AddMetadata("authorization", authorization);
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
    const auto call = stub.PrepareCall(&context, method, &queue);
    const auto wait = [&] {
      void* tag = nullptr;
      bool ok = false;
      queue.Next(&tag, &ok);
      return ok;
    };
    call->StartCall(nullptr);
    wait();
    const grpc::Slice empty;
    call->WriteLast(grpc::ByteBuffer(&empty, 1), grpc::WriteOptions(), nullptr);
    wait();
    // A call that goes on is let go after its first message.
    grpc::ByteBuffer answer;
    call->Read(&answer, nullptr);
    if (wait()) context.TryCancel();
    grpc::Status status;
    call->Finish(&status, nullptr);
    wait();
    return status.error_code();
  }
  static void SetUpTestSuite() { server_ = new test::TestServer(); }
  static void TearDownTestSuite() {
    delete server_;
    server_ = nullptr;
  }
  static test::TestServer* server_;
};
test::TestServer* AuthTest::server_ = nullptr;

TEST_F(AuthTest, NoMethodAnswersWithoutAValidToken) {
  std::vector<std::string> methods = Methods("api/v1");
  for (const std::string& method : Methods("agent/v1")) methods.push_back(method);
  ASSERT_GT(methods.size(), 20U);
  const std::string ann = test::kAnnToken;
  for (const std::string& method : methods) {
    for (const std::string& authorization : {std::string(),
                                             std::string("Bearer "),
                                             std::string("Bearer det_of-some-trial"),
                                             StrCat("Bearer ", ann.substr(0, ann.size() - 1)),
                                             StrCat("Bearer ", ann, "x"),
                                             StrCat("Basic ", ann),
                                             ann,
                                             StrCat("Bearer ", std::string(2000, 'x'))}) {
      EXPECT_EQ(Call(method, authorization), StatusCode::UNAUTHENTICATED)
          << method << " with \"" << authorization << "\"";
    }
  }
}

TEST_F(AuthTest, TheJoinSecretOpensNoneOfPeoplesMethods) {
  for (const std::string& method : Methods("api/v1"))
    EXPECT_EQ(Call(method, StrCat("Bearer ", test::kAgentToken)), StatusCode::PERMISSION_DENIED)
        << method;
}

TEST_F(AuthTest, NobodysTokenOpensTheAgentsMethods) {
  for (const std::string& method : Methods("agent/v1")) {
    for (const char* token : {test::kAdminToken, test::kAnnToken})
      EXPECT_EQ(Call(method, StrCat("Bearer ", token)), StatusCode::PERMISSION_DENIED) << method;
  }
}

TEST_F(AuthTest, EveryMethodOfTheProtosIsServed) {
  for (const std::string& method : Methods("api/v1"))
    EXPECT_NE(Call(method, StrCat("Bearer ", test::kAnnToken)), StatusCode::UNIMPLEMENTED)
        << method;
  EXPECT_EQ(Call("/det.api.v1.TrialService/NoSuchMethod", StrCat("Bearer ", test::kAnnToken)),
            StatusCode::UNIMPLEMENTED);
}

}  // namespace
}  // namespace det::rpc
