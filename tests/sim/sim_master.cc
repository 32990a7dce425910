#include "tests/sim/sim_master.h"

#include "common/base/check.h"
#include "common/base/strings.h"
#include "master/core/invariants.h"
#include "master/journal/faulty_journal.h"
#include "master/journal/memory_journal.h"

namespace det::sim {
namespace {

core::Command AsMaster(core::CommandBody body) {
  return {{core::Role::kMaster, "master"}, std::move(body)};
}
core::Command AsAgent(const AgentId& agent, core::CommandBody body) {
  return {{core::Role::kAgent, agent.value()}, std::move(body)};
}

}  // namespace

std::unique_ptr<journal::Journal> SimMaster::MakeJournal() {
  return std::make_unique<journal::FaultyJournal>(
      std::make_unique<journal::MemoryJournal>(deps_.store), [&kernel = deps_.kernel] {
        if (kernel.Happens(Fault::kStoreFails)) return journal::StoreFault::kFail;
        if (kernel.Happens(Fault::kStoreTimesOut)) return journal::StoreFault::kTimeout;
        if (kernel.Happens(Fault::kStoreExecutesAndTimesOut)) {
          return journal::StoreFault::kExecuteAndTimeout;
        }
        if (kernel.Happens(Fault::kStoreExecutesLate)) return journal::StoreFault::kExecuteLate;
        return journal::StoreFault::kNone;
      });
}

void SimMaster::Retry(absl::Duration delay, void (SimMaster::*step)()) {
  deps_.kernel.After(delay, [self = shared_from_this(), step] {
    if (self->alive_) (self.get()->*step)();
  });
}

void SimMaster::Start() {
  journal_ = MakeJournal();
  const absl::StatusOr<int64_t> epoch = journal_->Acquire();
  if (!epoch.ok()) return Retry(absl::Milliseconds(500), &SimMaster::Start);
  epoch_ = *epoch;
  deps_.kernel.Log(StrCat("master of epoch ", epoch_, " starts"));
  Recover();
}

void SimMaster::Recover() {
  if (deps_.kernel.CrashesAt(CrashPoint::kMasterInRecovery)) return Die("in recovery");
  engine::RecoverOptions options{.snapshot_lag_events = 200};
  absl::StatusOr<engine::Recovered> recovered = engine::Recover(*journal_, options);
  if (!recovered.ok()) {
    if (recovered.status().code() == absl::StatusCode::kUnavailable) {
      return Retry(absl::Milliseconds(300), &SimMaster::Recover);
    }
    return deps_.kernel.Fail(StrCat("recovery failed: ", FromAbsl(recovered.status().message())));
  }
  ++deps_.kernel.counters.recoveries;
  if (!CheckRecovery(recovered->state)) return;
  gate_ = engine::OutputGate(recovered->state.seq);
  stepper_.emplace(std::move(recovered->state),
                   std::move(recovered->snapshotter),
                   engine::Stepper::Options{
                       .snapshot_lag_events = 200,
                       .plant_double_placement = deps_.kernel.options.planted.double_placement});
  Post(AsMaster(core::StartMaster{}), [](const auto&) {});
  Watch();
}

// Reading all events from the first gives the same state as the snapshots did.
bool SimMaster::CheckRecovery(const core::State& state) {
  journal::MemoryJournal reader(deps_.store);
  const absl::StatusOr<engine::Recovered> full = engine::Recover(reader, {.use_snapshots = false});
  if (!full.ok()) {
    deps_.kernel.Fail(StrCat("full replay failed: ", FromAbsl(full.status().message())));
  } else if (core::CompleteHash(full->state) != core::CompleteHash(state)) {
    deps_.kernel.Fail("replay from the first event differs from the recovered state");
  }
  return deps_.kernel.failure().empty();
}

void SimMaster::Die(const std::string& why) {
  if (!alive_) return;
  alive_ = false;
  deps_.kernel.Log(StrCat("master of epoch ", epoch_, " dies: ", why));
  for (const auto& connection : connections_) deps_.network.Break(connection);
  deps_.on_death();
}

void SimMaster::Watch() {
  if (deps_.kernel.CrashesAt(CrashPoint::kMasterIdle)) return Die("idle");
  if (journal_->Renew().code() == absl::StatusCode::kAborted) return Die("its lease was taken");
  if (core::NextDeadline(stepper_->state()) <= deps_.kernel.now()) ScheduleTurn();
  Retry(absl::Seconds(1), &SimMaster::Watch);
}

void SimMaster::Post(core::Command command, Reply reply) {
  if (!alive_) return;
  inbox_.push_back({std::move(command), std::move(reply), nullptr});
  ScheduleTurn();
}

void SimMaster::ScheduleTurn() {
  if (turn_scheduled_ || !serving()) return;
  turn_scheduled_ = true;
  Retry(absl::Microseconds(deps_.kernel.rng.Between(10, 500)), &SimMaster::Turn);
}

void SimMaster::Turn() {
  turn_scheduled_ = false;
  const absl::Time now = deps_.kernel.now();
  for (int64_t i = 0; i < engine::kCommandsPerTurnMax && !inbox_.empty(); ++i) {
    Request request = std::move(inbox_.front());
    inbox_.pop_front();
    RunRequest(std::move(request));
  }
  stepper_->RunDue(now);
  const absl::Status scheduled = stepper_->Schedule(now);
  if (!scheduled.ok())
    return deps_.kernel.Fail(StrCat("scheduler: ", FromAbsl(scheduled.message())));
  for (const std::string& broken : core::BrokenInvariants(stepper_->state()))
    deps_.kernel.Fail(broken);
  if (std::optional<journal::Batch> batch = stepper_->Seal()) {
    deps_.checker.OnBatch(*batch);
    queue_.Push(*std::move(batch));
  }
  Deliver(reconciler_.Collect(stepper_->state(), stepper_->TakeTouchedAgents()));
  Commit();
  if (!inbox_.empty()) ScheduleTurn();
}

void SimMaster::RunRequest(Request request) {
  absl::StatusOr<core::Events> result = stepper_->Run(request.command, deps_.kernel.now());
  if (request.connection != nullptr && result.ok()) {
    const auto connection = request.connection;
    connection->session = std::get<core::AgentConnected>(result->front()).session;
    const int64_t epoch = epoch_;
    reconciler_.Attach(
        connection->agent,
        connection->session,
        [this, connection, epoch](const core::DesiredSet& set) {
          deps_.network.Send(
              connection, Network::Direction::kToAgent, [this, connection, epoch, set] {
                deps_.agent(connection->agent)->OnDesired(connection, epoch, set);
              });
        });
  }
  Hold([reply = std::move(request.reply), result = std::move(result)]() mutable { reply(result); });
}

void SimMaster::Hold(engine::OutputGate::Output output) {
  if (deps_.kernel.options.planted.reply_before_durable) return output();
  if (auto now = gate_.Hold(stepper_->state().seq, std::move(output))) (*now)();
}

void SimMaster::Deliver(std::vector<engine::AgentReconciler::Delivery> deliveries) {
  for (auto& delivery : deliveries) {
    Hold([delivery = std::move(delivery)] { delivery.send(delivery.set); });
  }
}

void SimMaster::Commit() {
  if (!alive_ || committing_.has_value()) return;
  committing_ = queue_.Pop();
  if (committing_.has_value()) {
    Retry(absl::Milliseconds(deps_.kernel.rng.Between(0.2, 20)), &SimMaster::Append);
  }
}

void SimMaster::Append() {
  Kernel& kernel = deps_.kernel;
  if (kernel.CrashesAt(CrashPoint::kMasterBeforeAppend)) return Die("before an append");
  if (kernel.Happens(Fault::kLeaseStolen)) deps_.on_lease_stolen();
  const absl::Status status = journal_->Append(*committing_);
  deps_.checker.OnStore();
  if (kernel.CrashesAt(CrashPoint::kMasterAfterAppend)) return Die("after an append");
  if (status.ok()) return Durable();
  if (status.code() == absl::StatusCode::kUnavailable) {
    return Retry(absl::Milliseconds(kernel.rng.Between(20, 2000)), &SimMaster::Append);
  }
  if (status.code() == absl::StatusCode::kUnknown) {
    return Retry(absl::Milliseconds(kernel.rng.Between(20, 500)), &SimMaster::Resolve);
  }
  if (status.code() == absl::StatusCode::kAborted) return Die("its lease was taken");
  kernel.Fail(StrCat("append: ", FromAbsl(status.message())));
}

void SimMaster::Resolve() {
  const absl::StatusOr<bool> durable = journal_->IsDurable(*committing_);
  if (durable.ok()) return *durable ? Durable() : Append();
  if (durable.status().code() == absl::StatusCode::kUnavailable) {
    return Retry(absl::Milliseconds(100), &SimMaster::Resolve);
  }
  if (durable.status().code() == absl::StatusCode::kAborted) return Die("its lease was taken");
  deps_.kernel.Fail(StrCat("resolve: ", FromAbsl(durable.status().message())));
}

void SimMaster::Durable() {
  Kernel& kernel = deps_.kernel;
  if (kernel.CrashesAt(CrashPoint::kMasterBeforeRelease)) return Die("before a release");
  const journal::Batch batch = *std::exchange(committing_, std::nullopt);
  kernel.counters.events += static_cast<int64_t>(batch.events.size());
  queue_.Committed(batch);
  for (auto& output : gate_.Release(batch.last_seq())) {
    if (kernel.CrashesAt(CrashPoint::kMasterDuringRelease)) return Die("during a release");
    output();
  }
  Commit();
}

void SimMaster::OnHello(std::shared_ptr<Connection> c, const core::ConnectAgent& hello) {
  if (!serving()) return;
  connections_.push_back(c);
  inbox_.push_back({AsAgent(c->agent, hello),
                    [this, c](const absl::StatusOr<core::Events>& result) {
                      if (!result.ok()) return deps_.network.Break(c);
                      deps_.network.Send(c, Network::Direction::kToAgent, [this, c] {
                        deps_.agent(c->agent)->OnWelcome(c, epoch_);
                      });
                    },
                    c});
  ScheduleTurn();
}

void SimMaster::OnStatus(std::shared_ptr<Connection> c, const core::ReportStatus& status) {
  Post(AsAgent(c->agent, status), [this, c, status](const absl::StatusOr<core::Events>& result) {
    if (!result.ok())
      deps_.kernel.Fail(StrCat("status refused: ", FromAbsl(result.status().message())));
    deps_.network.Send(c, Network::Direction::kToAgent, [this, c, status] {
      deps_.agent(c->agent)->OnStatusAck(c, status.allocation, status.state);
    });
  });
}

void SimMaster::OnHeartbeat(std::shared_ptr<Connection> c, int64_t generation) {
  if (!serving()) return;
  deps_.network.Disturb(c);
  Deliver(reconciler_.OnHeartbeat(stepper_->state(), c->agent, c->session, generation));
}

void SimMaster::OnReports(std::shared_ptr<Connection> c, std::vector<ingest::Report> reports) {
  Kernel& kernel = deps_.kernel;
  if (!serving() || reports.empty() || kernel.Happens(Fault::kIngestFails)) return;
  const MetricStore::Result result = deps_.metrics.Commit(epoch_, reports);
  if (result.fenced) return Die("its lease was taken (seen by ingest)");
  if (kernel.Happens(Fault::kIngestExecutesAndTimesOut)) return;
  if (kernel.CrashesAt(CrashPoint::kMasterAfterIngest)) return Die("after ingest");
  for (const ingest::Report& report : reports) {
    if (!result.ended && report.id.seq > result.high) break;
    const std::optional<core::Command> command = ingest::CommandFor(c->agent, report);
    if (result.ended || !command.has_value()) {
      // In order behind the commands before it.
      Hold([this, c, report] { Acknowledge(c, report); });
      continue;
    }
    Post(*command, [this, c, report](const absl::StatusOr<core::Events>& decided) {
      if (!decided.ok()) {
        deps_.kernel.Fail(StrCat("report refused: ", FromAbsl(decided.status().message())));
      }
      Acknowledge(c, report);
    });
  }
}

void SimMaster::Acknowledge(std::shared_ptr<Connection> c, const ingest::Report& report) {
  deps_.network.Send(c, Network::Direction::kToAgent, [this, c, id = report.id] {
    deps_.agent(c->agent)->OnReportAck(c, id.allocation, id.seq);
  });
}

void SimMaster::OnBroken(std::shared_ptr<Connection> c) {
  if (!serving() || c->session == 0) return;
  reconciler_.Detach(c->agent, c->session);
  Post(AsAgent(c->agent, core::DisconnectAgent{c->agent, c->session}), [](const auto&) {});
}

}  // namespace det::sim
