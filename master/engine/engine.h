#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"

#include "common/base/mutex.h"
#include "common/clock/clock.h"
#include "common/os/process.h"
#include "master/engine/agent_reconciler.h"
#include "master/engine/commit_queue.h"
#include "master/engine/core_inbox.h"
#include "master/engine/output_gate.h"
#include "master/engine/probe.h"
#include "master/engine/recovery.h"
#include "master/engine/stepper.h"

namespace det::engine {

// The one writer: a core thread that runs commands in order and schedules, and a journal thread
// that commits what they led to. Callers hear nothing before its cause is durable.
class Engine : public CoreInbox {
 public:
  // Runs on the core thread and gives back what to do once everything it saw is durable.
  using Query = absl::AnyInvocable<OutputGate::Output(const core::State&)>;

  struct Deps {
    journal::Journal& journal;
    const Clock& clock;
    Probe& probe;
    // The lease was taken, or the journal contradicts us: the process must end. Called once, on the
    // journal thread.
    std::function<void(absl::Status)> on_fatal;
    // What waiting is measured by: the time of day may be set back. Any thread.
    std::function<absl::Duration()> steady = SteadyNow;
  };

  // With the lease held and the state recovered.
  Engine(Deps deps, int64_t epoch, Recovered recovered);
  // As Stop.
  ~Engine() override;

  // Takes no more commands, commits what is under way, if the store allows it within a second, and
  // answers what waits with kUnavailable. Calls may still come, and are answered so too. Not from
  // two threads, nor from one of the engine's.
  void Stop();

  // Any thread; the reply comes on the journal thread or on one of the engine's. There is no room
  // when the queue is full or too many answers wait for a commit. DisconnectAgent finds room
  // always: there is one a session, and nobody would post it again.
  void Post(core::Command command, Reply reply) override;

  // Is there room for so many commands? Another thread may take it; any thread.
  bool HasRoom(int64_t commands);

  // As Post of `connect`; the agent's desired sets then go to `send` until another session of it
  // begins or DisconnectAgent is posted.
  void Connect(core::Command connect, AgentReconciler::Send send, Reply reply);

  // The agent follows this generation: it is sent the current set if that is newer.
  void Heartbeat(const AgentId& agent, int64_t session, int64_t generation);

  // A read of live state. RESOURCE_EXHAUSTED when the queue is full, or too many reads wait for a
  // commit; kUnavailable when the engine ends.
  absl::Status Read(Query query);

  absl::Status Follow(OutputGate::Output then) override;

  int64_t epoch() const { return epoch_; }
  // Commands waiting; any thread.
  int64_t queued() const { return queued_.load(std::memory_order_relaxed); }
  int64_t durable_seq() const { return durable_.load(std::memory_order_relaxed); }

 private:
  struct Job {
    absl::AnyInvocable<void()> run;  // on the core thread
    int64_t bytes = 0;               // of its command
  };
  using Output = std::pair<int64_t, OutputGate::Output>;

  enum class Room { kBounded, kAlways };
  absl::Status Enqueue(Job job, Room room = Room::kBounded);
  absl::Status CheckRoom(int64_t commands = 1) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Submit(core::Command command, std::optional<AgentReconciler::Send> send, Reply reply);
  void RunCommand(const core::Command& command,
                  std::optional<AgentReconciler::Send> send,
                  Reply reply);
  void Emit(OutputGate::Output output);
  void EmitAll(std::vector<AgentReconciler::Delivery> deliveries);

  void CoreLoop();
  std::deque<Job> NextJobs();
  void Turn(std::deque<Job> jobs);
  void Publish(std::optional<journal::Batch> batch);

  void JournalLoop();
  std::optional<journal::Batch> NextBatch();
  absl::Status Commit(const journal::Batch& batch);
  void OnCommitted(const journal::Batch& batch, absl::Duration begun);
  bool Pause(absl::Duration duration);
  void Fatal(const absl::Status& status);

  Deps deps_;
  const int64_t epoch_;

  // The core thread's own.
  Stepper stepper_;
  AgentReconciler reconciler_;
  std::vector<Output> outputs_;

  Mutex mutex_;
  CondVar core_wake_;
  CondVar journal_wake_;
  std::deque<Job> jobs_ ABSL_GUARDED_BY(mutex_);
  OutputGate gate_ ABSL_GUARDED_BY(mutex_);
  CommitQueue commits_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;  // no more jobs
  bool failed_ ABSL_GUARDED_BY(mutex_) = false;    // nothing more becomes durable
  bool core_done_ ABSL_GUARDED_BY(mutex_) = false;
  // By the steady clock.
  absl::Duration give_up_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteDuration();

  std::atomic<int64_t> queued_{0};
  std::atomic<int64_t> reads_{0};  // queued or held
  std::atomic<int64_t> durable_{0};
  std::thread core_thread_;
  std::thread journal_thread_;
};

// Takes the lease, waiting while another master holds it (a hot standby), until `stopped` says to
// give up.
absl::StatusOr<int64_t> AcquireLease(journal::Journal& journal,
                                     const std::function<bool()>& stopped);

}  // namespace det::engine
