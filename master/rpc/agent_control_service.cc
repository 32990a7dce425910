#include <deque>
#include <optional>

#include "det/agent/v1/agent.grpc.pb.h"

#include "common/base/status.h"
#include "common/log/log.h"
#include "master/rpc/call.h"
#include "master/rpc/convert_agent.h"
#include "master/rpc/services.h"

namespace det::rpc {
namespace {

namespace pb = det::agent::v1;

// More acknowledgements than this wait for an agent that does not read: it is cut off.
constexpr size_t kUnsentMax = 10000;

// The master's end of one agent's control connection. Keeps itself until the call is over; what the
// engine still holds for it then finds it closed.
class Session : public grpc::ServerBidiReactor<pb::AgentMessage, pb::MasterMessage>,
                public std::enable_shared_from_this<Session> {
 public:
  explicit Session(const Deps& deps) : deps_(deps) {}

  void Begin() {
    self_ = shared_from_this();
    StartRead(&incoming_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return Close(absl::OkStatus());
    const absl::Status status = Take();
    if (!status.ok()) return Close(status);
    StartRead(&incoming_);
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return Close(absl::OkStatus());
    MutexLock lock(mutex_);
    writing_ = false;
    WriteNext();
  }

  void OnDone() override {
    int64_t session = 0;
    {
      MutexLock lock(mutex_);
      finished_ = true;
      session = std::exchange(session_, 0);
    }
    if (session != 0) {
      LogInfo("agent disconnected", {{"agent", agent_.value()}});
      deps_.engine.Post(AsAgent(core::DisconnectAgent{agent_, session}), [](const auto&) {});
    }
    self_.reset();
  }

 private:
  core::Command AsAgent(core::CommandBody body) const {
    return {{core::Role::kAgent, agent_.value()}, std::move(body)};
  }

  absl::Status Take() {
    switch (incoming_.message_case()) {
      case pb::AgentMessage::kHello:
        return TakeHello();
      case pb::AgentMessage::kStatus:
        return TakeStatus();
      case pb::AgentMessage::kHeartbeat: {
        MutexLock lock(mutex_);
        if (session_ != 0)
          deps_.engine.Heartbeat(agent_, session_, incoming_.heartbeat().generation());
        return absl::OkStatus();
      }
      case pb::AgentMessage::MESSAGE_NOT_SET:
        break;
    }
    return Error(absl::StatusCode::kInvalidArgument,
                 "INVALID_MESSAGE",
                 "a message of a kind that is not known");
  }

  absl::Status TakeHello() {
    const pb::Hello& hello = incoming_.hello();
    if (!agent_.empty())
      return Error(absl::StatusCode::kInvalidArgument, "SECOND_HELLO", "a second hello");
    if (!hello.cluster_id().empty() && hello.cluster_id() != deps_.cluster_id) {
      return Error(
          absl::StatusCode::kFailedPrecondition,
          "OTHER_CLUSTER",
          StrCat(
              "the agent belongs to cluster ", hello.cluster_id(), ", this is ", deps_.cluster_id),
          "give the agent an empty data directory to move it here");
    }
    DET_ASSIGN_OR_RETURN(core::ConnectAgent connect, FromProto(hello));
    agent_ = connect.id;
    const std::shared_ptr<Session> self = shared_from_this();
    deps_.engine.Connect(
        AsAgent(std::move(connect)),
        [self](const core::DesiredSet& desired) { self->SendDesired(desired); },
        [self](absl::StatusOr<core::Events> result) { self->Welcome(std::move(result)); });
    return absl::OkStatus();
  }

  void Welcome(absl::StatusOr<core::Events> result) {
    if (!result.ok()) {
      LogWarning("agent refused",
                 {{"agent", agent_.value()}, {"cause", std::string(result.status().message())}});
      return Close(result.status());
    }
    const auto& connected = std::get<core::AgentConnected>(result->front());
    LogInfo("agent connected",
            {{"agent", agent_.value()},
             {"slots", std::to_string(connected.slots.size())},
             {"pool", connected.pool}});
    pb::MasterMessage message;
    message.mutable_welcome()->set_epoch(deps_.engine.epoch());
    message.mutable_welcome()->set_cluster_id(deps_.cluster_id);
    message.mutable_welcome()->set_session(connected.session);
    {
      MutexLock lock(mutex_);
      session_ = connected.session;
      if (!finished_) return SendLocked(std::move(message));
    }
    // It went before it was welcomed: nobody else will say so.
    deps_.engine.Post(AsAgent(core::DisconnectAgent{agent_, connected.session}),
                      [](const auto&) {});
  }

  absl::Status TakeStatus() {
    if (agent_.empty())
      return Error(absl::StatusCode::kInvalidArgument, "NO_HELLO", "a status before the hello");
    DET_ASSIGN_OR_RETURN(core::ReportStatus status, FromProto(agent_, incoming_.status()));
    pb::MasterMessage ack;
    ack.mutable_status_ack()->set_allocation(status.allocation.value());
    ack.mutable_status_ack()->set_state(incoming_.status().state());
    deps_.engine.Post(AsAgent(std::move(status)),
                      [self = shared_from_this(),
                       ack = std::move(ack)](const absl::StatusOr<core::Events>& result) {
                        // The agent sends it again.
                        if (engine::WasUnheard(result.status())) return;
                        MutexLock lock(self->mutex_);
                        self->SendLocked(ack);
                      });
    return absl::OkStatus();
  }

  void SendDesired(const core::DesiredSet& desired) {
    pb::MasterMessage message;
    *message.mutable_desired() = ToProto(desired, deps_.engine.epoch(), deps_.secrets);
    MutexLock lock(mutex_);
    // Only the newest set matters: an older one that was not sent yet is replaced. The welcome goes
    // before the first.
    if (desired_.has_value() && desired_->desired().generation() > message.desired().generation())
      return;
    desired_ = std::move(message);
    WriteNext();
  }

  void SendLocked(pb::MasterMessage message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (finished_ || closing_) return;
    if (unsent_.size() >= kUnsentMax)
      return CloseLocked(absl::ResourceExhaustedError("the agent does not read"));
    unsent_.push_back(std::move(message));
    WriteNext();
  }

  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (writing_ || finished_ || closing_) return;
    if (!unsent_.empty()) {
      outgoing_ = std::move(unsent_.front());
      unsent_.pop_front();
    } else if (desired_.has_value() && session_ != 0) {
      outgoing_ = *std::exchange(desired_, std::nullopt);
    } else {
      return;
    }
    writing_ = true;
    StartWrite(&outgoing_);
  }

  void Close(const absl::Status& status) {
    MutexLock lock(mutex_);
    CloseLocked(status);
  }
  void CloseLocked(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (closing_) return;
    closing_ = true;
    Finish(net::ToGrpc(status));
  }

  const Deps& deps_;
  std::shared_ptr<Session> self_;
  AgentId agent_;
  pb::AgentMessage incoming_;
  pb::MasterMessage outgoing_;
  Mutex mutex_;
  int64_t session_ ABSL_GUARDED_BY(mutex_) = 0;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<pb::MasterMessage> unsent_ ABSL_GUARDED_BY(mutex_);
  std::optional<pb::MasterMessage> desired_ ABSL_GUARDED_BY(mutex_);
};

class AgentControlService final : public pb::AgentControl::CallbackService {
 public:
  explicit AgentControlService(const Deps& deps) : deps_(deps) {}

  grpc::ServerBidiReactor<pb::AgentMessage, pb::MasterMessage>* Connect(
      grpc::CallbackServerContext* context) override {
    const absl::Status status = AuthenticateAgent(deps_, *context);
    if (!status.ok())
      return new Refused<grpc::ServerBidiReactor<pb::AgentMessage, pb::MasterMessage>>(status);
    auto session = std::make_shared<Session>(deps_);
    session->Begin();
    return session.get();
  }

 private:
  const Deps& deps_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeAgentControlService(const Deps& deps) {
  return std::make_unique<AgentControlService>(deps);
}

}  // namespace det::rpc
