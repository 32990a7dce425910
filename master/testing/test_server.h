#pragma once

#include <memory>
#include <string>

#include <grpcpp/grpcpp.h>

#include "common/concurrency/thread_pool.h"
#include "common/concurrency/timer.h"
#include "common/concurrency/topics.h"
#include "common/testing/tmp_dir.h"
#include "master/auth/token_table.h"
#include "master/catalog/catalog.h"
#include "master/config/secret_store.h"
#include "master/deletion/deletions.h"
#include "master/deletion/worker.h"
#include "master/ended/deleter.h"
#include "master/ended/ended_locks.h"
#include "master/ended/ended_store.h"
#include "master/ingest/ingestor.h"
#include "master/journal/postgres_journal.h"
#include "master/rpc/server.h"
#include "master/store/context_store.h"
#include "master/store/log_store.h"
#include "master/store/metric_store.h"
#include "master/store/read_store.h"
#include "master/testing/test_database.h"
#include "master/testing/test_engine.h"

namespace det::test {

inline constexpr char kAdminToken[] = "admin-token-0123456789";
inline constexpr char kAnnToken[] = "ann-token-0123456789";
inline constexpr char kBobToken[] = "bob-token-0123456789";
inline constexpr char kAgentToken[] = "agent-token-0123456789";
inline constexpr char kClusterId[] = "cluster-1";

// A master's gRPC door, on a port of its own, over a database of its own.
class TestServer {
 public:
  explicit TestServer(absl::Duration upload_idle = rpc::kUploadIdle);
  ~TestServer();

  std::shared_ptr<grpc::Channel> channel() const { return channel_; }
  std::string address() const;
  TestEngine& engine() { return engine_; }
  store::ReadStore& store() { return store_; }
  catalog::Catalog& catalog() { return catalog_; }
  deletion::Deletions& deletions() { return deletions_; }
  ended::EndedLocks& ended_locks() { return ended_locks_; }
  const TestDatabase& database() const { return database_; }
  const ingest::Ingestor& ingestor() const { return ingestor_; }
  // Ends all calls.
  void CloseDoor() { server_.reset(); }

  // Who calls. No more than some seconds for the call.
  static std::unique_ptr<grpc::ClientContext> As(const std::string& token);

 private:
  TestDatabase database_;
  journal::PostgresJournal journal_;
  TestEngine engine_;
  store::ReadStore store_;
  store::LogStore logs_;
  store::MetricStore metrics_;
  store::ContextStore contexts_;
  Topics log_news_;
  deletion::Deletions deletions_;
  ended::EndedStore ended_;
  ended::EndedLocks ended_locks_;
  ended::Deleter ended_deleter_;
  ingest::Ingestor ingestor_;
  auth::TokenTable tokens_;
  catalog::Directory directory_;
  catalog::Catalog catalog_;
  TmpDir secrets_folder_;
  config::FolderSecretStore secrets_{secrets_folder_.path()};
  ThreadPool pool_;
  ThreadPool searches_;
  Timer timer_;
  std::unique_ptr<rpc::Deps> deps_;
  std::unique_ptr<rpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

// Of a worker that deletes checkpoints for a test.
deletion::WorkerOptions QuickDeletions(TestServer& server);

}  // namespace det::test
