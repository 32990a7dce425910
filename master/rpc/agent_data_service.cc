#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "det/agent/v1/agent.grpc.pb.h"

#include "common/base/status.h"
#include "master/rpc/call.h"
#include "master/rpc/convert_agent.h"
#include "master/rpc/polling_writer.h"
#include "master/rpc/services.h"

namespace det::rpc {
namespace {

namespace pb = det::agent::v1;

// Acknowledgements for more streams than this wait for an agent that does not read: it is cut off.
constexpr size_t kUnsentMax = 100000;

// The master's end of one agent's data stream. It reads the next message only when the last one was
// taken: what the store can't keep up with waits at the agent.
class Receiver : public grpc::ServerBidiReactor<pb::ShipRequest, pb::ShipReply>,
                 public ingest::Sender,
                 public std::enable_shared_from_this<Receiver> {
 public:
  Receiver(const Deps& deps, AgentId agent) : deps_(deps), agent_(std::move(agent)) {}

  void Begin() {
    self_ = shared_from_this();
    StartRead(&incoming_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return Close(absl::OkStatus());
    absl::StatusOr<ingest::Shipment> shipment = FromProto(agent_, std::move(incoming_));
    if (!shipment.ok()) return Close(shipment.status());
    Offer(*std::move(shipment));
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return Close(absl::OkStatus());
    MutexLock lock(mutex_);
    writing_ = false;
    WriteNext();
  }

  // Nothing is read while there is no room, so nothing else would tell.
  void OnCancel() override { Close(absl::CancelledError("the agent is gone")); }

  void OnDone() override { self_.reset(); }

  void OnDurable(const ingest::StreamKey& stream, int64_t seq) override {
    MutexLock lock(mutex_);
    if (closed_) return;
    int64_t& unsent = unsent_[stream];
    unsent = std::max(unsent, seq);
    if (unsent_.size() > kUnsentMax) {
      return CloseLocked(absl::ResourceExhaustedError("the agent does not read"));
    }
    WriteNext();
  }

  void OnRoom() override {
    std::optional<ingest::Shipment> shipment;
    {
      MutexLock lock(mutex_);
      shipment = std::exchange(waiting_, std::nullopt);
    }
    if (shipment.has_value()) Offer(*std::move(shipment));
  }

 protected:
  // The agent comes back and sends it again.
  void OnRefused(const absl::Status& why) override { Close(why); }

 private:
  void Offer(ingest::Shipment shipment) {
    MutexLock lock(mutex_);
    if (closed_) return;
    // What is not taken stays.
    waiting_ = std::move(shipment);
    if (!deps_.ingestor.Offer(&*waiting_, shared_from_this())) return;
    waiting_.reset();
    StartRead(&incoming_);
  }

  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (writing_ || closed_ || unsent_.empty()) return;
    const auto first = unsent_.begin();
    outgoing_.set_allocation(first->first.allocation.value());
    outgoing_.set_rank(static_cast<int32_t>(first->first.rank));
    outgoing_.set_stream(static_cast<int32_t>(first->first.stream));
    outgoing_.set_seq(first->second);
    unsent_.erase(first);
    writing_ = true;
    StartWrite(&outgoing_);
  }

  void Close(const absl::Status& status) {
    MutexLock lock(mutex_);
    CloseLocked(status);
  }
  void CloseLocked(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (closed_) return;
    closed_ = true;
    waiting_.reset();
    Finish(net::ToGrpc(status));
  }

  const Deps& deps_;
  const AgentId agent_;
  std::shared_ptr<Receiver> self_;
  pb::ShipRequest incoming_;
  pb::ShipReply outgoing_;
  Mutex mutex_;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<ingest::Shipment> waiting_ ABSL_GUARDED_BY(mutex_);  // for room
  std::map<ingest::StreamKey, int64_t> unsent_ ABSL_GUARDED_BY(mutex_);
};

// Sends a context's chunks. The store is read a chunk a step, so a slow agent holds no thread.
class ContextSender : public PollingWriter<pb::ContextChunk> {
 public:
  ContextSender(const Deps& deps, std::string sha256)
      : PollingWriter(deps, absl::ZeroDuration()), deps_(deps), sha256_(std::move(sha256)) {}

 private:
  absl::StatusOr<Step> Next(pb::ContextChunk* chunk) override {
    DET_ASSIGN_OR_RETURN(std::optional<std::string> data, deps_.contexts.Chunk(sha256_, next_));
    if (!data.has_value()) return Step::kDone;
    ++next_;
    chunk->set_data(*std::move(data));
    return Step::kWrite;
  }

  const Deps& deps_;
  const std::string sha256_;
  int64_t next_ = 0;
};

class AgentDataService final : public pb::AgentData::CallbackService {
 public:
  explicit AgentDataService(const Deps& deps) : deps_(deps) {}

  grpc::ServerBidiReactor<pb::ShipRequest, pb::ShipReply>* Ship(
      grpc::CallbackServerContext* context) override {
    const absl::Status status = AuthenticateAgent(deps_, *context);
    if (!status.ok())
      return new Refused<grpc::ServerBidiReactor<pb::ShipRequest, pb::ShipReply>>(status);
    const auto id = context->client_metadata().find("det-agent-id");
    if (id == context->client_metadata().end()) {
      return new Refused<grpc::ServerBidiReactor<pb::ShipRequest, pb::ShipReply>>(
          absl::InvalidArgumentError("the metadata det-agent-id is missing"));
    }
    auto receiver = std::make_shared<Receiver>(
        deps_, AgentId(std::string(id->second.data(), id->second.size())));
    receiver->Begin();
    return receiver.get();
  }

  grpc::ServerWriteReactor<pb::ContextChunk>* FetchContext(
      grpc::CallbackServerContext* context, const pb::FetchContextRequest* request) override {
    const absl::Status status = AuthenticateAgent(deps_, *context);
    if (!status.ok()) return new Refused<grpc::ServerWriteReactor<pb::ContextChunk>>(status);
    auto sender = std::make_shared<ContextSender>(deps_, request->sha256());
    sender->Begin();
    return sender.get();
  }

 private:
  const Deps& deps_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeAgentDataService(const Deps& deps) {
  return std::make_unique<AgentDataService>(deps);
}

}  // namespace det::rpc
