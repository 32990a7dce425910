#include "cli/testing/fake_services.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

// How often a waiting stream looks whether its caller has left.
constexpr absl::Duration kLook = absl::Milliseconds(20);

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  api::ErrorDetail detail;
  detail.set_reason(ErrorReason(status));
  detail.set_hint(ErrorHint(status));
  const bool detailed = !detail.reason().empty();
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                      std::string(FromAbsl(status.message())),
                      detailed ? detail.SerializeAsString() : std::string());
}

grpc::Status NotFound(const std::string& what, int64_t id) {
  return ToGrpc(Error(absl::StatusCode::kNotFound,
                      "NOT_FOUND",
                      StrCat(what, " ", id, " does not exist"),
                      StrCat("det ", what, " list shows those that do")));
}

void FakeState::Edit(const std::function<void(Model&)>& edit) {
  const MutexLock lock(mutex_);
  edit(model_);
  ++version_;
  changed_.NotifyAll();
}

bool FakeState::Await(const std::function<bool(const Model&)>& condition, absl::Duration timeout) {
  const absl::Time deadline = absl::Now() + timeout;
  const MutexLock lock(mutex_);
  while (!condition(model_)) {
    if (absl::Now() >= deadline) return false;
    changed_.WaitFor(mutex_, deadline - absl::Now());
  }
  return true;
}

void FakeState::Stop() {
  const MutexLock lock(mutex_);
  stopped_ = true;
  changed_.NotifyAll();
}

grpc::Status FakeState::Admit(grpc::ServerContext* context, const std::string& call) {
  const auto& metadata = context->client_metadata();
  const auto at = metadata.find("authorization");
  const std::string given =
      at == metadata.end() ? "" : std::string(at->second.data(), at->second.size());
  bool hangs = false;
  {
    const MutexLock lock(mutex_);
    model_.calls.push_back(call);
    changed_.NotifyAll();
    if (!model_.token.empty() && given != StrCat("Bearer ", model_.token)) {
      return grpc::Status(grpc::StatusCode::UNAUTHENTICATED, "unknown token");
    }
    if (const auto failure = model_.failures.find(call); failure != model_.failures.end()) {
      return ToGrpc(failure->second);
    }
    hangs = model_.hanging.contains(call);
  }
  if (!hangs) return grpc::Status::OK;
  Stream(context, [](Model&) { return true; });
  return grpc::Status::CANCELLED;
}

grpc::Status FakeState::Serve(grpc::ServerContext* context,
                              const std::string& call,
                              const std::function<grpc::Status(Model&)>& serve) {
  const grpc::Status admitted = Admit(context, call);
  if (!admitted.ok()) return admitted;
  const MutexLock lock(mutex_);
  const grpc::Status status = serve(model_);
  ++version_;
  changed_.NotifyAll();
  return status;
}

grpc::Status FakeState::Stream(grpc::ServerContext* context,
                               const std::function<bool(Model&)>& step) {
  const MutexLock lock(mutex_);
  const int64_t cut = model_.streams_cut;
  int64_t seen = -1;
  while (!stopped_ && !context->IsCancelled()) {
    if (model_.streams_cut != cut) break;
    if (seen != version_) {
      seen = version_;
      const bool more = step(model_);
      changed_.NotifyAll();
      if (!more) return grpc::Status::OK;
    }
    changed_.WaitFor(mutex_, kLook);
  }
  return grpc::Status(grpc::StatusCode::UNAVAILABLE, "the master goes away");
}

}  // namespace det::cli
