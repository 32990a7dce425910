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

// A connection's end of the data plane.
class SimSender : public ingest::Sender {
 public:
  SimSender(Network& network,
            std::weak_ptr<Connection> connection,
            std::function<AgentPort*(const AgentId&)> agent)
      : network_(network), connection_(std::move(connection)), agent_(std::move(agent)) {}

  void OnDurable(const ingest::StreamKey& stream, int64_t seq) override {
    const std::shared_ptr<Connection> c = connection_.lock();
    if (c == nullptr) return;
    network_.Send(c, Network::Direction::kToAgent, [agent = agent_, c, stream, seq] {
      agent(c->agent)->OnReportAck(c, stream.allocation, seq);
    });
  }
  void OnRoom() override {}

 protected:
  void OnRefused(const absl::Status& /*why*/) override {
    if (const std::shared_ptr<Connection> c = connection_.lock()) network_.Break(c);
  }

 private:
  Network& network_;
  const std::weak_ptr<Connection> connection_;
  const std::function<AgentPort*(const AgentId&)> agent_;
};

// The master's inbox, which has no room at times and expects no refusal of a report.
class BusyInbox : public engine::CoreInbox {
 public:
  BusyInbox(Kernel& kernel, engine::CoreInbox& inbox) : kernel_(kernel), inbox_(inbox) {}

  void Post(core::Command command, Reply reply) override {
    if (kernel_.Happens(Fault::kCoreBusy)) return reply(absl::ResourceExhaustedError("busy"));
    inbox_.Post(
        std::move(command),
        [&kernel = kernel_, reply = std::move(reply)](absl::StatusOr<core::Events> result) mutable {
          if (!result.ok()) {
            kernel.Fail(StrCat("report refused: ", FromAbsl(result.status().message())));
          }
          reply(std::move(result));
        });
  }
  absl::Status Follow(engine::OutputGate::Output then) override {
    if (kernel_.Happens(Fault::kCoreBusy)) return absl::ResourceExhaustedError("busy");
    return inbox_.Follow(std::move(then));
  }

 private:
  Kernel& kernel_;
  engine::CoreInbox& inbox_;
};

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
  engine::RecoverOptions options{.rules = deps_.rules, .snapshot_lag_events = 200};
  // Experiments are larger than that, trials and tasks are not.
  if (deps_.kernel.rng.Chance(0.3)) options.snapshot_part_bytes_max = 700;
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
                   engine::Stepper::Options{.plant_double_placement =
                                                deps_.kernel.options.planted.double_placement});
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
  inbox_.push_back({.command = std::move(command), .reply = std::move(reply)});
  ScheduleTurn();
}

absl::Status SimMaster::Follow(engine::OutputGate::Output then) {
  if (!alive_) return absl::UnavailableError("the master is gone");
  inbox_.push_back({.follow = std::move(then)});
  ScheduleTurn();
  return absl::OkStatus();
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
  if (request.follow) return Hold(std::move(request.follow));
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
  c->sender = std::make_shared<SimSender>(deps_.network, c, deps_.agent);
  inbox_.push_back({.command = AsAgent(c->agent, hello),
                    .reply =
                        [this, c](const absl::StatusOr<core::Events>& result) {
                          if (!result.ok()) return deps_.network.Break(c);
                          deps_.network.Send(c, Network::Direction::kToAgent, [this, c] {
                            deps_.agent(c->agent)->OnWelcome(c, epoch_);
                          });
                        },
                    .connection = c});
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

void SimMaster::OnReports(std::shared_ptr<Connection> c,
                          int64_t number,
                          std::vector<ingest::Report> reports) {
  if (!serving() || c->sender == nullptr || number < c->received) return;
  c->early[number] = std::move(reports);
  const bool idle = ingesting_.empty();
  for (auto next = c->early.find(c->received); next != c->early.end();
       next = c->early.find(++c->received)) {
    ingesting_.push_back({c, std::move(c->early.extract(next).mapped())});
  }
  if (idle) Ingest();
}

// As the one writer of the allocation: what can't be stored yet holds up what is behind it.
void SimMaster::Ingest() {
  Kernel& kernel = deps_.kernel;
  for (; alive_ && !ingesting_.empty(); ingesting_.pop_front()) {
    const auto& [c, reports] = ingesting_.front();
    if (c->sender->refused()) continue;
    const absl::Duration pause = absl::Milliseconds(kernel.rng.Between(20, 2000));
    if (kernel.Happens(Fault::kIngestFails)) return Retry(pause, &SimMaster::Ingest);
    const MetricStore::Result result = deps_.metrics.Commit(epoch_, reports);
    if (result.fenced) return Die("its lease was taken (seen by ingest)");
    if (kernel.Happens(Fault::kIngestExecutesAndTimesOut)) return Retry(pause, &SimMaster::Ingest);
    if (kernel.CrashesAt(CrashPoint::kMasterAfterIngest)) return Die("after ingest");
    const ingest::Report& first = reports.front();
    std::vector<ingest::StoredShipment> stored;
    stored.push_back({c->sender,
                      {.agent = c->agent,
                       .allocation = first.id.allocation,
                       .trial = first.trial,
                       .stream = first.id.stream,
                       .reports = reports},
                      {.high = result.high, .ended = result.ended}});
    BusyInbox inbox(kernel, *this);
    ingest::TakeIn(inbox, stored);
  }
}

void SimMaster::OnBroken(std::shared_ptr<Connection> c) {
  if (!serving() || c->session == 0) return;
  reconciler_.Detach(c->agent, c->session);
  Post(AsAgent(c->agent, core::DisconnectAgent{c->agent, c->session}), [](const auto&) {});
}

}  // namespace det::sim
