#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "agent/core/agent_core.h"
#include "common/base/archive.h"
#include "common/base/overload.h"

namespace det::agent {

// A host with an agent's core on it: a disk, processes that are started at most once, a master that
// acknowledges. It carries actions out, checks what each may rely on, and can lose the agent
// between any two of them.
class CoreHost {
 public:
  CoreHost() { Restart(); }

  // A new life of the agent, from what is on the disk.
  void Restart() {
    pending_.clear();
    connected_ = false;
    alive_ = true;
    std::vector<Held> saved;
    std::map<AllocationId, Found> found;
    for (const auto& [id, held] : disk_) {
      saved.push_back(held);
      found[id] = runtime_[id];
    }
    Actions actions;
    core_.emplace(saved, found, &actions);
    Do(actions);
    // As det-agent does it: what is over is shipped to its end.
    for (const auto& [id, held] : core_->held()) MaybeDrain(held);
  }

  void Connect(int64_t epoch = 1) {
    connected_ = true;
    Do(core_->OnWelcome(epoch, now_));
  }
  void Disconnect() {
    connected_ = false;
    core_->OnDisconnected();
  }
  void Desire(std::vector<Wanted> wanted, int64_t generation, int64_t epoch = 1) {
    Do(core_->OnDesired(
        {.epoch = epoch, .generation = generation, .allocations = std::move(wanted)}, now_));
  }
  // Time passes.
  void Tick(absl::Duration time = absl::Seconds(6)) {
    now_ += time;
    Do(core_->OnTick(now_));
  }
  // The i-th thing that is under way on this host comes about.
  bool Step(size_t i = 0) {
    if (pending_.empty()) return false;
    const auto it = pending_.begin() + static_cast<std::ptrdiff_t>(i % pending_.size());
    const Pending step = *it;
    pending_.erase(it);
    Happen(step);
    return true;
  }
  void Settle() {
    while (Step()) continue;
  }
  // The program ends by itself.
  void End(AllocationId id, Exit exit = {}) {
    if (runtime_[id].state != Found::State::kRunning) return;
    runtime_[id] = {Found::State::kExited, std::move(exit)};
    pending_.push_back({Pending::kExited, id});
  }
  // The actions are cut short after so many: the agent is killed.
  void CrashAfter(int actions) { left_ = actions; }
  void FailPreparing(AllocationId id) { prepare_fails_.insert(id); }
  void FailStarting(AllocationId id) { start_fails_.insert(id); }
  void Acknowledge(AllocationId id, Phase phase) { Do(core_->OnStatusAck(id, phase)); }
  void WatchPreemption(AllocationId id) { Do(core_->OnPreemptionWatched(id)); }
  void AckPreemption(AllocationId id) { Do(core_->OnPreemptAcked(id)); }

  AgentCore& core() { return *core_; }
  std::map<AllocationId, Held>& disk() { return disk_; }
  std::map<AllocationId, Found>& runtime() { return runtime_; }
  bool alive() const { return alive_; }
  // Statuses since the last call.
  std::vector<SendStatus> TakeSent() { return std::exchange(sent_, {}); }
  // Names of the actions since the last call, "Save 1".
  std::vector<std::string> TakeLog() { return std::exchange(log_, {}); }
  int starts(AllocationId id) const { return starts_.contains(id) ? starts_.at(id) : 0; }
  bool reports_hang = false;  // nothing is drained

 private:
  struct Pending {
    enum Kind : uint8_t { kPrepared, kStarted, kExited, kDrained } kind;
    AllocationId id;
  };

  void MaybeDrain(const Held& held) {
    if (held.phase == Phase::kExited && !held.drained && !reports_hang)
      pending_.push_back({Pending::kDrained, held.id});
  }

  void Happen(const Pending& step) {
    Found& found = runtime_[step.id];
    switch (step.kind) {
      case Pending::kPrepared:
        return Do(core_->OnPrepared(step.id,
                                    prepare_fails_.contains(step.id)
                                        ? std::optional(Exit{.kind = ExitKind::kPrepareFailed})
                                        : std::nullopt,
                                    now_));
      case Pending::kStarted: {
        const bool fails = start_fails_.contains(step.id);
        if (!fails && found.state == Found::State::kNothing) {
          found.state = Found::State::kRunning;
          ++starts_[step.id];
        }
        Do(core_->OnStarted(step.id, fails ? "no room" : "", now_));
        if (found.state == Found::State::kExited) pending_.push_back({Pending::kExited, step.id});
        return;
      }
      case Pending::kExited: {
        Do(core_->OnExited(step.id, found.exit, now_));
        const auto held = core_->held().find(step.id);
        if (held != core_->held().end()) MaybeDrain(held->second);
        return;
      }
      case Pending::kDrained:
        return Do(core_->OnDrained(step.id, now_));
    }
  }

  void Do(const Actions& actions) {
    for (const Action& action : actions) {
      if (!alive_) return;
      if (left_ >= 0 && left_-- == 0) {
        alive_ = false;
        return;
      }
      std::visit(overloaded{[&](const Save& a) { disk_[a.held.id] = a.held; },
                            [&](const auto& a) { Check(a.id); }},
                 action);
      std::visit([&](const auto& a) { DoOne(a); }, action);
    }
  }

  // What the agent acts on is on its disk; one that starts is there as one that is prepared.
  void Check(AllocationId id) {
    const auto held = core_->held().find(id);
    if (held == core_->held().end()) return;  // it is about to be forgotten
    ASSERT_TRUE(disk_.contains(id)) << id;
    Held expected = held->second;
    if (expected.phase == Phase::kStarting) expected.phase = disk_.at(id).phase;
    EXPECT_GE(disk_.at(id).phase, std::min(held->second.phase, Phase::kPreparing)) << id;
    EXPECT_EQ(EncodeArchive(disk_.at(id)), EncodeArchive(expected)) << id;
  }

  void Note(std::string_view name, AllocationId id) {
    log_.push_back(std::string(name) + " " + id.ToString());
  }
  void DoOne(const Save& a) { Note("Save", a.held.id); }
  void DoOne(const Forget& a) {
    Note("Forget", a.id);
    EXPECT_NE(runtime_[a.id].state, Found::State::kRunning) << "forgotten while it runs: " << a.id;
    disk_.erase(a.id);
  }
  void DoOne(const Prepare& a) {
    Note("Prepare", a.id);
    EXPECT_EQ(runtime_[a.id].state, Found::State::kNothing) << "prepared again: " << a.id;
    pending_.push_back({Pending::kPrepared, a.id});
  }
  void DoOne(const Start& a) {
    Note("Start", a.id);
    pending_.push_back({Pending::kStarted, a.id});
  }
  void DoOne(const Preempt& a) { Note("Preempt", a.id); }
  void DoOne(const Terminate& a) {
    Note("Terminate", a.id);
    End(a.id, {.kind = ExitKind::kSignaled, .signal = 15});
  }
  void DoOne(const Kill& a) {
    Note("Kill", a.id);
    End(a.id, {.kind = ExitKind::kSignaled, .signal = 9});
  }
  void DoOne(const SendStatus& a) {
    Note("SendStatus", a.id);
    EXPECT_TRUE(connected_);
    const Held& held = core_->held().at(a.id);
    if (a.phase == Phase::kExited) {
      EXPECT_TRUE(held.drained) << "told before its last report: " << a.id;
    }
    sent_.push_back(a);
  }

  std::map<AllocationId, Held> disk_;
  std::map<AllocationId, Found> runtime_;
  std::map<AllocationId, int> starts_;
  std::set<AllocationId> prepare_fails_;
  std::set<AllocationId> start_fails_;
  std::vector<Pending> pending_;
  std::vector<SendStatus> sent_;
  std::vector<std::string> log_;
  std::optional<AgentCore> core_;
  absl::Time now_ = absl::FromUnixSeconds(1'000'000);
  bool connected_ = false;
  bool alive_ = true;
  int left_ = -1;
};

}  // namespace det::agent
