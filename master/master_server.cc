#include "master/master_server.h"

#include <optional>

#include <sys/stat.h>
#include <unistd.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/version.h"
#include "common/clock/clock.h"
#include "common/concurrency/thread_pool.h"
#include "common/concurrency/timer.h"
#include "common/log/log.h"
#include "common/os/fs.h"
#include "common/os/lock_file.h"
#include "common/os/os_error.h"
#include "common/pg/pg.h"
#include "common/pg/private_server.h"
#include "master/catalog/catalog.h"
#include "master/deletion/deletions.h"
#include "master/deletion/worker.h"
#include "master/ended/deleter.h"
#include "master/engine/engine.h"
#include "master/engine/limits.h"
#include "master/http/front.h"
#include "master/http/metrics.h"
#include "master/ingest/ingestor.h"
#include "master/journal/postgres_journal.h"
#include "master/rpc/server.h"
#include "master/store/context_store.h"
#include "master/store/migrate.h"
#include "master/store/partitions.h"
#include "master/store/read_store.h"

namespace det::master {
namespace {

constexpr int kPoolThreads = 16;
constexpr size_t kPoolQueueMax = 4096;
constexpr char kDataFormat[] = "1\n";
// A change of who may do what that came another way than through this master acts within so long.
constexpr absl::Duration kPeopleEvery = absl::Milliseconds(500);
constexpr absl::Duration kContextsEvery = absl::Hours(1);
constexpr absl::Duration kPartitionsEvery = absl::Hours(6);
constexpr absl::Duration kPartitionsAgain = absl::Minutes(1);  // when no thread took it
// Those who go through much wait for each other, and nobody else for them.
constexpr int kSearchThreads = 2;
constexpr size_t kSearchQueueMax = 256;

// A data directory belongs to one master at a time, and to one layout of its files.
absl::StatusOr<LockFile> OpenDataDirectory(const std::string& directory) {
  DET_RETURN_IF_ERROR(MakeDirs(directory, 0711));
  // PostgreSQL's user must pass through, whatever the umask is; nobody else sees more than names.
  if (geteuid() == 0 && chmod(directory.c_str(), 0711) != 0)
    return OsError(errno, "open up", directory);
  const std::string format_path = StrCat(directory, "/format");
  const absl::StatusOr<std::string> format = ReadFile(format_path, 64);
  if (format.ok() && *format != kDataFormat) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "OTHER_FORMAT",
                 StrCat(directory,
                        " was made by another version of det-master (format ",
                        format->substr(0, format->find('\n')),
                        ", this one is 1)"),
                 "start the version that made it, or choose another data directory");
  }
  absl::StatusOr<LockFile> lock =
      LockFile::Acquire(StrCat(directory, "/master.lock"), "det-master");
  if (!lock.ok()) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "DATA_DIRECTORY_IN_USE",
                 StrCat(directory, ": ", FromAbsl(lock.status().message())),
                 "stop that det-master first, or choose another data directory");
  }
  DET_RETURN_IF_ERROR(AtomicWriteFile(format_path, kDataFormat, 0644));
  return lock;
}

// The token in the file; made on first use, readable by its owner alone.
absl::StatusOr<Secret> TokenFrom(const std::string& path) {
  if (const absl::StatusOr<std::string> text = ReadFile(path, 4096); text.ok() && !text->empty()) {
    std::string token = *text;
    token.erase(token.find_last_not_of(" \r\n") + 1);
    if (token.size() < 16) {
      return Error(absl::StatusCode::kFailedPrecondition,
                   "WEAK_TOKEN",
                   StrCat(path, " holds a token of fewer than 16 characters"),
                   "remove the file: a new one is made");
    }
    return Secret(token);
  }
  Secret token = auth::NewToken();
  DET_RETURN_IF_ERROR(AtomicWriteFile(path, StrCat(token.Reveal(), "\n"), 0600));
  return token;
}

}  // namespace

struct MasterServer::Parts {
  config::MasterConfig config;
  Hooks hooks;
  SystemClock clock;
  std::optional<LockFile> lock;
  std::unique_ptr<pg::PrivateServer> postgres;
  std::string conninfo;
  auth::TokenTable tokens;
  std::optional<config::FolderSecretStore> secrets;
  auth::TokenTable scrapers;
  std::unique_ptr<catalog::Directory> people;
  std::unique_ptr<catalog::Catalog> catalog;
  std::unique_ptr<journal::PostgresJournal> journal;
  http::Metrics metrics;
  std::unique_ptr<store::ReadStore> store;
  std::unique_ptr<store::LogStore> logs;
  std::unique_ptr<store::MetricStore> metric_store;
  std::unique_ptr<store::ContextStore> contexts;
  Topics log_news;
  std::unique_ptr<deletion::Deletions> deletions;
  std::unique_ptr<deletion::Worker> deleter;
  std::unique_ptr<ended::EndedStore> ended;
  ended::EndedLocks ended_locks;
  std::unique_ptr<ended::Deleter> ended_deleter;
  std::unique_ptr<engine::Engine> engine;
  std::unique_ptr<ingest::Ingestor> ingestor;
  std::unique_ptr<Timer> timer;
  std::unique_ptr<ThreadPool> pool;
  std::unique_ptr<ThreadPool> searches;
  std::optional<rpc::Deps> rpc_deps;
  std::unique_ptr<rpc::Server> rpc;
  std::unique_ptr<http::Front> front;

  absl::Status OpenStore();
  absl::Status LoadTokens();
  absl::Status StartEngine();
  absl::Status OpenCatalog(int64_t epoch);
  absl::Status StartDoors();
  absl::Status Announce() const;
  void KeepPartitions(Timer& on, absl::Duration delay);
  void KeepPeople(Timer& on);
  void KeepContexts(Timer& on);
  void DropExpired() const;
  storage::OffLimits OffLimits() const { return {config.data_dir, config.checkpoint_path}; }
  std::string ReadyFile() const { return StrCat(config.data_dir, "/master.json"); }
};

absl::Status MasterServer::Parts::OpenStore() {
  conninfo = config.db_url;
  if (conninfo.empty()) {
    DET_ASSIGN_OR_RETURN(
        postgres,
        pg::PrivateServer::Start(
            {.directory = StrCat(config.data_dir, "/postgres"), .stopped = hooks.stopped}));
    conninfo = postgres->conninfo();
  }
  return Annotate(store::MakeSchema(conninfo), "the database can't be prepared");
}

absl::Status MasterServer::Parts::LoadTokens() {
  const std::string directory = StrCat(config.data_dir, "/tokens");
  DET_RETURN_IF_ERROR(MakeDirs(directory, 0700));
  DET_ASSIGN_OR_RETURN(const Secret admin, TokenFrom(StrCat(directory, "/admin")));
  DET_ASSIGN_OR_RETURN(const Secret join, TokenFrom(StrCat(directory, "/agent")));
  DET_ASSIGN_OR_RETURN(const Secret scrape, TokenFrom(StrCat(directory, "/scrape")));
  tokens.Add(admin, {core::Role::kAdmin, "admin"});
  tokens.Add(join, {core::Role::kAgent, ""});
  scrapers.Add(scrape, {core::Role::kUser, "scrape"});
  for (const auto& [name, path] : config.user_token_files) {
    DET_ASSIGN_OR_RETURN(const Secret token, TokenFrom(path));
    tokens.Add(token, {core::Role::kUser, name});
  }
  return absl::OkStatus();
}

absl::Status MasterServer::Parts::StartEngine() {
  DET_ASSIGN_OR_RETURN(const std::string holder, journal::PostgresJournal::ThisProcess());
  journal = std::make_unique<journal::PostgresJournal>(conninfo, holder);
  DET_ASSIGN_OR_RETURN(const int64_t epoch, engine::AcquireLease(*journal, hooks.stopped));
  // Only now: until the lease was ours another master may have written in the older schema.
  DET_RETURN_IF_ERROR(
      Annotate(store::Migrate(conninfo, epoch), "the database can't be brought up to date"));
  const absl::Time begun = clock.Now();
  DET_ASSIGN_OR_RETURN(engine::Recovered recovered,
                       engine::RecoverPatiently(*journal,
                                                {.rules = config.rules,
                                                 .snapshot_lag_events = engine::kSnapshotLagEvents},
                                                hooks.stopped));
  LogInfo("recovered",
          {{"epoch", std::to_string(epoch)},
           {"events", std::to_string(recovered.state.seq)},
           {"read", std::to_string(recovered.events_read)},
           {"experiments", std::to_string(recovered.state.experiments.size())},
           {"took", absl::FormatDuration(clock.Now() - begun)}});
  engine = std::make_unique<engine::Engine>(
      engine::Engine::Deps{*journal, clock, metrics, hooks.fatal}, epoch, std::move(recovered));
  store = std::make_unique<store::ReadStore>(conninfo);
  DET_RETURN_IF_ERROR(OpenCatalog(epoch));
  logs = std::make_unique<store::LogStore>(conninfo);
  metric_store = std::make_unique<store::MetricStore>(conninfo);
  contexts = std::make_unique<store::ContextStore>(conninfo, epoch);
  DET_RETURN_IF_ERROR(contexts->RemoveBrokenUploads());
  deletions = std::make_unique<deletion::Deletions>(conninfo, epoch);
  secrets.emplace(StrCat(config.data_dir, "/secrets"), config.secrets);
  deleter = std::make_unique<deletion::Worker>(
      *deletions,
      deletion::WorkerOptions{.storage = {.clock = &clock, .off_limits = OffLimits()},
                              .secrets = [this](const std::string& name, const std::string& owner) {
                                return secrets->Get(name, owner);
                              }});
  ended = std::make_unique<ended::EndedStore>(conninfo, epoch);
  ended_deleter =
      std::make_unique<ended::Deleter>(ended::Deleter::Deps{conninfo, epoch, *deletions});
  ingestor = std::make_unique<ingest::Ingestor>(
      ingest::Ingestor::Deps{.conninfo = conninfo,
                             .engine = *engine,
                             .on_fatal = hooks.fatal,
                             .log_retention_days = config.log_retention_days,
                             .log_news = &log_news});
  timer = std::make_unique<Timer>();
  pool = std::make_unique<ThreadPool>(kPoolThreads, kPoolQueueMax);
  searches = std::make_unique<ThreadPool>(kSearchThreads, kSearchQueueMax);
  KeepPartitions(*timer, kPartitionsEvery);
  KeepPeople(*timer);
  KeepContexts(*timer);
  return absl::OkStatus();
}

// Metrics and logs go to partitions, which must be there before their week; logs that are past
// their time go with theirs. The chain is the timer's own and goes on whatever becomes of one run;
// the timer may be about to go, so it is not looked up again.
void MasterServer::Parts::KeepPartitions(Timer& on, absl::Duration delay) {
  on.After(delay, [this, &on] {
    const bool queued = pool->Post([this] {
      const absl::Status status = store::EnsurePartitions(conninfo, engine->epoch());
      if (!status.ok())
        LogWarning("partitions can't be made", {{"cause", std::string(status.message())}});
      DropExpired();
    });
    KeepPartitions(on, queued ? kPartitionsEvery : kPartitionsAgain);
  });
}

// Who is named by a file of tokens is a user like others.
absl::Status MasterServer::Parts::OpenCatalog(int64_t epoch) {
  people = std::make_unique<catalog::Directory>(tokens, clock);
  catalog = std::make_unique<catalog::Catalog>(conninfo, epoch, *people);
  catalog->Pin(config.rules.workspace_slots);
  DET_RETURN_IF_ERROR(catalog->EnsureUser(catalog::kAdminHandle, true));
  for (const auto& [name, path] : config.user_token_files)
    DET_RETURN_IF_ERROR(
        Annotate(catalog->EnsureUser(name, false), StrCat("user_token_files: ", name)));
  return absl::OkStatus();
}

void MasterServer::Parts::KeepPeople(Timer& on) {
  on.After(kPeopleEvery, [this, &on] {
    const bool queued = pool->Post([this] {
      const absl::Status status = catalog->Refresh();
      if (!status.ok())
        LogWarning("the catalogue can't be read", {{"cause", std::string(status.message())}});
    });
    // The pool is full: the next turn comes soon.
    if (!queued) LogWarning("the catalogue waits for a thread");
    KeepPeople(on);
  });
}

// What broken uploads left, and model directories that nobody uses.
void MasterServer::Parts::KeepContexts(Timer& on) {
  on.After(kContextsEvery, [this, &on] {
    const bool queued = pool->Post([this] {
      absl::Status status = contexts->RemoveBrokenUploads();
      if (status.ok()) status = contexts->RemoveUnused().status();
      if (!status.ok())
        LogWarning("unused contexts can't be removed", {{"cause", std::string(status.message())}});
    });
    if (!queued) LogWarning("the removal of unused contexts waits for a thread");
    KeepContexts(on);
  });
}

void MasterServer::Parts::DropExpired() const {
  const auto dropped = store::DropExpiredLogs(conninfo, engine->epoch(), clock.Now());
  if (!dropped.ok()) {
    LogWarning("logs that are past their time can't be dropped",
               {{"cause", std::string(dropped.status().message())}});
    return;
  }
  for (const std::string& name : *dropped)
    LogInfo("logs past their time dropped", {{"table", name}});
}

absl::Status MasterServer::Parts::StartDoors() {
  DET_ASSIGN_OR_RETURN(const std::string cluster_id, store->ClusterId());
  rpc_deps.emplace(
      rpc::Deps{.engine = *engine,
                .ingestor = *ingestor,
                .store = *store,
                .logs = *logs,
                .metrics = *metric_store,
                .contexts = *contexts,
                .deletions = *deletions,
                .ended = *ended,
                .ended_locks = ended_locks,
                .ended_deleter = *ended_deleter,
                .catalog = *catalog,
                .tokens = *people,
                .pool = *pool,
                .searches = *searches,
                .log_news = log_news,
                .timer = *timer,
                .clock = clock,
                .defaults = {.resource_pool = "default",
                             .checkpoint_host_path = config.checkpoint_path,
                             .priority = config.default_priority,
                             .pool_priorities = config.pool_priorities},
                .layers = {.defaults = config.experiment_defaults, .pools = config.pool_defaults},
                .off_limits = OffLimits(),
                .secrets = *secrets,
                .cluster_id = cluster_id,
                .version = std::string(kVersion),
                .started = clock.Now()});
  DET_ASSIGN_OR_RETURN(front,
                       http::Front::Start({*engine, *ingestor, metrics, *people, scrapers},
                                          {config.host, static_cast<uint16_t>(config.http_port)}));
  DET_ASSIGN_OR_RETURN(rpc, rpc::Server::Start(*rpc_deps, {config.host, config.grpc_port}));
  return absl::OkStatus();
}

// Whoever started us waits for this file.
absl::Status MasterServer::Parts::Announce() const {
  Value ready;
  ready["pid"] = static_cast<int64_t>(getpid());
  ready["host"] = config.host;
  ready["grpc_port"] = static_cast<int64_t>(rpc->port());
  ready["http_port"] = static_cast<int64_t>(front->port());
  ready["cluster_id"] = rpc_deps->cluster_id;
  ready["version"] = kVersion;
  return AtomicWriteFile(ReadyFile(), StrCat(ready.ToJson(), "\n"), 0644);
}

MasterServer::MasterServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

absl::StatusOr<std::unique_ptr<MasterServer>> MasterServer::Start(
    const config::MasterConfig& config, Hooks hooks) {
  auto parts = std::make_unique<Parts>();
  parts->config = config;
  parts->hooks = std::move(hooks);
  DET_ASSIGN_OR_RETURN(parts->lock, OpenDataDirectory(config.data_dir));
  unlink(parts->ReadyFile().c_str());
  std::unique_ptr<MasterServer> server(new MasterServer(std::move(parts)));
  Parts& p = *server->parts_;
  DET_RETURN_IF_ERROR(p.LoadTokens());
  DET_RETURN_IF_ERROR(p.OpenStore());
  DET_RETURN_IF_ERROR(p.StartEngine());
  DET_RETURN_IF_ERROR(p.StartDoors());
  DET_RETURN_IF_ERROR(p.Announce());
  LogInfo("serving",
          {{"grpc", StrCat(config.host, ":", p.rpc->port())},
           {"http", StrCat(config.host, ":", p.front->port())},
           {"cluster", p.rpc_deps->cluster_id}});
  return server;
}

MasterServer::~MasterServer() {
  Parts& p = *parts_;
  unlink(p.ReadyFile().c_str());
  // First, so that no call waits for it any more: the doors wait for their calls.
  if (p.engine != nullptr) p.engine->Stop();
  p.front.reset();
  p.rpc.reset();
  p.timer.reset();
  p.searches.reset();
  p.pool.reset();
  p.ended_deleter.reset();
  p.ended.reset();
  p.deleter.reset();
  p.deletions.reset();
  p.ingestor.reset();
  p.engine.reset();
  if (p.journal != nullptr) p.journal->Release().IgnoreError();
  p.journal.reset();
  p.contexts.reset();
  p.catalog.reset();
  p.people.reset();
  p.metric_store.reset();
  p.logs.reset();
  p.store.reset();
  p.postgres.reset();
}

int MasterServer::grpc_port() const {
  return parts_->rpc->port();
}
int MasterServer::http_port() const {
  return parts_->front->port();
}

}  // namespace det::master
