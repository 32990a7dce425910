#include "master/engine/engine.h"

#include <algorithm>

#include "common/base/overload.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/log/log.h"
#include "common/os/pause.h"
#include "master/core/limits.h"
#include "master/engine/limits.h"

namespace det::engine {
namespace {

constexpr absl::Duration kIdleTurn = absl::Seconds(1);
constexpr absl::Duration kRenewEvery = absl::Seconds(1);
constexpr absl::Duration kStopPatience = absl::Seconds(1);

absl::Status Stopped() {
  return Error(
      absl::StatusCode::kUnavailable, "MASTER_STOPPING", "the master is stopping", "try again");
}

// Answers its caller exactly once, at the latest when it goes.
class OnceReply {
 public:
  explicit OnceReply(Engine::Reply reply) : reply_(std::move(reply)) {}
  OnceReply(OnceReply&& other) noexcept : reply_(std::exchange(other.reply_, nullptr)) {}
  OnceReply& operator=(OnceReply&&) = delete;
  ~OnceReply() {
    if (reply_) reply_(Stopped());
  }
  void operator()(absl::StatusOr<core::Events> result) {
    if (Engine::Reply reply = std::exchange(reply_, nullptr)) reply(std::move(result));
  }

 private:
  Engine::Reply reply_;
};

absl::Status Behind(int64_t bound, std::string_view what) {
  return Error(absl::StatusCode::kResourceExhausted,
               "STORE_BEHIND",
               StrCat(bound, " ", what, " wait for the master's database"),
               "try again once it answers; the master's log says what is wrong with it");
}

// Counts itself for as long as it lives.
class Counted {
 public:
  explicit Counted(std::atomic<int64_t>& count) : count_(&count) { ++count; }
  Counted(Counted&& other) noexcept : count_(std::exchange(other.count_, nullptr)) {}
  Counted& operator=(Counted&&) = delete;
  ~Counted() {
    if (count_ != nullptr) --*count_;
  }

 private:
  std::atomic<int64_t>* count_;
};

// What a command brings that may be large.
int64_t BytesOf(const core::Command& command) {
  const size_t bytes =
      std::visit(overloaded{
                     [](const core::CreateExperiment& c) { return c.config_text.size(); },
                     [](const core::ReportValidation& c) { return c.metrics.ToJson().size(); },
                     [](const core::ReportCheckpoint& c) {
                       return c.files.ToJson().size() + c.metadata.ToJson().size();
                     },
                     [](const auto&) { return size_t{0}; },
                 },
                 command.body);
  return static_cast<int64_t>(bytes);
}

bool IsWorthAnotherTry(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnavailable ||
         status.code() == absl::StatusCode::kUnknown;
}

// The connection breaks each time, and the store is there each time: it is the commit.
absl::Status Refused(const journal::Batch& batch, const absl::Status& cause) {
  return Error(absl::StatusCode::kDataLoss,
               "COMMIT_REFUSED",
               StrCat("the database answers, but broke off ",
                      kCommitTriesMax,
                      " tries of a commit of ",
                      batch.events.size(),
                      " events, about ",
                      journal::ApproximateBytes(batch),
                      " bytes: ",
                      FromAbsl(cause.message())),
               "its log says why; nothing of the commit was written");
}

}  // namespace

absl::StatusOr<int64_t> AcquireLease(journal::Journal& journal,
                                     const std::function<bool()>& stopped) {
  std::string said;
  while (!stopped()) {
    absl::StatusOr<int64_t> epoch = journal.Acquire();
    if (epoch.ok() || epoch.status().code() != absl::StatusCode::kUnavailable) return epoch;
    if (const std::string reason = ErrorReason(epoch.status()); reason != said) {
      LogInfo("waiting for the lease", {{"cause", std::string(epoch.status().message())}});
      said = reason;
    }
    PauseFor(absl::Milliseconds(200));
  }
  return Stopped();
}

Engine::Engine(Deps deps, int64_t epoch, Recovered recovered)
    : deps_(std::move(deps)),
      epoch_(epoch),
      stepper_(std::move(recovered.state), std::move(recovered.snapshotter), {}),
      gate_(stepper_.state().seq) {
  durable_ = stepper_.state().seq;
  Post({{core::Role::kMaster, "master"}, core::StartMaster{}}, [](const auto&) {});
  core_thread_ = std::thread([this] { CoreLoop(); });
  journal_thread_ = std::thread([this] { JournalLoop(); });
}

Engine::~Engine() {
  Stop();
}

void Engine::Stop() {
  if (!core_thread_.joinable()) return;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    give_up_ = deps_.steady() + kStopPatience;
  }
  core_wake_.NotifyAll();
  journal_wake_.NotifyAll();
  core_thread_.join();
  journal_thread_.join();
  // They answer their callers as they go, outside of the lock.
  std::vector<OutputGate::Output> dropped;
  MutexLock lock(mutex_);
  dropped = gate_.Abandon();
}

absl::Status Engine::CheckRoom(int64_t commands) const {
  if (static_cast<int64_t>(jobs_.size()) + commands > kCommandsQueuedMax) {
    return Error(absl::StatusCode::kResourceExhausted,
                 "MASTER_BUSY",
                 StrCat(kCommandsQueuedMax, " commands wait for the master"),
                 "try again in a moment");
  }
  if (gate_.size() >= kOutputsHeldMax) return Behind(kOutputsHeldMax, "answers");
  return absl::OkStatus();
}

bool Engine::HasRoom(int64_t commands) {
  MutexLock lock(mutex_);
  return CheckRoom(commands).ok();
}

absl::Status Engine::Enqueue(Job job, Room room) {
  {
    MutexLock lock(mutex_);
    if (stopping_) return Stopped();
    if (room == Room::kBounded) DET_RETURN_IF_ERROR(CheckRoom());
    jobs_.push_back(std::move(job));
    queued_.store(static_cast<int64_t>(jobs_.size()), std::memory_order_relaxed);
  }
  core_wake_.NotifyOne();
  return absl::OkStatus();
}

void Engine::Post(core::Command command, Reply reply) {
  Submit(std::move(command), std::nullopt, std::move(reply));
}

void Engine::Connect(core::Command connect, AgentReconciler::Send send, Reply reply) {
  Submit(std::move(connect), std::move(send), std::move(reply));
}

void Engine::Submit(core::Command command, std::optional<AgentReconciler::Send> send, Reply reply) {
  auto once = std::make_shared<OnceReply>(std::move(reply));
  const int64_t bytes = BytesOf(command);
  const Room room =
      std::holds_alternative<core::DisconnectAgent>(command.body) ? Room::kAlways : Room::kBounded;
  auto run = [this, command = std::move(command), send = std::move(send), once]() mutable {
    RunCommand(command, std::move(send), [once](absl::StatusOr<core::Events> result) {
      (*once)(std::move(result));
    });
  };
  const absl::Status queued = Enqueue({std::move(run), bytes}, room);
  if (!queued.ok()) (*once)(queued);
}

void Engine::Heartbeat(const AgentId& agent, int64_t session, int64_t generation) {
  // One that finds no room is made good by the next.
  Enqueue({[this, agent, session, generation] {
    EmitAll(reconciler_.OnHeartbeat(stepper_.state(), agent, session, generation));
  }}).IgnoreError();
}

absl::Status Engine::Read(Query query) {
  if (reads_.load(std::memory_order_relaxed) >= kReadsHeldMax)
    return Behind(kReadsHeldMax, "reads");
  return Enqueue({[this, query = std::move(query), counted = Counted(reads_)]() mutable {
    Emit([output = query(stepper_.state()), counted = std::move(counted)]() mutable { output(); });
  }});
}

absl::Status Engine::Follow(OutputGate::Output then) {
  return Enqueue({[this, then = std::move(then)]() mutable { Emit(std::move(then)); }});
}

void Engine::RunCommand(const core::Command& command,
                        std::optional<AgentReconciler::Send> send,
                        Reply reply) {
  absl::StatusOr<core::Events> result = stepper_.Run(command, deps_.clock.Now());
  if (send.has_value() && result.ok()) {
    const auto& connected = std::get<core::AgentConnected>(result->front());
    reconciler_.Attach(connected.id, connected.session, *std::move(send));
  }
  if (const auto* gone = std::get_if<core::DisconnectAgent>(&command.body)) {
    reconciler_.Detach(gone->id, gone->session);
  }
  Emit([reply = std::move(reply), result = std::move(result)]() mutable {
    reply(std::move(result));
  });
}

void Engine::Emit(OutputGate::Output output) {
  outputs_.emplace_back(stepper_.state().seq, std::move(output));
}

void Engine::EmitAll(std::vector<AgentReconciler::Delivery> deliveries) {
  for (AgentReconciler::Delivery& delivery : deliveries) {
    Emit([delivery = std::move(delivery)] { delivery.send(delivery.set); });
  }
}

void Engine::CoreLoop() {
  while (true) {
    std::deque<Job> jobs = NextJobs();
    {
      MutexLock lock(mutex_);
      if (stopping_ && jobs.empty()) break;
    }
    Turn(std::move(jobs));
  }
  MutexLock lock(mutex_);
  core_done_ = true;
  journal_wake_.NotifyAll();
}

// Waits for something to do: commands, a deadline, or a second gone by. While too much is not
// durable yet it waits for that instead.
std::deque<Engine::Job> Engine::NextJobs() {
  const absl::Duration until_due = core::NextDeadline(stepper_.state()) - deps_.clock.Now();
  const absl::Duration patience = std::clamp(until_due, absl::ZeroDuration(), kIdleTurn);
  MutexLock lock(mutex_);
  if (jobs_.empty() && !stopping_) core_wake_.WaitFor(mutex_, patience);
  while (commits_.events() > kEventsUncommittedMax && !stopping_) core_wake_.Wait(mutex_);
  std::deque<Job> jobs;
  int64_t bytes = 0;
  while (!jobs_.empty() && static_cast<int64_t>(jobs.size()) < kCommandsPerTurnMax) {
    // What a turn leads to is one commit.
    bytes += jobs_.front().bytes;
    if (!jobs.empty() && bytes > kBytesPerTurnMax) break;
    jobs.push_back(std::move(jobs_.front()));
    jobs_.pop_front();
  }
  queued_.store(static_cast<int64_t>(jobs_.size()), std::memory_order_relaxed);
  return jobs;
}

void Engine::Turn(std::deque<Job> jobs) {
  for (Job& job : jobs) job.run();
  const absl::Time now = deps_.clock.Now();
  const absl::Duration begun = deps_.steady();
  stepper_.RunDue(now);
  const absl::Status scheduled = stepper_.Schedule(now);
  if (!scheduled.ok())
    LogError("the scheduler made a bad plan", {{"cause", std::string(scheduled.message())}});
  EmitAll(reconciler_.Collect(stepper_.state(), stepper_.TakeTouchedAgents()));
  deps_.probe.OnTurn(static_cast<int64_t>(jobs.size()), deps_.steady() - begun);
  Publish(stepper_.Seal());
}

void Engine::Publish(std::optional<journal::Batch> batch) {
  std::vector<OutputGate::Output> at_once;
  std::vector<OutputGate::Output> dropped;
  {
    MutexLock lock(mutex_);
    if (batch.has_value()) commits_.Push(*std::move(batch));
    for (auto& [seq, output] : outputs_) {
      if (auto now = gate_.Hold(seq, std::move(output))) at_once.push_back(*std::move(now));
    }
    if (failed_) dropped = gate_.Abandon();
  }
  outputs_.clear();
  journal_wake_.NotifyOne();
  for (OutputGate::Output& output : at_once) output();
}

void Engine::JournalLoop() {
  absl::Duration renewed = deps_.steady();
  while (true) {
    std::optional<journal::Batch> batch = NextBatch();
    absl::Status status;
    if (batch.has_value()) {
      status = Commit(*batch);
    } else {
      MutexLock lock(mutex_);
      if (core_done_ && commits_.empty()) return;
    }
    if (status.ok() && deps_.steady() - renewed >= kRenewEvery) {
      status = deps_.journal.Renew();
      renewed = deps_.steady();
      if (status.code() == absl::StatusCode::kUnavailable) status = absl::OkStatus();  // next time
    }
    if (status.code() == absl::StatusCode::kCancelled) return;
    if (!status.ok()) return Fatal(status);
  }
}

std::optional<journal::Batch> Engine::NextBatch() {
  MutexLock lock(mutex_);
  if (commits_.empty() && !core_done_) journal_wake_.WaitFor(mutex_, kRenewEvery);
  return commits_.Pop();
}

// Until the batch is durable, however long the store is away. kCancelled: the engine is stopping
// and the store does not answer.
absl::Status Engine::Commit(const journal::Batch& batch) {
  const absl::Duration begun = deps_.steady();
  absl::Duration pause = kCommitRetryMin;
  absl::Status status = deps_.journal.Append(batch);
  std::string said;
  int64_t refusals = 0;  // while the store answers
  while (!status.ok()) {
    if (!IsWorthAnotherTry(status)) return status;
    if (const std::string cause(status.message()); cause != said) {
      LogWarning("a commit failed",
                 {{"cause", cause}, {"events", std::to_string(batch.events.size())}});
      said = cause;
    }
    deps_.probe.OnCommitRetry();
    if (!Pause(pause)) return absl::CancelledError("stopping");
    pause = std::min(pause * 2, kCommitRetryMax);
    if (status.code() == absl::StatusCode::kUnknown) {
      const absl::StatusOr<bool> durable = deps_.journal.IsDurable(batch);
      if (durable.ok() && *durable) break;
      if (!durable.ok()) {
        const bool again = durable.status().code() == absl::StatusCode::kUnavailable;
        if (!again) return durable.status();
        continue;  // still unknown
      }
      if (++refusals >= kCommitTriesMax) return Refused(batch, status);
    }
    status = deps_.journal.Append(batch);
  }
  if (!said.empty()) LogInfo("commits go on");
  OnCommitted(batch, begun);
  return absl::OkStatus();
}

void Engine::OnCommitted(const journal::Batch& batch, absl::Duration begun) {
  deps_.probe.OnCommit(static_cast<int64_t>(batch.events.size()), deps_.steady() - begun);
  std::vector<OutputGate::Output> released;
  {
    MutexLock lock(mutex_);
    commits_.Committed(batch);
    released = gate_.Release(batch.last_seq());
  }
  durable_.store(batch.last_seq(), std::memory_order_relaxed);
  core_wake_.NotifyOne();
  for (OutputGate::Output& output : released) output();
}

// False when the engine stops and has waited long enough.
bool Engine::Pause(absl::Duration duration) {
  MutexLock lock(mutex_);
  const absl::Duration until = deps_.steady() + duration;
  for (absl::Duration now = deps_.steady(); now < until; now = deps_.steady()) {
    if (now >= give_up_) return false;
    journal_wake_.WaitFor(mutex_, std::min(until, give_up_) - now);
  }
  return true;
}

void Engine::Fatal(const absl::Status& status) {
  LogError("the master can't go on", {{"cause", std::string(status.message())}});
  {
    // What waits for this commit hears so now: who ends the process may wait for its callers first.
    std::vector<OutputGate::Output> dropped;
    MutexLock lock(mutex_);
    stopping_ = failed_ = true;
    dropped = gate_.Abandon();
  }
  core_wake_.NotifyAll();
  deps_.on_fatal(status);
}

}  // namespace det::engine
