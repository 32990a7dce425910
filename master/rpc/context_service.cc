#include "det/api/v1/context.grpc.pb.h"

#include "master/rpc/call.h"
#include "master/rpc/polling_writer.h"
#include "master/rpc/services.h"

namespace det::rpc {
namespace {

namespace pb = det::api::v1;

// Ends a call from which nothing comes any more: its client may have stopped without a word, and
// what it sent so far is in the database until the call is over. Any thread.
class IdleGuard : public std::enable_shared_from_this<IdleGuard> {
 public:
  IdleGuard(const Deps& deps, grpc::CallbackServerContext* context)
      : deps_(deps), last_(deps.clock.Now()), context_(context) {}

  void Watch() {
    deps_.timer.After(deps_.upload_idle / 2, [self = shared_from_this()] { self->Look(); });
  }
  void Heard() {
    MutexLock lock(mutex_);
    last_ = deps_.clock.Now();
  }
  // The context is gone from now on.
  void Over() {
    MutexLock lock(mutex_);
    context_ = nullptr;
  }

 private:
  void Look() {
    {
      MutexLock lock(mutex_);
      if (context_ == nullptr) return;
      if (deps_.clock.Now() - last_ > deps_.upload_idle) return context_->TryCancel();
    }
    Watch();
  }

  const Deps& deps_;
  Mutex mutex_;
  absl::Time last_ ABSL_GUARDED_BY(mutex_);
  grpc::CallbackServerContext* context_ ABSL_GUARDED_BY(mutex_);
};

// One upload: a message at a time goes to the pool, so reading stops while the store is behind.
class Uploader : public grpc::ServerReadReactor<pb::UploadContextRequest> {
 public:
  Uploader(const Deps& deps,
           grpc::CallbackServerContext* context,
           pb::UploadContextResponse* response)
      : deps_(deps), guard_(std::make_shared<IdleGuard>(deps, context)), response_(response) {
    guard_->Watch();
    StartRead(&request_);
  }

  void OnReadDone(bool ok) override {
    guard_->Heard();
    const bool queued = deps_.pool.Post([this, ok] { ok ? Take() : End(); });
    if (!queued) Finish(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "too many calls wait"));
  }
  void OnDone() override {
    guard_->Over();
    delete this;
  }

 private:
  void Take() {
    if (upload_ == nullptr) {
      auto begun = deps_.contexts.Begin(request_.sha256());
      if (!begun.ok()) return Finish(net::ToGrpc(begun.status()));
      upload_ = *std::move(begun);
    }
    const absl::Status status = upload_->Append(request_.data());
    if (!status.ok()) return Finish(net::ToGrpc(status));
    StartRead(&request_);
  }

  void End() {
    if (upload_ == nullptr) {
      return Finish(
          grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "an upload without a message"));
    }
    const absl::StatusOr<int64_t> bytes = upload_->Finish();
    if (bytes.ok()) response_->set_bytes(*bytes);
    Finish(net::ToGrpc(bytes.status()));
  }

  const Deps& deps_;
  const std::shared_ptr<IdleGuard> guard_;
  pb::UploadContextResponse* const response_;
  pb::UploadContextRequest request_;
  std::unique_ptr<store::ContextStore::Upload> upload_;
};

// Streams an experiment's archive; a chunk at a time is read from the store.
class Downloader : public PollingWriter<pb::DownloadContextResponse> {
 public:
  Downloader(const Deps& deps, core::Principal by, ExperimentId id)
      : PollingWriter(deps, absl::Seconds(1)), deps_(deps), by_(std::move(by)), id_(id) {}

 private:
  absl::StatusOr<Step> Next(pb::DownloadContextResponse* response) override {
    if (next_ == 0) DET_RETURN_IF_ERROR(Open(response));
    DET_ASSIGN_OR_RETURN(std::optional<std::string> chunk, deps_.contexts.Chunk(sha256_, next_++));
    if (!chunk.has_value()) return Step::kDone;
    response->set_data(*std::move(chunk));
    return Step::kWrite;
  }

  absl::Status Open(pb::DownloadContextResponse* response) {
    DET_RETURN_IF_ERROR(AuthorizeOn(deps_, by_, core::Verb::kRead, id_));
    DET_ASSIGN_OR_RETURN(const store::ExperimentRow row, deps_.store.Experiment(id_));
    if (row.context.empty()) {
      return Error(absl::StatusCode::kFailedPrecondition,
                   "NO_CONTEXT",
                   StrCat("experiment ", id_.value(), " was made without a model directory"));
    }
    sha256_ = row.context;
    response->set_sha256(sha256_);
    DET_ASSIGN_OR_RETURN(const int64_t bytes, deps_.contexts.Bytes(sha256_));
    response->set_bytes(bytes);
    return absl::OkStatus();
  }

  const Deps& deps_;
  const core::Principal by_;
  const ExperimentId id_;
  std::string sha256_;
  int64_t next_ = 0;
};

class ContextService final : public pb::ContextService::CallbackService {
 public:
  explicit ContextService(const Deps& deps) : deps_(deps) {}

  grpc::ServerUnaryReactor* HasContext(grpc::CallbackServerContext* context,
                                       const pb::HasContextRequest* request,
                                       pb::HasContextResponse* response) override {
    return Unary(deps_,
                 context,
                 request,
                 response,
                 [this](const auto&, const auto& req, auto* res) -> absl::Status {
                   DET_ASSIGN_OR_RETURN(const bool present, deps_.contexts.Has(req.sha256()));
                   res->set_present(present);
                   return absl::OkStatus();
                 });
  }
  grpc::ServerReadReactor<pb::UploadContextRequest>* UploadContext(
      grpc::CallbackServerContext* context, pb::UploadContextResponse* response) override {
    const auto principal = AuthenticateUser(deps_, *context);
    if (!principal.ok())
      return new Refused<grpc::ServerReadReactor<pb::UploadContextRequest>>(principal.status());
    const absl::Status allowed = core::Authorize(*principal, core::Verb::kCreate, {});
    if (!allowed.ok())
      return new Refused<grpc::ServerReadReactor<pb::UploadContextRequest>>(allowed);
    return new Uploader(deps_, context, response);
  }
  grpc::ServerWriteReactor<pb::DownloadContextResponse>* DownloadContext(
      grpc::CallbackServerContext* context, const pb::DownloadContextRequest* request) override {
    const auto principal = AuthenticateUser(deps_, *context);
    if (!principal.ok())
      return new Refused<grpc::ServerWriteReactor<pb::DownloadContextResponse>>(principal.status());
    auto downloader =
        std::make_shared<Downloader>(deps_, *principal, ExperimentId(request->experiment()));
    downloader->Begin();
    return downloader.get();
  }

 private:
  const Deps& deps_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeContextService(const Deps& deps) {
  return std::make_unique<ContextService>(deps);
}

}  // namespace det::rpc
