#include "master/testing/test_server.h"

#include <chrono>

#include "common/base/check.h"
#include "common/base/strings.h"

namespace det::test {

TestServer::TestServer(absl::Duration upload_idle)
    : journal_(database_.conninfo(), "a/1/1"),
      engine_(journal_),
      store_(database_.conninfo()),
      logs_(database_.conninfo()),
      metrics_(database_.conninfo()),
      contexts_(database_.conninfo(), engine_.engine().epoch()),
      deletions_(database_.conninfo(), engine_.engine().epoch()),
      ended_(database_.conninfo(), engine_.engine().epoch()),
      ended_deleter_({database_.conninfo(), engine_.engine().epoch(), deletions_}),
      ingestor_({.conninfo = database_.conninfo(),
                 .engine = engine_.engine(),
                 .on_fatal = [](const absl::Status&) {},
                 .log_news = &log_news_}),
      directory_(tokens_, engine_.clock()),
      catalog_(database_.conninfo(), engine_.engine().epoch(), directory_),
      pool_(4, 1000),
      searches_(1, 1000) {
  tokens_.Add(Secret(kAdminToken), {core::Role::kAdmin, "admin"});
  tokens_.Add(Secret(kAnnToken), {core::Role::kUser, "ann"});
  tokens_.Add(Secret(kBobToken), {core::Role::kUser, "bob"});
  tokens_.Add(Secret(kAgentToken), {core::Role::kAgent, ""});
  for (const char* name : {"admin", "ann", "bob"}) {
    const absl::Status made = catalog_.EnsureUser(name, name == std::string_view("admin"));
    DET_CHECK(made.ok(), made.ToString());
  }
  deps_ = std::make_unique<rpc::Deps>(rpc::Deps{.engine = engine_.engine(),
                                                .ingestor = ingestor_,
                                                .store = store_,
                                                .logs = logs_,
                                                .metrics = metrics_,
                                                .contexts = contexts_,
                                                .deletions = deletions_,
                                                .ended = ended_,
                                                .ended_locks = ended_locks_,
                                                .ended_deleter = ended_deleter_,
                                                .catalog = catalog_,
                                                .tokens = directory_,
                                                .pool = pool_,
                                                .searches = searches_,
                                                .log_news = log_news_,
                                                .timer = timer_,
                                                .clock = engine_.clock(),
                                                .defaults = {.checkpoint_host_path = "/c"},
                                                .layers = {},
                                                .secrets = secrets_,
                                                .cluster_id = kClusterId,
                                                .version = "1.2.3",
                                                .started = engine_.clock().Now(),
                                                .upload_idle = upload_idle});
  auto server = rpc::Server::Start(*deps_, {});
  DET_CHECK(server.ok(), server.status().ToString());
  server_ = *std::move(server);
  channel_ = grpc::CreateChannel(address(), grpc::InsecureChannelCredentials());
}

std::string TestServer::address() const {
  return StrCat("127.0.0.1:", server_->port());
}

TestServer::~TestServer() {
  engine_.engine().Stop();
  server_.reset();
}

std::unique_ptr<grpc::ClientContext> TestServer::As(const std::string& token) {
  auto context = std::make_unique<grpc::ClientContext>();
  if (!token.empty()) context->AddMetadata("authorization", StrCat("Bearer ", token));
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  return context;
}

deletion::WorkerOptions QuickDeletions(TestServer& server) {
  return {.storage = {.clock = &server.engine().clock()},
          .look_every = absl::Milliseconds(20),
          .first_pause = absl::Milliseconds(20),
          .attempts_max = 2};
}

}  // namespace det::test
