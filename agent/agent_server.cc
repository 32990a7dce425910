#include "agent/agent_server.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <future>
#include <map>
#include <optional>
#include <set>

#include "absl/time/clock.h"

#include "agent/checkpoints/run_checkpoints.h"
#include "agent/core/agent_core.h"
#include "agent/prepare/run_files.h"
#include "agent/relay/relay.h"
#include "agent/runtime/process_runtime.h"
#include "agent/sampling/reports.h"
#include "agent/sampling/sampler.h"
#include "agent/session/control_link.h"
#include "agent/session/convert.h"
#include "agent/session/shipper.h"
#include "agent/state/state_db.h"
#include "agent/task/task_files.h"
#include "common/base/check.h"
#include "common/base/overload.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/version.h"
#include "common/concurrency/thread_pool.h"
#include "common/concurrency/timer.h"
#include "common/json/json.h"
#include "common/log/log.h"
#include "common/os/fs.h"
#include "common/os/lock_file.h"
#include "common/os/pause.h"
#include "common/os/process.h"
#include "common/os/random.h"

namespace det::agent {
namespace {

constexpr int kWorkers = 4;
constexpr int kTransfers = 4;  // checkpoints on their way at once, each by several connections
constexpr size_t kQueueMax = 1 << 20;
constexpr absl::Duration kTick = absl::Seconds(1);
constexpr absl::Duration kSaveRetry = absl::Milliseconds(500);
constexpr absl::Duration kCleanUpRetry = absl::Seconds(5);
constexpr absl::Duration kCleanUpRetryMax = absl::Minutes(10);

// What stands in the file, or what `make` gives, which is then written there.
absl::StatusOr<std::string> Remembered(const std::string& path,
                                       const std::function<std::string()>& make) {
  const absl::StatusOr<std::string> text = ReadFile(path, 4096);
  if (text.ok() && !text->empty()) return *text;
  // A name that is only out of reach is not replaced: the master would take this for another agent.
  if (!text.ok() && !absl::IsNotFound(text.status())) return text.status();
  const std::string value = make();
  DET_RETURN_IF_ERROR(AtomicWriteFile(path, value, 0600));
  return value;
}

absl::StatusOr<Secret> JoinToken(const std::string& path) {
  DET_ASSIGN_OR_RETURN(std::string token, ReadFile(path, 4096));
  token.erase(token.find_last_not_of(" \r\n") + 1);
  // Anything else in a header, and gRPC ends the process.
  const auto fits = [](char c) { return c > ' ' && c <= '~'; };
  if (token.empty() || !std::all_of(token.begin(), token.end(), fits)) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "INVALID_TOKEN",
                 StrCat(path, " holds no valid token"),
                 "a token is one line of letters, digits and signs");
  }
  return Secret(std::move(token));
}

std::string ShimPath() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return (self.parent_path() / "det-shim").string();
}

}  // namespace

class AgentServer::Body {
 public:
  explicit Body(AgentConfig config)
      : config_(std::move(config)),
        transfers_(kTransfers, kQueueMax),
        loop_(1, kQueueMax),
        workers_(kWorkers, kQueueMax) {}
  ~Body();

  absl::Status Start();

 private:
  absl::Status OpenFiles();
  absl::Status TakeUpOnLoop();
  void Connect();
  void Tick();

  // On the loop's thread.
  absl::StatusOr<Actions> TakeUp();
  absl::StatusOr<std::vector<Held>> LoadRuns();
  Held Substitute(AllocationId id) const;
  Found Look(AllocationId id);
  void TakeUpRun(const Held& saved);
  void TakeUpLeftovers();
  v1::Hello Hello();
  void Do(const Actions& actions);
  void DoOne(const Action& action);
  void SaveHeld(const Held& held);
  void PrepareRun(AllocationId id);
  void FetchLatest(AllocationId id);
  void Prepared(AllocationId id, const absl::Status& status, ExitKind kind);
  absl::StatusOr<std::shared_ptr<RunCheckpoints>> CheckpointsOf(AllocationId id);
  void StartRun(AllocationId id);
  absl::Status StartRelay(const Held& held);
  void SampleRun(AllocationId id);
  void WatchRun(AllocationId id);
  void Ended(AllocationId id, const Exit& exit);
  void ForgetRun(AllocationId id);
  // Any thread.
  void CleanUpRun(AllocationId id,
                  std::shared_ptr<RunCheckpoints> checkpoints,
                  absl::Duration pause);
  void RemoveRun(AllocationId id);
  absl::Status RemoveFiles(AllocationId id);
  // Runs `fn` there, unless the agent is ending.
  void Post(std::function<void()> fn);

  const AgentConfig config_;
  std::optional<LockFile> lock_;
  std::string instance_;
  std::string boot_id_;
  MasterAddress master_;
  std::vector<Device> devices_;
  std::optional<StateDb> state_;
  std::optional<RunFiles> files_;
  std::atomic<bool> stopping_{false};
  std::atomic<int64_t> generation_{0};

  // The loop thread's own.
  std::string cluster_id_;
  std::optional<AgentCore> core_;
  std::map<AllocationId, std::unique_ptr<Relay>> relays_;
  // Of runs that store checkpoints in a bucket.
  std::map<AllocationId, std::shared_ptr<RunCheckpoints>> checkpoints_;

  const SystemClock clock_;
  ThreadPool transfers_;
  Timer timer_;
  std::unique_ptr<ProcessRuntime> runtime_;
  std::unique_ptr<Shipper> shipper_;
  std::unique_ptr<Sampler> sampler_;
  std::unique_ptr<ControlLink> link_;
  ThreadPool loop_;
  ThreadPool workers_;
};

// First the loop comes to rest, as it uses all of these. The link asks it, so the link ends next.
// What the others tell the loop once that has stopped is dropped.
AgentServer::Body::~Body() {
  stopping_ = true;
  std::promise<void> idle;
  if (loop_.Post([&] { idle.set_value(); })) idle.get_future().wait();
  relays_.clear();
  for (const auto& [id, checkpoints] : checkpoints_) checkpoints->Cancel();
  link_.reset();
  transfers_.Stop();
  workers_.Stop();
  loop_.Stop();
  sampler_.reset();
  shipper_.reset();
  runtime_.reset();
}

void AgentServer::Body::Post(std::function<void()> fn) {
  if (stopping_) return;
  loop_.Post([this, fn = std::move(fn)] {
    if (!stopping_) fn();
  });
}

absl::Status AgentServer::Body::Start() {
  DET_RETURN_IF_ERROR(OpenFiles());
  shipper_ = std::make_unique<Shipper>(master_, [this](AllocationId id) {
    Post([this, id] { Do(core_->OnDrained(id, absl::Now())); });
  });
  if (config_.sample) {
    sampler_ = std::make_unique<Sampler>(
        Sampler::Options{.every = config_.sample_every, .point_every = config_.sample_point_every},
        [this](AllocationId id, const Sampler::Point& point) {
          shipper_->AddSamples(id, ToReports(point));
        });
  }
  runtime_ = std::make_unique<ProcessRuntime>(ProcessRuntime::Options{.shim_path = ShimPath()});
  DET_RETURN_IF_ERROR(TakeUpOnLoop());
  Connect();
  Tick();
  LogInfo("det-agent runs",
          {{"agent", config_.agent_id},
           {"slots", std::to_string(devices_.size())},
           {"master", config_.master}});
  return absl::OkStatus();
}

absl::Status AgentServer::Body::OpenFiles() {
  DET_RETURN_IF_ERROR(MakeDirs(config_.data_dir, 0700));
  absl::StatusOr<LockFile> lock =
      LockFile::Acquire(StrCat(config_.data_dir, "/agent.lock"), "det-agent");
  if (!lock.ok()) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "DATA_DIRECTORY_IN_USE",
                 StrCat(config_.data_dir, ": ", FromAbsl(lock.status().message())),
                 "stop that det-agent first");
  }
  lock_ = *std::move(lock);
  DET_ASSIGN_OR_RETURN(instance_, Remembered(StrCat(config_.data_dir, "/instance"), RandomUuid));
  absl::StatusOr<std::string> cluster = ReadFile(StrCat(config_.data_dir, "/cluster"), 4096);
  if (!cluster.ok() && !absl::IsNotFound(cluster.status())) return cluster.status();
  cluster_id_ = std::move(cluster).value_or("");
  DET_ASSIGN_OR_RETURN(boot_id_, BootId());
  DET_ASSIGN_OR_RETURN(const Secret token, JoinToken(config_.join_token_file));
  master_ = {.target = config_.master, .join_token = token, .agent_id = config_.agent_id};
  if (config_.artificial_slots > 0) {
    devices_ = ArtificialSlots(config_.artificial_slots);
  } else {
    DET_ASSIGN_OR_RETURN(devices_, CpuSlots(config_.slots));
  }
  DET_ASSIGN_OR_RETURN(state_, StateDb::Open(StrCat(config_.data_dir, "/state")));
  DET_ASSIGN_OR_RETURN(files_,
                       RunFiles::Open({.data_dir = config_.data_dir,
                                       .agent_id = config_.agent_id,
                                       .master = master_,
                                       .devices = devices_}));
  return absl::OkStatus();
}

// The loop's first job, with what follows from it: what the runs that were taken up say meanwhile
// waits its turn, and nothing older is saved over it. A full disk may hold up what follows, but not
// the start, so that the agent can be told to end.
absl::Status AgentServer::Body::TakeUpOnLoop() {
  const auto taken = std::make_shared<std::promise<absl::Status>>();
  std::future<absl::Status> future = taken->get_future();
  const bool posted = loop_.Post([this, taken] {
    const absl::StatusOr<Actions> actions = TakeUp();
    taken->set_value(actions.status());
    if (actions.ok()) Do(*actions);
  });
  DET_CHECK(posted, "the loop's queue is empty, and it has not been stopped");
  return future.get();
}

// What an earlier life of the agent left: runs that go on, runs that ended meanwhile, and logs that
// are not with the master yet.
absl::StatusOr<Actions> AgentServer::Body::TakeUp() {
  DET_ASSIGN_OR_RETURN(const std::vector<Held> saved, LoadRuns());
  std::map<AllocationId, Found> found;
  for (const Held& held : saved) {
    if (held.phase != Phase::kExited) found[held.id] = Look(held.id);
  }
  Actions actions;
  core_.emplace(saved, found, &actions);
  for (const Held& held : saved) TakeUpRun(held);
  TakeUpLeftovers();
  return actions;
}

// Those on record, and those whose record is damaged or gone but that may still run.
absl::StatusOr<std::vector<Held>> AgentServer::Body::LoadRuns() {
  DET_ASSIGN_OR_RETURN(StateDb::Loaded loaded, state_->Load());
  std::set<AllocationId> known;
  for (const Held& held : loaded.held) known.insert(held.id);
  for (const StateDb::Damaged& damaged : loaded.damaged) {
    LogError(
        "a task's record can't be read; what became of the task is told without it",
        {{"allocation", damaged.id.ToString()}, {"cause", damaged.cause}, {"kept", damaged.kept}});
    known.insert(damaged.id);
    loaded.held.push_back(Substitute(damaged.id));
  }
  for (const RunFiles::Leftover& leftover : files_->List()) {
    if (known.contains(leftover.id) || Look(leftover.id).state != Found::State::kRunning) continue;
    LogError("a task without a record runs", {{"allocation", leftover.id.ToString()}});
    loaded.held.push_back(Substitute(leftover.id));
  }
  return std::move(loaded.held);
}

// Stands for a record that is lost: enough to see the run to its end.
Held AgentServer::Body::Substitute(AllocationId id) const {
  v1::RunOrder order;
  for (const RunFiles::Leftover& leftover : files_->List()) {
    if (leftover.id == id) order.set_trial(leftover.trial);
  }
  return {.id = id, .order = order.SerializeAsString(), .phase = Phase::kRunning};
}

// What can't be told may run: it is watched, and looked at again.
Found AgentServer::Body::Look(AllocationId id) {
  absl::StatusOr<Found> found = runtime_->Inspect(files_->Directory(id));
  if (found.ok()) return *std::move(found);
  LogError("it can't be told whether a task runs; looking on",
           {{"allocation", id.ToString()}, {"cause", std::string(found.status().message())}});
  return {.state = Found::State::kRunning};
}

void AgentServer::Body::TakeUpRun(const Held& saved) {
  v1::RunOrder order;
  order.ParseFromString(saved.order);
  shipper_->Add(saved.id,
                {.allocation = saved.id.value(),
                 .trial = order.trial(),
                 .reports_directory = files_->ReportsDirectory(saved.id),
                 .log_directory = files_->LogDirectory(saved.id)});
  const auto it = core_->held().find(saved.id);
  if (it == core_->held().end()) return;  // about to be forgotten
  const Held& held = it->second;
  if (held.phase == Phase::kExited) {
    shipper_->MarkFinal(held.id);
    if (saved.phase != Phase::kExited && held.exit.kind == ExitKind::kLost)
      LogError("a task is lost", {{"allocation", held.id.ToString()}, {"cause", held.exit.text}});
  } else if (held.phase == Phase::kRunning) {
    const absl::Status status = StartRelay(held);
    if (!status.ok())
      LogError("a relay can't be started",
               {{"allocation", held.id.ToString()}, {"cause", std::string(status.message())}});
    WatchRun(held.id);
    LogInfo("task taken up", {{"allocation", held.id.ToString()}});
  }
}

void AgentServer::Body::TakeUpLeftovers() {
  for (const RunFiles::Leftover& leftover : files_->List()) {
    if (core_->held().contains(leftover.id)) continue;
    shipper_->Add(leftover.id,
                  {.allocation = leftover.id.value(),
                   .trial = leftover.trial,
                   .reports_directory = files_->ReportsDirectory(leftover.id),
                   .log_directory = files_->LogDirectory(leftover.id)});
    ForgetRun(leftover.id);
  }
}

void AgentServer::Body::Connect() {
  ControlLink::Events events;
  events.hello = [this] {
    // The core is the loop's: ask it there.
    auto hello = std::make_shared<std::promise<v1::Hello>>();
    std::future<v1::Hello> future = hello->get_future();
    if (!loop_.Post([this, hello] { hello->set_value(Hello()); })) return v1::Hello();
    return future.get();
  };
  events.on_welcome = [this](const v1::Welcome& welcome) {
    Post([this, welcome] {
      if (cluster_id_.empty()) {
        cluster_id_ = welcome.cluster_id();
        AtomicWriteFile(StrCat(config_.data_dir, "/cluster"), cluster_id_, 0600).IgnoreError();
      }
      Do(core_->OnWelcome(welcome.epoch(), absl::Now()));
      generation_ = core_->generation();
    });
  };
  events.on_desired = [this](const v1::DesiredSet& desired) {
    Post([this, desired] {
      Do(core_->OnDesired(FromProto(desired), absl::Now()));
      generation_ = core_->generation();
    });
  };
  events.on_status_ack = [this](const v1::StatusAck& ack) {
    Post([this, ack] {
      Do(core_->OnStatusAck(AllocationId(ack.allocation()), FromProto(ack.state())));
    });
  };
  events.on_disconnected = [this] { Post([this] { core_->OnDisconnected(); }); };
  events.generation = [this] { return generation_.load(); };
  link_ = std::make_unique<ControlLink>(master_, std::move(events));
  link_->Start();
}

v1::Hello AgentServer::Body::Hello() {
  v1::Hello hello;
  hello.set_agent_id(config_.agent_id);
  hello.set_instance(instance_);
  hello.set_boot_id(boot_id_);
  hello.set_version(std::string(kVersion));
  hello.set_pool(config_.pool);
  hello.set_address(config_.agent_id);
  hello.set_cluster_id(cluster_id_);
  for (const Device& device : devices_) {
    v1::Slot* slot = hello.add_slots();
    slot->set_index(device.index);
    slot->set_kind(device.kind);
    slot->set_name(device.name);
  }
  for (const auto& [id, phase] : core_->Hello()) {
    v1::HeldAllocation* held = hello.add_held();
    held->set_id(id.value());
    held->set_state(ToProto(phase));
  }
  return hello;
}

void AgentServer::Body::Tick() {
  timer_.After(kTick, [this] {
    Post([this] { Do(core_->OnTick(absl::Now())); });
    Tick();
  });
}

void AgentServer::Body::Do(const Actions& actions) {
  for (const Action& action : actions) {
    // What follows an action may depend on it, and it may have been given up.
    if (stopping_) return;
    DoOne(action);
  }
}

void AgentServer::Body::DoOne(const Action& action) {
  const auto stop = [&](AllocationId id, const absl::Status& status) {
    if (!status.ok())
      LogError("a task can't be stopped",
               {{"allocation", id.ToString()}, {"cause", std::string(status.message())}});
  };
  std::visit(
      overloaded{
          [&](const Save& a) {
            SaveHeld(a.held);
            // Nobody needs what is being fetched for it.
            const bool leaves = a.held.level != StopLevel::kRun || a.held.dropped;
            const auto checkpoints = checkpoints_.find(a.held.id);
            if (a.held.phase == Phase::kPreparing && leaves && checkpoints != checkpoints_.end()) {
              checkpoints->second->Cancel();
            }
          },
          [&](const Forget& a) {
            state_->Forget(a.id).IgnoreError();
            ForgetRun(a.id);
          },
          [&](const Prepare& a) { PrepareRun(a.id); },
          [&](const agent::Start& a) { StartRun(a.id); },
          [&](const Preempt& a) {
            const auto relay = relays_.find(a.id);
            if (relay != relays_.end()) relay->second->Preempt(core_->held().at(a.id).level_reason);
          },
          [&](const Terminate& a) { stop(a.id, runtime_->Terminate(files_->Directory(a.id))); },
          [&](const Kill& a) { stop(a.id, runtime_->Kill(files_->Directory(a.id))); },
          [&](const SendStatus& a) { link_->Send(ToProto(a)); },
      },
      action);
}

// Nothing that depends on a record may happen before it is on disk: a full disk holds everything
// up, said aloud, until there is room.
void AgentServer::Body::SaveHeld(const Held& held) {
  bool said = false;
  while (!stopping_) {
    const absl::Status status = state_->Save(held);
    if (status.ok()) return;
    if (!said)
      LogError("the agent's state can't be saved; waiting",
               {{"cause", std::string(status.message())}});
    said = true;
    PauseFor(kSaveRetry);
  }
}

void AgentServer::Body::PrepareRun(AllocationId id) {
  const auto held = core_->held().find(id);
  if (held == core_->held().end()) return;
  workers_.Post([this, copy = held->second, cluster = cluster_id_] {
    const absl::Status status = files_->Prepare(copy, cluster);
    const bool users = absl::IsInvalidArgument(status);
    Post([this, id = copy.id, status, users] {
      if (status.ok()) return FetchLatest(id);
      Prepared(id, status, users ? ExitKind::kStartFailed : ExitKind::kPrepareFailed);
    });
  });
}

void AgentServer::Body::Prepared(AllocationId id, const absl::Status& status, ExitKind kind) {
  std::optional<Exit> failure;
  if (!status.ok()) failure = Exit{.kind = kind, .text = std::string(status.message())};
  Do(core_->OnPrepared(id, failure, absl::Now()));
}

// The checkpoint that the run goes on from lies in the trial's folder before the trial begins.
void AgentServer::Body::FetchLatest(AllocationId id) {
  const auto held = core_->held().find(id);
  if (held == core_->held().end()) return;
  const auto failed = [&](const absl::Status& s) { Prepared(id, s, ExitKind::kPrepareFailed); };
  const absl::StatusOr<v1::RunOrder> order = files_->Order(held->second);
  if (!order.ok()) return failed(order.status());
  const auto checkpoints = CheckpointsOf(id);
  if (!checkpoints.ok()) return failed(checkpoints.status());
  const bool stays = held->second.level == StopLevel::kRun && !held->second.dropped;
  if (*checkpoints == nullptr || order->latest_checkpoint().empty() || !stays) {
    return failed(absl::OkStatus());
  }
  transfers_.Post([this, id, its = *checkpoints, uuid = order->latest_checkpoint()] {
    const absl::Status status = its->Fetch(uuid);
    // Wrong keys, say, stay wrong: that counts as the trial's failure and so comes to an end.
    const ExitKind kind = MayPass(status) ? ExitKind::kPrepareFailed : ExitKind::kStartFailed;
    Post([this, id, status, kind] { Prepared(id, status, kind); });
  });
}

absl::StatusOr<std::shared_ptr<RunCheckpoints>> AgentServer::Body::CheckpointsOf(AllocationId id) {
  const auto known = checkpoints_.find(id);
  if (known != checkpoints_.end()) return known->second;
  DET_ASSIGN_OR_RETURN(std::shared_ptr<RunCheckpoints> made,
                       files_->Checkpoints(id, {.clock = &clock_, .stopping = &stopping_}));
  if (made != nullptr) checkpoints_[id] = made;
  return made;
}

absl::Status AgentServer::Body::StartRelay(const Held& held) {
  if (relays_.contains(held.id)) return absl::OkStatus();
  DET_ASSIGN_OR_RETURN(const v1::RunOrder order, files_->Order(held));
  DET_ASSIGN_OR_RETURN(const Secret token, files_->Token(held.id));
  Relay::Options options{.socket_path = files_->SocketPath(held.id),
                         .spool_directory = files_->ReportsDirectory(held.id),
                         .token = token,
                         .transfers = &transfers_};
  DET_ASSIGN_OR_RETURN(options.checkpoints, CheckpointsOf(held.id));
  options.info.set_experiment(order.experiment());
  options.info.set_trial(order.trial());
  options.info.set_allocation(held.id.value());
  options.info.set_run(held.run);
  options.info.set_hparams_json(order.hparams_json());
  options.info.set_config_json(order.config_json());
  options.info.set_seed(order.seed());
  options.info.set_checkpoint_directory(order.checkpoint_directory());
  options.info.set_latest_checkpoint(order.latest_checkpoint());
  options.info.set_steps_completed(order.steps_completed());
  const AllocationId id = held.id;
  Relay::Events events{
      .on_report = [this] { shipper_->Wake(); },
      .on_preemption_watched = [this,
                                id] { Post([this, id] { Do(core_->OnPreemptionWatched(id)); }); },
      .on_preemption_acked = [this, id] { Post([this, id] { Do(core_->OnPreemptAcked(id)); }); }};
  DET_ASSIGN_OR_RETURN(relays_[id], Relay::Start(std::move(options), std::move(events), timer_));
  return absl::OkStatus();
}

void AgentServer::Body::StartRun(AllocationId id) {
  const Held held = core_->held().at(id);
  v1::RunOrder order;
  order.ParseFromString(held.order);
  absl::Status status = StartRelay(held);
  absl::StatusOr<CommandLine> command = files_->Command(held, cluster_id_);
  if (status.ok()) status = command.status();
  if (!status.ok()) {
    return Post([this, id, text = std::string(status.message())] {
      Do(core_->OnStarted(id, text, absl::Now()));
    });
  }
  shipper_->Add(id,
                {.allocation = id.value(),
                 .trial = order.trial(),
                 .reports_directory = files_->ReportsDirectory(id),
                 .log_directory = files_->LogDirectory(id)});
  TaskSpec spec{.id = id,
                .directory = files_->Directory(id),
                .argv = std::move(command->argv),
                .env = std::move(command->env),
                .workdir = files_->WorkDirectory(id),
                .grace = config_.stop_grace};
  workers_.Post([this, id, spec = std::move(spec)] {
    const absl::Status started = runtime_->Start(spec);
    Post([this, id, started] {
      Do(core_->OnStarted(id, started.ok() ? "" : std::string(started.message()), absl::Now()));
    });
    if (started.ok()) WatchRun(id);
  });
}

// Any thread.
void AgentServer::Body::SampleRun(AllocationId id) {
  if (sampler_ == nullptr) return;
  const absl::StatusOr<ShimRecord> shim = TaskFiles(files_->Directory(id)).ReadShim();
  if (shim.ok()) sampler_->Add(id, shim->shim.pid);
}

// Any thread.
void AgentServer::Body::WatchRun(AllocationId id) {
  SampleRun(id);
  const absl::Status status = runtime_->Watch(files_->Directory(id), [this, id](const Exit& exit) {
    Post([this, id, exit] { Ended(id, exit); });
  });
  if (!status.ok())
    LogError("a task can't be watched",
             {{"allocation", id.ToString()}, {"cause", std::string(status.message())}});
}

void AgentServer::Body::Ended(AllocationId id, const Exit& exit) {
  relays_.erase(id);
  if (sampler_ != nullptr) sampler_->Remove(id);
  shipper_->MarkFinal(id);
  Do(core_->OnExited(id, exit, absl::Now()));
  shipper_->Wake();
}

// The record is gone; the files go when the master has what is in them.
void AgentServer::Body::ForgetRun(AllocationId id) {
  relays_.erase(id);
  if (sampler_ != nullptr) sampler_->Remove(id);
  std::shared_ptr<RunCheckpoints> checkpoints = CheckpointsOf(id).value_or(nullptr);
  checkpoints_.erase(id);
  if (checkpoints != nullptr) checkpoints->Cancel();
  shipper_->Remove(id, [this, id, checkpoints = std::move(checkpoints)] {
    if (checkpoints == nullptr) return RemoveRun(id);
    CleanUpRun(id, checkpoints, kCleanUpRetry);
  });
}

// What the run left half stored in its bucket goes first: its files say what that is. A bucket out
// of reach is waited for, also by the next life of this agent.
void AgentServer::Body::CleanUpRun(AllocationId id,
                                   std::shared_ptr<RunCheckpoints> checkpoints,
                                   absl::Duration pause) {
  transfers_.Post([this, id, checkpoints = std::move(checkpoints), pause] {
    const absl::Status status = checkpoints->CleanUp();
    if (stopping_) return;
    if (!status.ok()) {
      LogWarning("a checkpoint that was never complete is left in its bucket",
                 {{"allocation", id.ToString()}, {"cause", std::string(status.message())}});
    }
    if (!MayPass(status)) return RemoveRun(id);
    timer_.After(pause, [this, id, checkpoints, pause] {
      if (!stopping_) CleanUpRun(id, checkpoints, std::min(2 * pause, kCleanUpRetryMax));
    });
  });
}

void AgentServer::Body::RemoveRun(AllocationId id) {
  workers_.Post([this, id] {
    const absl::Status status = RemoveFiles(id);
    if (!status.ok())
      LogWarning("a task's files can't be removed",
                 {{"allocation", id.ToString()}, {"cause", std::string(status.message())}});
  });
}

absl::Status AgentServer::Body::RemoveFiles(AllocationId id) {
  const std::string directory = files_->Directory(id);
  if (ProcessRuntime::IsDamaged(directory)) {
    DET_ASSIGN_OR_RETURN(const Found found, runtime_->Inspect(directory));
    if (found.state == Found::State::kRunning)
      return Error(absl::StatusCode::kFailedPrecondition, "TASK_RUNNING", "it runs");
    DET_ASSIGN_OR_RETURN(const std::string kept, files_->PutAside(id));
    LogWarning("the files of a damaged task are kept",
               {{"allocation", id.ToString()}, {"where", kept}});
    return absl::OkStatus();
  }
  DET_RETURN_IF_ERROR(runtime_->Remove(directory));
  return files_->Remove(id);
}

AgentServer::AgentServer(std::unique_ptr<Body> body) : body_(std::move(body)) {}
AgentServer::~AgentServer() = default;

absl::StatusOr<std::unique_ptr<AgentServer>> AgentServer::Start(const AgentConfig& config) {
  auto body = std::make_unique<Body>(config);
  DET_RETURN_IF_ERROR(body->Start());
  return std::unique_ptr<AgentServer>(new AgentServer(std::move(body)));
}

}  // namespace det::agent
