#include "agent/session/shipper.h"

#include <vector>

#include "det/agent/v1/agent.grpc.pb.h"

#include "common/log/log.h"
#include "common/net/grpc_status.h"
#include "common/os/process.h"

namespace det::agent {
namespace {

// A log that can't be watched is looked at this often; one that is, in case something went amiss.
constexpr absl::Duration kLookEvery = absl::Milliseconds(50);
constexpr absl::Duration kLookAnyway = absl::Seconds(1);
// How long the log of a run that is over may still be on its way to a master that is away.
constexpr absl::Duration kLinger = absl::Hours(24);

}  // namespace

struct Shipper::Stream {
  grpc::ClientContext context;
  std::unique_ptr<v1::AgentData::Stub> stub;
  std::unique_ptr<grpc::ClientReaderWriter<v1::ShipRequest, v1::ShipReply>> call;
  std::thread reader;
};

Shipper::Shipper(MasterAddress address, OnDrained on_drained)
    : address_(std::move(address)),
      on_drained_(std::move(on_drained)),
      watch_([this](AllocationId id) { OnLogChange(id); }),
      thread_([this] { Loop(); }) {}

Shipper::~Shipper() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    if (stream_ != nullptr) stream_->context.TryCancel();
  }
  wake_.NotifyAll();
  thread_.join();
}

void Shipper::Add(AllocationId id, Outbound::Options options) {
  MutexLock lock(mutex_);
  if (!runs_.contains(id)) runs_[id] = std::make_shared<Run>(std::move(options));
  woken_ = true;
  wake_.NotifyAll();
}

void Shipper::MarkFinal(AllocationId id) {
  MutexLock lock(mutex_);
  const auto it = runs_.find(id);
  if (it == runs_.end()) return;
  it->second->final = true;
  it->second->outbound.MarkFinal();
  it->second->look = true;
  woken_ = true;
  wake_.NotifyAll();
}

void Shipper::Remove(AllocationId id, std::function<void()> gone) {
  {
    MutexLock lock(mutex_);
    const auto it = runs_.find(id);
    if (it != runs_.end()) {
      it->second->outbound.MarkFinal();
      it->second->look = true;
      woken_ = true;
      it->second->gone = std::move(gone);
      it->second->go_by = SteadyNow() + kLinger;
      wake_.NotifyAll();
      return;
    }
  }
  gone();
}

void Shipper::Wake() {
  MutexLock lock(mutex_);
  for (const auto& [id, run] : runs_) run->look = true;
  woken_ = true;
  wake_.NotifyAll();
}

void Shipper::AddSamples(AllocationId id, std::vector<v1::Report> samples) {
  MutexLock lock(mutex_);
  const auto it = runs_.find(id);
  if (it == runs_.end()) return;
  it->second->outbound.AddSamples(std::move(samples));
  it->second->look = true;
  woken_ = true;
  wake_.NotifyAll();
}

void Shipper::OnLogChange(AllocationId id) {
  MutexLock lock(mutex_);
  const auto it = runs_.find(id);
  if (it == runs_.end()) return;
  it->second->look = true;
  woken_ = true;
  wake_.NotifyAll();
}

// A log's directory is made when the task begins to print.
void Shipper::TryToWatch() {
  for (const auto& [id, run] : runs_) {
    if (run->watched || run->final) continue;
    run->watched = watch_.Watch(id, run->outbound.log_directory());
    run->look = true;
  }
}

// Until there is something to look at.
void Shipper::Rest() {
  bool all_watched = true;
  for (const auto& [id, run] : runs_) all_watched = all_watched && (run->watched || run->final);
  if (!woken_) wake_.WaitFor(mutex_, all_watched ? kLookAnyway : kLookEvery);
  if (woken_ || stopping_) return;
  for (const auto& [id, run] : runs_) run->look = true;
}

void Shipper::Loop() {
  std::unique_ptr<Stream> stream;
  Backoff backoff;
  while (true) {
    bool sent = false;
    const bool ok = SendRound(stream.get(), &sent);
    Settle();
    if (!ok) {
      if (stream != nullptr) {
        Close(std::move(stream));
        PauseBeforeRetry(&backoff);
      }
      stream = Open();
    }
    MutexLock lock(mutex_);
    if (stopping_) break;
    // What was sent may be refused yet: only an answer tells that all is well.
    if (std::exchange(replied_, false)) {
      backoff.Reset();
      refusal_.clear();
    }
    if (ok && !sent) Rest();
  }
  if (stream != nullptr) Close(std::move(stream));
}

// Whatever happens meanwhile, but an end.
void Shipper::PauseBeforeRetry(Backoff* backoff) {
  const absl::Duration until = SteadyNow() + backoff->Next();
  MutexLock lock(mutex_);
  while (!stopping_ && SteadyNow() < until) wake_.WaitFor(mutex_, until - SteadyNow());
}

std::optional<v1::ShipRequest> Shipper::NextOf(Run& run) {
  absl::StatusOr<std::optional<v1::ShipRequest>> next = run.outbound.Next();
  const std::string error(next.status().message());
  if (!next.ok() && error != run.error) LogError("a spool can't be read", {{"cause", error}});
  run.error = error;
  return next.ok() ? *std::move(next) : std::nullopt;
}

// One message of each run, if there is one. False: a connection is needed, or the one there is
// broke.
bool Shipper::SendRound(Stream* stream, bool* sent) {
  std::vector<std::shared_ptr<Run>> runs;
  {
    MutexLock lock(mutex_);
    if (stream_broken_) return false;
    woken_ = false;
    TryToWatch();
    for (const auto& [id, run] : runs_) {
      if (std::exchange(run->look, false)) runs.push_back(run);
    }
  }
  for (const std::shared_ptr<Run>& run : runs) {
    std::optional<v1::ShipRequest> request;
    {
      MutexLock lock(mutex_);
      request = NextOf(*run);
      // What was taken off the spool without a connection is read again with one.
      if (request.has_value() && stream == nullptr) run->outbound.Rewind();
      run->look = run->look || request.has_value();
    }
    if (!request.has_value()) continue;
    if (stream == nullptr || !stream->call->Write(*request)) return false;
    *sent = true;
  }
  return true;
}

// Tells of runs that are drained, and lets go of those that may go.
void Shipper::Settle() {
  std::vector<AllocationId> drained;
  std::vector<std::function<void()>> gone;
  {
    MutexLock lock(mutex_);
    for (auto it = runs_.begin(); it != runs_.end();) {
      Run& run = *it->second;
      if (run.final && !run.told_drained && run.outbound.Drained()) {
        run.told_drained = true;
        drained.push_back(it->first);
      }
      if (run.gone && (run.outbound.Empty() || SteadyNow() > run.go_by)) {
        watch_.Forget(it->first);
        gone.push_back(std::move(run.gone));
        it = runs_.erase(it);
      } else {
        ++it;
      }
    }
  }
  for (const AllocationId id : drained) on_drained_(id);
  for (const auto& tell : gone) tell();
}

std::unique_ptr<Shipper::Stream> Shipper::Open() {
  auto stream = std::make_unique<Stream>();
  AddCredentials(address_, &stream->context);
  stream->stub = v1::AgentData::NewStub(MakeChannel(address_, "data"));
  {
    MutexLock lock(mutex_);
    stream_broken_ = false;
    stream_ = stream.get();
    if (stopping_) stream->context.TryCancel();
    for (const auto& [id, run] : runs_) {
      run->outbound.Rewind();
      run->look = true;
    }
  }
  // Waits for the connection.
  stream->call = stream->stub->Ship(&stream->context);
  Stream* raw = stream.get();
  stream->reader = std::thread([this, raw] { ReadReplies(*raw); });
  return stream;
}

void Shipper::Close(std::unique_ptr<Stream> stream) {
  {
    MutexLock lock(mutex_);
    stream_ = nullptr;
    // Otherwise the call is over, and cancelling it would hide why.
    if (stopping_) stream->context.TryCancel();
  }
  stream->reader.join();
  const absl::Status status = net::FromGrpc(stream->call->Finish());
  const std::string cause(status.message());
  const bool refused = absl::IsInvalidArgument(status) || absl::IsUnauthenticated(status);
  if (refused && cause != refusal_) LogWarning("the master refuses data", {{"cause", cause}});
  if (refused) refusal_ = cause;
}

void Shipper::ReadReplies(Stream& stream) {
  v1::ShipReply reply;
  while (stream.call->Read(&reply)) {
    MutexLock lock(mutex_);
    const auto it = runs_.find(AllocationId(reply.allocation()));
    if (it != runs_.end()) {
      it->second->outbound.OnReply(reply);
      it->second->look = true;
    }
    replied_ = true;
    woken_ = true;
    wake_.NotifyAll();
  }
  MutexLock lock(mutex_);
  stream_broken_ = true;
  woken_ = true;
  wake_.NotifyAll();
}

}  // namespace det::agent
