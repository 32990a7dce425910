#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"

#include "common/base/ids.h"

// The agent's decisions, pure: what the master wants and what the runtime says go in, actions come
// out. The same code runs in det-agent and in the simulation.
namespace det::agent {

enum class StopLevel : uint8_t { kRun, kPreempt, kKill };

// Only ever forward. Saved at each step but kStarting, before the step's action.
enum class Phase : uint8_t {
  kAccepted,   // saved, nothing done yet
  kPreparing,  // its directory is made and its context fetched
  kStarting,
  kRunning,
  kExited,
};

enum class ExitKind : uint8_t {
  kExited,
  kSignaled,
  kOutOfMemory,
  kStartFailed,
  kPrepareFailed,
  kLost,
};

struct Exit {
  ExitKind kind = ExitKind::kExited;
  int64_t code = 0;
  int64_t signal = 0;
  bool on_order = false;
  std::string text;
};

// An allocation that the agent holds: the record that survives its restart.
struct Held {
  AllocationId id;
  int64_t run = 1;
  std::vector<int> slots;
  std::string order;  // all that is needed to start it; the core does not look inside
  Phase phase = Phase::kAccepted;
  StopLevel level = StopLevel::kRun;
  std::string level_reason;
  bool terminated = false;          // SIGTERM or SIGKILL was ordered
  bool watches_preemption = false;  // it asked whether to leave, so it will leave by itself
  bool preempt_acked = false;       // it said that it leaves because it was asked to
  Exit exit;                        // with kExited
  bool drained = false;             // every report of it is with the master
  bool dropped = false;             // the master no longer wants it: forget it once it has exited
};

template <class A>
void Fields(A& a, Exit& x) {
  a(x.kind, x.code, x.signal, x.on_order, x.text);
}
template <class A>
void Fields(A& a, Held& x) {
  a(x.id,
    x.run,
    x.slots,
    x.order,
    x.phase,
    x.level,
    x.level_reason,
    x.terminated,
    x.watches_preemption,
    x.preempt_acked,
    x.exit,
    x.drained,
    x.dropped);
}

struct Wanted {
  AllocationId id;
  int64_t run = 1;
  std::vector<int> slots;
  StopLevel level = StopLevel::kRun;
  std::string reason;
  std::string order;  // "" when the master believes it held
};

struct DesiredSet {
  int64_t epoch = 0;
  int64_t generation = 0;
  std::vector<Wanted> allocations;
};

// Actions, to be carried out in order. All but Save and Forget may be lost in a crash: a restarted
// agent derives them again.
struct Save {
  Held held;  // must be durable before the actions after it
};
struct Forget {
  AllocationId id;  // its record, directory and spool go
};
struct Prepare {
  AllocationId id;  // may be asked for again; answers OnPrepared
};
struct Start {
  AllocationId id;  // at most one process ever runs for it, however often asked; answers OnStarted
};
struct Preempt {
  AllocationId id;  // whoever asks is told to leave
};
struct Terminate {
  AllocationId id;  // SIGTERM to its tree, SIGKILL after the grace
};
struct Kill {
  AllocationId id;  // SIGKILL to its tree
};
struct SendStatus {
  AllocationId id;
  Phase phase = Phase::kAccepted;
  Exit exit;
};
using Action = std::variant<Save, Forget, Prepare, Start, Preempt, Terminate, Kill, SendStatus>;
using Actions = std::vector<Action>;

// What the runtime knows of an allocation after a restart of the agent.
struct Found {
  enum class State : uint8_t { kNothing, kRunning, kExited };
  State state = State::kNothing;
  Exit exit;
};

// Statuses that were not acknowledged are sent again after so long.
inline constexpr absl::Duration kStatusResend = absl::Seconds(5);

class AgentCore {
 public:
  // Takes up what an earlier life saved. Actions in `restart`.
  AgentCore(std::vector<Held> saved, const std::map<AllocationId, Found>& found, Actions* restart);

  // A new control connection: everything held goes into the hello, then statuses are sent again.
  std::vector<std::pair<AllocationId, Phase>> Hello() const;
  Actions OnWelcome(int64_t epoch, absl::Time now);
  void OnDisconnected();

  // Sets of an older epoch or generation are refused.
  Actions OnDesired(const DesiredSet& desired, absl::Time now);
  Actions OnStatusAck(AllocationId id, Phase phase);

  // Answers of the runtime and the relay. Of unknown allocations: ignored.
  Actions OnPrepared(AllocationId id, const std::optional<Exit>& failure, absl::Time now);
  Actions OnStarted(AllocationId id, const std::string& error, absl::Time now);
  Actions OnExited(AllocationId id, const Exit& exit, absl::Time now);
  Actions OnDrained(AllocationId id, absl::Time now);
  Actions OnPreemptionWatched(AllocationId id);
  Actions OnPreemptAcked(AllocationId id);

  // Sends again what was not acknowledged for kStatusResend.
  Actions OnTick(absl::Time now);

  int64_t generation() const { return generation_; }
  int64_t epoch() const { return epoch_; }
  const std::map<AllocationId, Held>& held() const { return held_; }

 private:
  struct Unacked {
    absl::Time sent;
  };

  Held* Find(AllocationId id);
  static void OrderAgain(const Held& held, Actions* actions);
  void Accept(const Wanted& wanted, absl::Time now, Actions* actions);
  void Raise(Held& held, const Wanted& wanted, absl::Time now, Actions* actions);
  void Drop(Held& held, absl::Time now, Actions* actions);
  void Finish(Held& held, Exit exit, absl::Time now, Actions* actions);
  void Report(const Held& held, absl::Time now, Actions* actions);

  std::map<AllocationId, Held> held_;
  std::map<AllocationId, Unacked> unacked_;
  bool connected_ = false;
  int64_t epoch_ = 0;
  int64_t generation_ = 0;
};

}  // namespace det::agent
