#include "det/api/v1/log.grpc.pb.h"

#include "master/rpc/call.h"
#include "master/rpc/polling_writer.h"
#include "master/rpc/services.h"

namespace det::rpc {
namespace {

namespace pb = det::api::v1;

constexpr int64_t kLinesPerBatch = 1000;
constexpr absl::Duration kTailInterval = absl::Milliseconds(100);
// Records of the end of a run may be on their way when the run is over already.
constexpr absl::Duration kAfterEnd = absl::Seconds(2);

std::string_view SourceName(int source) {
  static constexpr std::string_view kNames[] = {"", "stdout", "stderr", "agent"};
  return source >= 0 && source < 4 ? kNames[source] : "";
}

class Tailer : public PollingWriter<pb::LogBatch> {
 public:
  Tailer(const Deps& deps, core::Principal by, const pb::TailLogsRequest& request)
      : PollingWriter(deps, kTailInterval),
        deps_(deps),
        by_(std::move(by)),
        trial_(request.trial()),
        tail_(request.tail()),
        follow_(request.follow()) {}

 private:
  absl::StatusOr<Step> Next(pb::LogBatch* batch) override {
    if (!begun_) {
      DET_ASSIGN_OR_RETURN(permit_, Permit::ToRead(deps_, by_, trial_));
      if (tail_ > 0) {
        DET_ASSIGN_OR_RETURN(cursor_, deps_.store.LogTail(trial_, tail_));
      }
      begun_ = true;
    }
    DET_RETURN_IF_ERROR(permit_->Check(deps_));
    // Asked before the lines are read: what was written before the end is then read too.
    DET_ASSIGN_OR_RETURN(const store::TrialRow trial, deps_.store.Trial(trial_));
    DET_ASSIGN_OR_RETURN(const auto rows, deps_.store.Logs(trial_, cursor_, kLinesPerBatch));
    for (const store::LogRow& row : rows) Add(row, batch);
    if (!rows.empty()) return Step::kWrite;
    const bool over = trial.ended_at.has_value() && deps_.clock.Now() - *trial.ended_at > kAfterEnd;
    return !follow_ || over ? Step::kDone : Step::kWait;
  }

  void Add(const store::LogRow& row, pb::LogBatch* batch) {
    cursor_ = {row.allocation.value(), row.rank, row.seq, row.note};
    pb::LogLine* line = batch->add_lines();
    line->set_trial(trial_.value());
    line->set_run(row.run);
    line->set_rank(static_cast<int32_t>(row.rank));
    line->set_at_unix_nanos(absl::ToUnixNanos(row.at));
    line->set_source(std::string(SourceName(row.source)));
    line->set_text(row.line);
    line->set_partial(row.partial);
    line->set_dropped(row.dropped);
  }

  const Deps& deps_;
  const core::Principal by_;
  const TrialId trial_;
  const int64_t tail_;
  const bool follow_;
  bool begun_ = false;
  std::optional<Permit> permit_;
  store::LogCursor cursor_;
};

class LogService final : public pb::LogService::CallbackService {
 public:
  explicit LogService(const Deps& deps) : deps_(deps) {}

  grpc::ServerWriteReactor<pb::LogBatch>* TailLogs(grpc::CallbackServerContext* context,
                                                   const pb::TailLogsRequest* request) override {
    const auto principal = AuthenticateUser(deps_, *context);
    if (!principal.ok())
      return new Refused<grpc::ServerWriteReactor<pb::LogBatch>>(principal.status());
    auto tailer = std::make_shared<Tailer>(deps_, *principal, *request);
    tailer->Begin();
    return tailer.get();
  }

 private:
  const Deps& deps_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeLogService(const Deps& deps) {
  return std::make_unique<LogService>(deps);
}

}  // namespace det::rpc
