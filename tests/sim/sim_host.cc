#include "tests/sim/sim_host.h"

#include "common/base/overload.h"
#include "common/base/strings.h"

namespace det::sim {
namespace {

core::AllocationState ToState(agent::Phase phase) {
  switch (phase) {
    case agent::Phase::kAccepted:
      return core::AllocationState::kAssigned;
    case agent::Phase::kPreparing:
      return core::AllocationState::kPulling;
    case agent::Phase::kStarting:
      return core::AllocationState::kStarting;
    case agent::Phase::kRunning:
      return core::AllocationState::kRunning;
    case agent::Phase::kExited:
      return core::AllocationState::kTerminated;
  }
  return core::AllocationState::kAssigned;
}

agent::Phase ToPhase(core::AllocationState state) {
  return static_cast<agent::Phase>(state);
}

core::Exit ToExit(const agent::Exit& exit) {
  return {static_cast<core::ExitKind>(exit.kind), exit.code, exit.signal, exit.on_order, exit.text};
}

}  // namespace

void SimHost::Later(absl::Duration delay, std::function<void()> action) {
  deps_.kernel.After(delay, [this, life = life_, action = std::move(action)] {
    if (agent_alive() && life == life_) action();
  });
}

void SimHost::StartAgent() {
  ++life_;
  deps_.kernel.Log(StrCat("agent ", id_.value(), " starts"));
  std::vector<agent::Held> saved;
  std::map<AllocationId, agent::Found> found;
  for (const auto& [id, held] : saved_) {
    saved.push_back(held);
    const auto process = processes_.find(id);
    if (process == processes_.end()) continue;
    using State = agent::Found::State;
    found[id] = {process->second->alive() ? State::kRunning : State::kExited,
                 process->second->exit()};
  }
  agent::Actions actions;
  core_.emplace(std::move(saved), found, &actions);
  Do(actions);
  Later(absl::Milliseconds(10), [this] { Connect(); });
  Later(absl::Milliseconds(500), [this] { Tick(); });
}

void SimHost::Crash(const std::string& why) {
  if (!agent_alive()) return;
  Kernel& kernel = deps_.kernel;
  kernel.Log(StrCat("agent ", id_.value(), " crashes ", why));
  core_.reset();
  preempted_.clear();
  welcomed_ = false;
  for (auto& [id, spool] : spools_) spool.sent = 0;
  if (connection_ != nullptr) deps_.network.Break(connection_);
  connection_ = nullptr;
  if (kernel.Happens(Fault::kHostReboot)) {
    kernel.Log(StrCat("host ", id_.value(), " reboots"));
    for (auto& [id, process] : processes_) {
      process->Kill({.kind = agent::ExitKind::kLost, .text = "the host was restarted"});
    }
  }
  absl::Duration away = absl::Seconds(kernel.rng.Between(0.1, 20));
  if (kernel.Happens(Fault::kAgentAwayLong)) away += absl::Seconds(150);
  kernel.After(away, [this] {
    if (!agent_alive()) StartAgent();
  });
}

void SimHost::Connect() {
  if (connection_ != nullptr && !connection_->broken) return;
  MasterPort* master = deps_.master();
  if (master == nullptr || !deps_.network.Reachable(id_)) {
    return Later(absl::Seconds(deps_.kernel.rng.Between(0.1, 2)), [this] { Connect(); });
  }
  connection_ = std::make_shared<Connection>();
  connection_->id = static_cast<int64_t>(deps_.kernel.rng.Bits() >> 1);
  connection_->agent = id_;
  welcomed_ = false;
  hello_sent_ = deps_.kernel.now();
  core::ConnectAgent hello{
      .id = id_, .pool = "default", .instance = id_.value(), .boot_id = "b", .version = "sim"};
  for (int i = 0; i < slots_; ++i) hello.slots.push_back({i, "artificial", ""});
  for (const auto& [id, phase] : core_->Hello()) hello.held.push_back({id, ToState(phase)});
  deps_.network.Send(connection_, Network::Direction::kToMaster, [master, c = connection_, hello] {
    master->OnHello(c, hello);
  });
}

void SimHost::OnBroken(const std::shared_ptr<Connection>& c) {
  if (!agent_alive() || connection_ != c) return;
  connection_ = nullptr;
  welcomed_ = false;
  core_->OnDisconnected();
  for (auto& [id, spool] : spools_) spool.sent = 0;
  Later(absl::Seconds(deps_.kernel.rng.Between(0.1, 0.5)), [this] { Connect(); });
}

void SimHost::Tick() {
  Kernel& kernel = deps_.kernel;
  if (kernel.CrashesAt(CrashPoint::kAgentIdle)) return Crash("idle");
  Later(absl::Milliseconds(kernel.rng.Between(400, 1500)), [this] { Tick(); });
  if (connection_ != nullptr && !welcomed_ && kernel.now() - hello_sent_ > absl::Seconds(10)) {
    return deps_.network.Break(connection_);  // nobody answers: try again
  }
  Do(core_->OnTick(kernel.now()));
  if (!agent_alive() || connection_ == nullptr || !welcomed_) return;
  MasterPort* master = deps_.master();
  if (master == nullptr) return;
  deps_.network.Send(connection_,
                     Network::Direction::kToMaster,
                     [master, c = connection_, generation = core_->generation()] {
                       master->OnHeartbeat(c, generation);
                     });
  std::vector<AllocationId> ids;
  for (const auto& [id, spool] : spools_) ids.push_back(id);
  for (const AllocationId id : ids) {
    if (agent_alive() && spools_.contains(id)) Ship(id, spools_[id]);
  }
}

// Sends what is new, behind what is not answered yet. No answer for long: the link is dead.
void SimHost::Ship(AllocationId id, Spool& spool) {
  if (spool.unacked.empty()) return CheckDrained(id);
  MasterPort* master = deps_.master();
  if (!welcomed_ || master == nullptr || connection_ == nullptr) return;
  const bool waits = spool.sent >= spool.unacked.front().id.seq;
  if (waits && deps_.kernel.now() - spool.answered > absl::Seconds(10)) {
    return deps_.network.Break(connection_);
  }
  std::vector<ingest::Report> reports;
  const auto most = static_cast<size_t>(1 + deps_.kernel.rng.Below(8));
  for (const ingest::Report& report : spool.unacked) {
    if (report.id.seq > spool.sent && reports.size() < most) reports.push_back(report);
  }
  if (reports.empty()) return;
  if (!waits) spool.answered = deps_.kernel.now();
  spool.sent = reports.back().id.seq;
  deps_.network.Send(connection_,
                     Network::Direction::kToMaster,
                     [master, c = connection_, number = connection_->shipped++, reports] {
                       master->OnReports(c, number, reports);
                     });
  if (spool.sent < spool.unacked.back().id.seq) ShipSoon(id);
}

void SimHost::ShipSoon(AllocationId id) {
  Later(absl::Milliseconds(deps_.kernel.rng.Between(0, 30)), [this, id] {
    if (spools_.contains(id)) Ship(id, spools_[id]);
  });
}

void SimHost::OnReportAck(std::shared_ptr<Connection> c, AllocationId id, int64_t seq) {
  if (!agent_alive() || c != connection_) return;
  const auto spool = spools_.find(id);
  if (spool == spools_.end()) return;
  std::erase_if(spool->second.unacked, [&](const ingest::Report& r) { return r.id.seq <= seq; });
  spool->second.answered = deps_.kernel.now();
  if (spool->second.unacked.empty()) CheckDrained(id);
}

void SimHost::CheckDrained(AllocationId id) {
  const auto process = processes_.find(id);
  if (process == processes_.end() || process->second->alive()) return;
  const auto held = core_->held().find(id);
  if (held == core_->held().end() || held->second.phase != agent::Phase::kExited ||
      held->second.drained)
    return;
  Do(core_->OnDrained(id, deps_.kernel.now()));
}

void SimHost::OnWelcome(std::shared_ptr<Connection> c, int64_t epoch) {
  if (!agent_alive() || c != connection_ || welcomed_) return;
  welcomed_ = true;
  Do(core_->OnWelcome(epoch, deps_.kernel.now()));
}

void SimHost::OnDesired(std::shared_ptr<Connection> c, int64_t epoch, const core::DesiredSet& set) {
  if (!agent_alive() || c != connection_) return;
  agent::DesiredSet desired{.epoch = epoch, .generation = set.generation};
  for (const core::DesiredAllocation& a : set.allocations) {
    if (a.order.has_value()) orders_[a.id] = *a.order;
    desired.allocations.push_back({.id = a.id,
                                   .run = a.run,
                                   .slots = a.slots,
                                   .level = static_cast<agent::StopLevel>(a.level),
                                   .reason = a.reason,
                                   .order = a.order.has_value() ? "order" : ""});
  }
  Do(core_->OnDesired(desired, deps_.kernel.now()));
}

void SimHost::OnStatusAck(std::shared_ptr<Connection> c,
                          AllocationId id,
                          core::AllocationState state) {
  if (agent_alive() && c == connection_) Do(core_->OnStatusAck(id, ToPhase(state)));
}

void SimHost::Do(const agent::Actions& actions) {
  for (const agent::Action& action : actions) {
    if (!DoOne(action)) return;
  }
}

// False when the agent crashed on the way.
bool SimHost::DoOne(const agent::Action& action) {
  Kernel& kernel = deps_.kernel;
  const auto crashes = [&](CrashPoint point) {
    if (!kernel.CrashesAt(point)) return false;
    Crash(std::string(kCrashPointNames[static_cast<size_t>(point)]));
    return true;
  };
  return std::visit(
      overloaded{
          [&](const agent::Save& a) {
            if (crashes(CrashPoint::kAgentBeforeSave)) return false;
            saved_[a.held.id] = a.held;
            return !crashes(CrashPoint::kAgentAfterSave);
          },
          [&](const agent::Forget& a) {
            if (crashes(CrashPoint::kAgentBeforeForget)) return false;
            deps_.checker.OnForgotten(a.id);
            saved_.erase(a.id);
            spools_.erase(a.id);
            processes_.erase(a.id);
            return true;
          },
          [&](const agent::Prepare& a) {
            LaterPrepared(a.id);
            return true;
          },
          [&](const agent::Start& a) {
            if (crashes(CrashPoint::kAgentBeforeStart)) return false;
            LaterStarted(a.id);
            return !crashes(CrashPoint::kAgentAfterStart);
          },
          [&](const agent::Preempt& a) {
            preempted_[a.id] = true;
            return true;
          },
          [&](const agent::Terminate& a) {
            if (crashes(CrashPoint::kAgentBeforeStop)) return false;
            if (processes_.contains(a.id)) processes_[a.id]->Terminate();
            return true;
          },
          [&](const agent::Kill& a) {
            if (crashes(CrashPoint::kAgentBeforeStop)) return false;
            const auto process = processes_.find(a.id);
            if (process != processes_.end()) {
              const auto held = process->second;  // its end may forget it
              held->Kill({.kind = agent::ExitKind::kSignaled, .signal = 9});
            }
            return agent_alive();
          },
          [&](const agent::SendStatus& a) {
            if (crashes(CrashPoint::kAgentBeforeStatus)) return false;
            MasterPort* master = deps_.master();
            if (master == nullptr || connection_ == nullptr) return true;
            const core::ReportStatus status{id_, a.id, ToState(a.phase), ToExit(a.exit)};
            deps_.network.Send(connection_,
                               Network::Direction::kToMaster,
                               [master, c = connection_, status] { master->OnStatus(c, status); });
            return true;
          },
      },
      action);
}

void SimHost::LaterPrepared(AllocationId id) {
  Later(absl::Milliseconds(deps_.kernel.rng.Between(1, 3000)), [this, id] {
    std::optional<agent::Exit> failure;
    if (deps_.kernel.Happens(Fault::kPrepareFails)) {
      failure = agent::Exit{.kind = agent::ExitKind::kPrepareFailed, .text = "injected: no room"};
    }
    Do(core_->OnPrepared(id, failure, deps_.kernel.now()));
  });
}

void SimHost::LaterStarted(AllocationId id) {
  if (!processes_.contains(id)) {
    auto trial = std::make_shared<SimTrial>(deps_.kernel, deps_.checker, *this, id, orders_.at(id));
    processes_[id] = trial;
    trial->Run();
  }
  spools_[id];
  Later(absl::Milliseconds(deps_.kernel.rng.Between(1, 100)),
        [this, id] { Do(core_->OnStarted(id, "", deps_.kernel.now())); });
}

void SimHost::TakeReport(AllocationId id, ingest::Report report) {
  Spool& spool = spools_[id];
  deps_.checker.OnReportTaken(report);
  if (report.id.seq <= spool.last_seq) return;
  spool.last_seq = report.id.seq;
  spool.unacked.push_back(std::move(report));
  ShipSoon(id);
}

bool SimHost::ShouldPreempt(AllocationId id) {
  Do(core_->OnPreemptionWatched(id));
  return agent_alive() && preempted_[id];
}

void SimHost::AckPreempt(AllocationId id) {
  if (agent_alive()) Do(core_->OnPreemptAcked(id));
}

void SimHost::OnProcessExit(AllocationId id) {
  if (!agent_alive()) return;
  Later(absl::Milliseconds(deps_.kernel.rng.Between(0, 50)), [this, id] {
    const auto process = processes_.find(id);
    if (process == processes_.end()) return;
    Do(core_->OnExited(id, process->second->exit(), deps_.kernel.now()));
    if (agent_alive() && spools_.contains(id)) Ship(id, spools_[id]);
  });
}

int64_t SimHost::live_processes() const {
  int64_t live = 0;
  for (const auto& [id, process] : processes_) live += process->alive() ? 1 : 0;
  return live;
}

}  // namespace det::sim
