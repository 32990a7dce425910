#pragma once

#include <string>

#include "absl/time/time.h"

#include "common/clock/clock.h"
#include "common/concurrency/thread_pool.h"
#include "common/concurrency/timer.h"
#include "master/auth/authenticator.h"
#include "master/catalog/catalog.h"
#include "master/engine/engine.h"
#include "master/ingest/ingestor.h"
#include "master/spec/parse.h"
#include "master/store/context_store.h"
#include "master/store/read_store.h"

namespace det::rpc {

// An upload from which nothing came for so long is ended.
inline constexpr absl::Duration kUploadIdle = absl::Minutes(5);

// What the services work with; all of it outlives the server.
struct Deps {
  engine::Engine& engine;
  ingest::Ingestor& ingestor;
  store::ReadStore& store;
  store::ContextStore& contexts;
  catalog::Catalog& catalog;
  const auth::Authenticator& tokens;
  ThreadPool& pool;  // for calls that block
  Timer& timer;
  const Clock& clock;
  spec::ParseDefaults defaults;
  std::string cluster_id;
  std::string version;
  absl::Time started;
  absl::Duration upload_idle = kUploadIdle;
};

}  // namespace det::rpc
