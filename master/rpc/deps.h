#pragma once

#include <string>

#include "absl/time/time.h"

#include "common/clock/clock.h"
#include "common/concurrency/thread_pool.h"
#include "common/concurrency/timer.h"
#include "common/concurrency/topics.h"
#include "common/storage/reported.h"
#include "master/auth/authenticator.h"
#include "master/catalog/catalog.h"
#include "master/config/layers.h"
#include "master/config/secret_store.h"
#include "master/deletion/deletions.h"
#include "master/ended/deleter.h"
#include "master/ended/ended_locks.h"
#include "master/ended/ended_store.h"
#include "master/engine/engine.h"
#include "master/ingest/ingestor.h"
#include "master/spec/parse.h"
#include "master/store/context_store.h"
#include "master/store/log_store.h"
#include "master/store/metric_store.h"
#include "master/store/read_store.h"

namespace det::rpc {

// An upload from which nothing came for so long is ended.
inline constexpr absl::Duration kUploadIdle = absl::Minutes(5);

// What the services work with; all of it outlives the server.
struct Deps {
  engine::Engine& engine;
  ingest::Ingestor& ingestor;
  store::ReadStore& store;
  store::LogStore& logs;
  store::MetricStore& metrics;
  store::ContextStore& contexts;
  deletion::Deletions& deletions;
  ended::EndedStore& ended;
  ended::EndedLocks& ended_locks;
  ended::Deleter& ended_deleter;
  catalog::Catalog& catalog;
  const auth::Authenticator& tokens;
  ThreadPool& pool;      // for calls that block
  ThreadPool& searches;  // for those that go through much: few threads, so that others have theirs
  Topics& log_news;      // by trial: lines that became durable
  Timer& timer;
  const Clock& clock;
  spec::ParseDefaults defaults;
  config::ClusterLayers layers;   // what configurations stand on
  storage::OffLimits off_limits;  // for the storage that configurations name
  config::SecretStore& secrets;
  std::string cluster_id;
  std::string version;
  absl::Time started;
  absl::Duration upload_idle = kUploadIdle;
};

}  // namespace det::rpc
