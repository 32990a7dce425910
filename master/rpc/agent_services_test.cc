#include <thread>

#include "det/agent/v1/agent.grpc.pb.h"
#include "det/api/v1/log.grpc.pb.h"
#include "det/api/v1/trial.grpc.pb.h"
#include <gtest/gtest.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/net/grpc_status.h"
#include "common/pg/pg.h"
#include "common/testing/eventually.h"
#include "common/testing/tmp_dir.h"
#include "master/config/secret_store.h"
#include "master/ingest/limits.h"
#include "master/rpc/convert_agent.h"
#include "master/testing/commands.h"
#include "master/testing/test_server.h"

// Agents' services, through the wire.
namespace det::rpc {
namespace {

namespace pb = agent::v1;
using test::TestServer;

// The agent's end of a control connection.
class Control {
 public:
  explicit Control(TestServer& server)
      : context_(TestServer::As(test::kAgentToken)),
        stub_(pb::AgentControl::NewStub(server.channel())),
        stream_(stub_->Connect(context_.get())) {}

  void Send(const pb::AgentMessage& message) { stream_->Write(message); }
  void Hello(const std::string& id, const std::string& cluster = "", int slots = 1) {
    pb::AgentMessage message;
    pb::Hello& hello = *message.mutable_hello();
    hello.set_agent_id(id);
    hello.set_instance(id);
    hello.set_pool("default");
    hello.set_cluster_id(cluster);
    for (int i = 0; i < slots; ++i) hello.add_slots()->set_index(i);
    Send(message);
  }
  void Status(int64_t allocation, pb::AllocationState state) {
    pb::AgentMessage message;
    message.mutable_status()->set_allocation(allocation);
    message.mutable_status()->set_state(state);
    if (state == pb::ALLOCATION_STATE_TERMINATED)
      message.mutable_status()->mutable_exit()->set_kind(pb::Exit::KIND_EXITED);
    Send(message);
  }
  void Heartbeat(int64_t generation) {
    pb::AgentMessage message;
    message.mutable_heartbeat()->set_generation(generation);
    Send(message);
  }
  pb::MasterMessage Receive() {
    pb::MasterMessage message;
    if (!stream_->Read(&message)) message.Clear();
    return message;
  }
  absl::Status End() {
    stream_->WritesDone();
    return Refusal();
  }
  // How the master ends the connection.
  absl::Status Refusal() {
    pb::MasterMessage ignored;
    while (stream_->Read(&ignored)) continue;
    return net::FromGrpc(stream_->Finish());
  }

 private:
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<pb::AgentControl::Stub> stub_;
  std::unique_ptr<grpc::ClientReaderWriter<pb::AgentMessage, pb::MasterMessage>> stream_;
};

constexpr char kBucket[] =
    R"({"searcher":{"name":"single"},
        "checkpoint_storage":{"type":"s3","bucket":"b","prefix":"p",
        "access_key":{"environment":"KEY"},"secret_key":{"secret":"anns"}}})";

pb::RunOrder OrderFor(const std::string& owner, const config::SecretStore& secrets) {
  core::DesiredSet set;
  set.allocations.push_back({.id = AllocationId(1)});
  set.allocations[0].order = core::RunOrder{.owner = owner, .spec = test::MakeSpec(kBucket)};
  return ToProto(set, 1, secrets).allocations(0).order();
}

// A bucket's keys go with the order, those of the owner alone, and stand nowhere else in it.
TEST(AgentControlTest, AnOrderHasTheKeysOfItsBucket) {
  const TmpDir folder;
  config::FolderSecretStore secrets(folder.path());
  ASSERT_TRUE(secrets.Keep("anns", "ann", Secret("hidden-key")).ok());
  pb::RunOrder order = OrderFor("ann", secrets);
  EXPECT_EQ(order.checkpoint_bucket().url(),
            "s3://b/p?access_key_ref=env%3AKEY&secret_key_ref=anns");
  ASSERT_EQ(order.checkpoint_bucket().secrets_size(), 1);
  EXPECT_EQ(order.checkpoint_bucket().secrets().at("anns"), "hidden-key");
  EXPECT_EQ(order.checkpoint_bucket().fault(), "");
  EXPECT_EQ(order.checkpoint_directory(), "");
  order.clear_checkpoint_bucket();
  EXPECT_EQ(order.DebugString().find("hidden-key"), std::string::npos);

  const pb::RunOrder others = OrderFor("bob", secrets);
  EXPECT_EQ(others.checkpoint_bucket().secrets_size(), 0);
  EXPECT_NE(others.checkpoint_bucket().fault().find("no secret \"anns\""), std::string::npos);
}

TEST(AgentControlTest, AnAgentIsWelcomedOrderedAndAcknowledged) {
  TestServer server;
  Control agent(server);
  agent.Hello("a", test::kClusterId);
  const pb::MasterMessage welcome = agent.Receive();
  ASSERT_TRUE(welcome.has_welcome()) << welcome.DebugString();
  EXPECT_EQ(welcome.welcome().cluster_id(), test::kClusterId);
  EXPECT_EQ(welcome.welcome().epoch(), server.engine().engine().epoch());
  EXPECT_TRUE(agent.Receive().desired().allocations().empty());
  server.engine().Must(test::Submit());
  const pb::MasterMessage desired = agent.Receive();
  ASSERT_EQ(desired.desired().allocations_size(), 1) << desired.DebugString();
  const pb::DesiredAllocation& run = desired.desired().allocations(0);
  EXPECT_EQ(run.level(), pb::STOP_LEVEL_RUN);
  EXPECT_EQ(run.order().trial(), 1);
  EXPECT_EQ(run.order().entrypoint(0), "x");
  agent.Status(run.id(), pb::ALLOCATION_STATE_RUNNING);
  // The acknowledgement and the next set come in any order.
  bool acknowledged = false;
  while (!acknowledged) {
    const pb::MasterMessage message = agent.Receive();
    ASSERT_NE(message.message_case(), pb::MasterMessage::MESSAGE_NOT_SET);
    acknowledged = message.has_status_ack();
  }
  // One that missed a set gets it again.
  agent.Heartbeat(0);
  const pb::MasterMessage again = agent.Receive();
  EXPECT_EQ(again.desired().allocations_size(), 1) << again.DebugString();
  EXPECT_TRUE(agent.End().ok());
  EXPECT_TRUE(Eventually([&] {
    bool connected = true;
    server.engine().Read(
        [&](const core::State& state) { connected = state.Find(AgentId("a"))->connected; });
    return !connected;
  }));
}

TEST(AgentControlTest, WhatMakesNoSenseEndsTheConnectionWithAReason) {
  TestServer server;
  {
    Control agent(server);
    agent.Hello("a", "another-cluster");
    EXPECT_EQ(ErrorReason(agent.Refusal()), "OTHER_CLUSTER");
  }
  {
    Control agent(server);
    agent.Status(1, pb::ALLOCATION_STATE_RUNNING);
    EXPECT_EQ(ErrorReason(agent.Refusal()), "NO_HELLO");
  }
  {
    Control agent(server);
    agent.Send({});
    EXPECT_EQ(ErrorReason(agent.Refusal()), "INVALID_MESSAGE");
  }
  {
    Control agent(server);
    agent.Hello("../a");
    EXPECT_EQ(ErrorReason(agent.Refusal()), "INVALID_AGENT");
  }
  Control first(server);
  first.Hello("a");
  ASSERT_TRUE(first.Receive().has_welcome());
  first.Hello("b");
  EXPECT_EQ(ErrorReason(first.Refusal()), "SECOND_HELLO");
}

class AgentDataTest : public testing::Test {
 protected:
  AgentDataTest() {
    server.engine().Must(test::Connect(AgentId("a"), 1));
    server.engine().Must(test::Submit());
    run_ = server.engine().OnlyAllocation();
    server.engine().Must(test::Running(AgentId("a"), run_));
  }

  pb::ShipRequest Request(int stream) const {
    pb::ShipRequest request;
    request.set_allocation(run_.value());
    request.set_trial(1);
    request.set_stream(stream);
    return request;
  }
  // Ships, and waits until this number is acknowledged.
  void Ship(const pb::ShipRequest& request, int64_t until) {
    const auto context = TestServer::As(test::kAgentToken);
    context->AddMetadata("det-agent-id", "a");
    const auto stream = data->Ship(context.get());
    ASSERT_TRUE(stream->Write(request));
    pb::ShipReply reply;
    while (reply.seq() < until) ASSERT_TRUE(stream->Read(&reply));
    stream->WritesDone();
    EXPECT_FALSE(stream->Read(&reply));
    EXPECT_TRUE(stream->Finish().ok());
  }
  // "line 7" is the seventh.
  void PrintLines(int64_t first, int64_t last) {
    pb::ShipRequest request = Request(1);
    for (int64_t line = first; line <= last; ++line) {
      pb::LogRecord* record = request.add_logs();
      record->set_seq(line);
      record->set_text(StrCat("line ", line));
    }
    Ship(request, last);
  }
  std::vector<std::string> Log() {
    api::v1::TailLogsRequest request;
    request.set_trial(1);
    return Log(request);
  }
  std::vector<std::string> Log(const api::v1::TailLogsRequest& request) {
    const auto context = TestServer::As(test::kBobToken);
    const auto reader =
        api::v1::LogService::NewStub(server.channel())->TailLogs(context.get(), request);
    std::vector<std::string> lines;
    api::v1::LogBatch batch;
    while (reader->Read(&batch)) {
      for (const auto& line : batch.lines()) lines.push_back(line.text());
    }
    EXPECT_TRUE(reader->Finish().ok());
    return lines;
  }
  std::vector<std::string> Metrics() {
    api::v1::GetMetricsRequest request;
    request.set_trial(1);
    request.set_limit(1);  // a page each
    std::vector<std::string> out;
    for (bool more = true; more;) {
      api::v1::GetMetricsResponse response;
      const auto context = TestServer::As(test::kAnnToken);
      EXPECT_TRUE(api::v1::TrialService::NewStub(server.channel())
                      ->GetMetrics(context.get(), request, &response)
                      .ok());
      EXPECT_LE(response.points_size(), 1);
      for (const auto& point : response.points())
        out.push_back(StrCat(point.group(), " ", point.name(), " ", FormatDouble(point.value())));
      more = response.has_next_after();
      *request.mutable_after() = response.next_after();
    }
    return out;
  }

  TestServer server;
  const std::unique_ptr<pb::AgentData::Stub> data = pb::AgentData::NewStub(server.channel());
  AllocationId run_;
};

pb::Report* AddMetrics(pb::ShipRequest* request,
                       const std::string& group,
                       const std::string& json) {
  pb::Report* report = request->add_reports();
  report->set_seq(request->reports_size());
  report->mutable_metrics()->set_group(group);
  report->mutable_metrics()->set_metrics_json(json);
  return report;
}

TEST_F(AgentDataTest, ReportsAndLogLinesAreStoredAndShown) {
  pb::ShipRequest reports = Request(0);
  AddMetrics(&reports, "training", R"({"loss": 0.5})");
  AddMetrics(&reports, "validation", R"({"loss": "NaN", "acc": 1})");
  Ship(reports, 2);
  EXPECT_EQ(
      Metrics(),
      (std::vector<std::string>{"training loss 0.5", "validation acc 1.0", "validation loss NaN"}));
  pb::ShipRequest logs = Request(1);
  logs.add_logs()->set_seq(1);
  logs.mutable_logs(0)->set_text(std::string("bytes \xff\0", 8));
  Ship(logs, 1);
  EXPECT_EQ(Log(), std::vector<std::string>{std::string("bytes \xff\0", 8)});
}

TEST_F(AgentDataTest, NoReportHoldsUpThoseBehindIt) {
  pb::ShipRequest request = Request(0);
  AddMetrics(&request, "validation", "{not json");
  AddMetrics(&request, "validation", "[1]");
  AddMetrics(&request, "", "{}");
  AddMetrics(&request, "training", StrCat("{\"", std::string(600, 'x'), "\": 1}"));
  request.add_reports()->set_seq(5);
  request.add_reports()->set_seq(6);
  request.mutable_reports(5)->mutable_progress()->set_fraction(7);
  request.add_reports()->set_seq(7);
  request.mutable_reports(6)->mutable_checkpoint()->set_files_json("no");
  AddMetrics(&request, "validation", R"({"loss": 1})");
  Ship(request, 8);
  EXPECT_EQ(Metrics(), std::vector<std::string>{"validation loss 1.0"});
  const std::vector<std::string> log = Log();
  ASSERT_EQ(log.size(), 1U);
  EXPECT_TRUE(log[0].starts_with("det: 7 records were not taken; the first, 1: metrics: "))
      << log[0];
}

// What a filter takes is found in pages, by whoever asks, however the pages are cut.
TEST_F(AgentDataTest, LogsAreSearchedInPages) {
  PrintLines(1, 3000);
  const auto logs = api::v1::LogService::NewStub(server.channel());
  for (const int limit : {1000, 7}) {
    api::v1::SearchLogsRequest request;
    request.set_trial(1);
    request.set_limit(limit);
    request.mutable_filter()->set_pattern("LINE 29\\d\\d$");
    request.mutable_filter()->set_ignore_case(true);
    int64_t found = 0;
    do {
      api::v1::SearchLogsResponse response;
      const auto context = TestServer::As(test::kBobToken);
      ASSERT_TRUE(logs->SearchLogs(context.get(), request, &response).ok());
      EXPECT_LE(response.lines_size(), limit);
      EXPECT_EQ(response.total_lines(), 3000);
      for (const auto& line : response.lines()) EXPECT_EQ(line.line(), 2900 + found++);
      request.set_page_token(response.next_page_token());
    } while (!request.page_token().empty());
    EXPECT_EQ(found, 100);
  }
  api::v1::SearchLogsRequest newest;
  newest.set_trial(1);
  newest.set_limit(2);
  newest.set_order(api::v1::SearchLogsRequest::ORDER_NEWEST_FIRST);
  api::v1::SearchLogsResponse response;
  const auto context = TestServer::As(test::kBobToken);
  ASSERT_TRUE(logs->SearchLogs(context.get(), newest, &response).ok());
  ASSERT_EQ(response.lines_size(), 2);
  EXPECT_EQ(response.lines(0).text(), "line 3000");
  EXPECT_EQ(response.lines(1).agent(), "a");
}

TEST_F(AgentDataTest, WhatCantBeSearchedForIsSaid) {
  const auto logs = api::v1::LogService::NewStub(server.channel());
  const auto refusal = [&](const auto& change) {
    api::v1::SearchLogsRequest request;
    request.set_trial(1);
    change(request);
    api::v1::SearchLogsResponse response;
    const auto context = TestServer::As(test::kBobToken);
    return net::FromGrpc(logs->SearchLogs(context.get(), request, &response));
  };
  using Request = api::v1::SearchLogsRequest;
  const absl::Status pattern =
      refusal([](Request& r) { r.mutable_filter()->set_pattern("loss=[0-9"); });
  EXPECT_EQ(ErrorReason(pattern), "INVALID_PATTERN");
  EXPECT_NE(FromAbsl(pattern.message()).find("at byte 6: missing ]"), std::string_view::npos);
  EXPECT_EQ(ErrorReason(refusal([](Request& r) { r.mutable_filter()->add_sources("stdin"); })),
            "UNKNOWN_SOURCE");
  EXPECT_EQ(ErrorReason(refusal([](Request& r) { r.mutable_filter()->set_min_level("warn"); })),
            "UNKNOWN_LEVEL");
  EXPECT_EQ(ErrorReason(refusal([](Request& r) {
              r.mutable_filter()->set_since_unix_nanos(2);
              r.mutable_filter()->set_until_unix_nanos(1);
            })),
            "INVALID_RANGE");
  for (const char* token : {"x", "1.2.3", "1.2.3.4.5", "1.2.3.99999999999999999999"})
    EXPECT_EQ(ErrorReason(refusal([&](Request& r) { r.set_page_token(token); })), "INVALID_TOKEN");
  EXPECT_EQ(ErrorReason(refusal([](Request& r) { r.set_trial(77); })), "TRIAL_NOT_FOUND");
  api::v1::TailLogsRequest tail;
  tail.set_trial(1);
  tail.mutable_filter()->set_pattern("*");
  const auto context = TestServer::As(test::kBobToken);
  const auto reader = logs->TailLogs(context.get(), tail);
  api::v1::LogBatch batch;
  EXPECT_FALSE(reader->Read(&batch));
  EXPECT_EQ(ErrorReason(net::FromGrpc(reader->Finish())), "INVALID_PATTERN");
}

TEST_F(AgentDataTest, TheFirstAndTheLastLinesThatAFilterTakes) {
  PrintLines(1, 5000);
  api::v1::TailLogsRequest request;
  request.set_trial(1);
  request.mutable_filter()->set_pattern("00$");
  request.set_tail(3);
  EXPECT_EQ(Log(request), (std::vector<std::string>{"line 4800", "line 4900", "line 5000"}));
  request.set_tail(0);
  request.set_head(2);
  EXPECT_EQ(Log(request), (std::vector<std::string>{"line 100", "line 200"}));
  request.set_head(0);
  EXPECT_EQ(Log(request).size(), 50U);
  request.mutable_filter()->set_pattern("none of them");
  request.set_tail(3);
  EXPECT_TRUE(Log(request).empty());
}

// A follower does not look at intervals: a line is there as soon as it is durable.
TEST_F(AgentDataTest, AFollowerIsWokenByWhatBecomesDurable) {
  api::v1::TailLogsRequest request;
  request.set_trial(1);
  request.set_follow(true);
  const auto context = TestServer::As(test::kBobToken);
  const auto reader =
      api::v1::LogService::NewStub(server.channel())->TailLogs(context.get(), request);
  std::vector<absl::Duration> delays;
  for (int64_t line = 1; line <= 21; ++line) {
    const absl::Time printed = absl::Now();
    PrintLines(line, line);
    api::v1::LogBatch batch;
    ASSERT_TRUE(reader->Read(&batch));
    EXPECT_EQ(batch.lines(0).line(), line);
    delays.push_back(absl::Now() - printed);
  }
  std::sort(delays.begin(), delays.end());
  // By looking once a second it would be half of one.
  EXPECT_LT(delays[10], absl::Milliseconds(250));
  context->TryCancel();
  reader->Finish();
}

TEST_F(AgentDataTest, ALogRecordThatIsTooLongIsCut) {
  pb::ShipRequest request = Request(1);
  request.add_logs()->set_seq(1);
  request.mutable_logs(0)->set_text(std::string(1 << 20, 'x'));
  Ship(request, 1);
  ASSERT_EQ(Log().size(), 1U);
  EXPECT_EQ(Log()[0].size(), static_cast<size_t>(ingest::kLogTextBytesMax) + 6);
}

TEST_F(AgentDataTest, AMessageBeyondTheBoundIsRefused) {
  pb::ShipRequest request = Request(1);
  request.add_logs()->set_seq(1);
  request.mutable_logs(0)->set_text(std::string(17 << 20, 'x'));
  const auto context = TestServer::As(test::kAgentToken);
  context->AddMetadata("det-agent-id", "a");
  const auto stream = data->Ship(context.get());
  stream->Write(request);
  stream->WritesDone();
  EXPECT_FALSE(stream->Finish().ok());
}

TEST_F(AgentDataTest, AStreamThatWaitsForRoomEndsWithTheMaster) {
  pb::ShipRequest request = Request(1);
  for (int i = 1; i <= 3; ++i) {
    request.add_logs()->set_seq(i);
    request.mutable_logs(i - 1)->set_text(std::string(60 << 10, 'x'));
  }
  const auto context = TestServer::As(test::kAgentToken);
  context->AddMetadata("det-agent-id", "a");
  const auto stream = data->Ship(context.get());
  pg::Connection other(server.database().conninfo());
  ASSERT_TRUE(other
                  .Transact([&](pqxx::work& tx) {
                    // Nothing is stored meanwhile.
                    tx.exec("SELECT epoch FROM lease FOR UPDATE");
                    std::thread writer([&] {
                      while (stream->Write(request)) {
                      }
                    });
                    EXPECT_TRUE(Eventually([&] {
                      return server.ingestor().queued_bytes() >= ingest::kQueuedBytesMax;
                    }));
                    server.CloseDoor();
                    writer.join();
                  })
                  .ok());
}

TEST_F(AgentDataTest, AnAgentSpeaksOnlyForItsOwnRuns) {
  pb::ShipRequest request = Request(0);
  AddMetrics(&request, "validation", R"({"loss": 1})");
  const auto context = TestServer::As(test::kAgentToken);
  context->AddMetadata("det-agent-id", "b");
  const auto stream = data->Ship(context.get());
  ASSERT_TRUE(stream->Write(request));
  stream->WritesDone();
  pb::ShipReply reply;
  while (stream->Read(&reply)) continue;
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_TRUE(Metrics().empty());
}

TEST_F(AgentDataTest, AnUnknownContextIsNamed) {
  pb::FetchContextRequest request;
  request.set_sha256(std::string(64, 'a'));
  const auto context = TestServer::As(test::kAgentToken);
  const auto reader = data->FetchContext(context.get(), request);
  pb::ContextChunk chunk;
  EXPECT_FALSE(reader->Read(&chunk));
  EXPECT_EQ(ErrorReason(net::FromGrpc(reader->Finish())), "CONTEXT_NOT_FOUND");
}

}  // namespace
}  // namespace det::rpc
