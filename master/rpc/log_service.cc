#include "det/api/v1/log.grpc.pb.h"

#include "common/os/process.h"
#include "master/rpc/call.h"
#include "master/rpc/convert.h"
#include "master/rpc/log_request.h"
#include "master/rpc/polling_writer.h"
#include "master/rpc/services.h"

namespace det::rpc {
namespace {

namespace pb = det::api::v1;
using Direction = store::LogScan::Direction;

constexpr int64_t kLinesPerPage = 1000;
// News wakes a follower; without any it looks whether the trial has ended.
constexpr absl::Duration kLookInterval = absl::Seconds(1);
// Records of the end of a run may be on their way when the run is over already.
constexpr absl::Duration kAfterEnd = absl::Seconds(2);
constexpr int32_t kTailMax = 100'000;
// What one search may look at before it hands back a token.
constexpr int64_t kScanLinesMax = 200'000;
constexpr absl::Duration kScanTimeMax = absl::Milliseconds(200);

// A trial's log from its beginning, or its last lines, and on as it grows. Each step looks at a
// page; others have their turn in between.
class Tailer : public PollingWriter<pb::LogBatch> {
 public:
  Tailer(const Deps& deps,
         core::Principal by,
         const pb::TailLogsRequest& request,
         store::LogFilter filter)
      : PollingWriter(deps, kLookInterval),
        deps_(deps),
        by_(std::move(by)),
        trial_(request.trial()),
        follow_(request.follow()),
        left_(request.head() > 0 ? request.head() : INT64_MAX),
        tail_left_(std::clamp(request.tail(), 0, kTailMax)),
        back_(&deps.logs, trial_, filter, Direction::kBackward),
        forth_(&deps.logs, trial_, std::move(filter), Direction::kForward) {}

  void Follow() {
    if (!follow_) return;
    auto weak = weak_from_this();
    news_ = deps_.log_news.Subscribe(trial_.value(), [weak = std::move(weak)] {
      if (const auto self = weak.lock()) self->Wake();
    });
  }

 private:
  absl::StatusOr<Step> Next(pb::LogBatch* batch) override {
    if (!permit_.has_value()) {
      DET_ASSIGN_OR_RETURN(permit_, Permit::ToRead(deps_, by_, trial_));
    }
    DET_RETURN_IF_ERROR(permit_->Check(deps_));
    if (tail_left_ > 0) return SeekTail();
    std::vector<store::LogRow> rows;
    DET_ASSIGN_OR_RETURN(const bool more, forth_.Step(kLinesPerPage, &rows));
    for (const store::LogRow& row : rows) {
      if (left_ == 0) break;
      ToProto(forth_.log(), row, batch->add_lines());
      --left_;
    }
    if (left_ == 0) return Step::kLast;
    if (batch->lines_size() > 0) return Step::kWrite;
    if (more) return Step::kAgain;
    return AtEnd();
  }

  // Goes back over as many lines as are wanted, to begin before the first of them.
  absl::StatusOr<Step> SeekTail() {
    std::vector<store::LogRow> rows;
    const int64_t page =
        back_.scanned() == 0 ? std::min<int64_t>(tail_left_, kLinesPerPage) : kLinesPerPage;
    DET_ASSIGN_OR_RETURN(const bool more, back_.Step(page, &rows));
    const size_t taken = std::min(rows.size(), static_cast<size_t>(tail_left_));
    tail_left_ -= static_cast<int32_t>(taken);
    if (taken > 0) {
      const store::LogRow& first = rows[taken - 1];
      // Notes stand behind the record whose number they have.
      forth_.StartAfter({first.allocation, first.rank, {first.seq, first.note - 1}});
    }
    if (!more) tail_left_ = 0;
    return Step::kAgain;
  }

  absl::StatusOr<Step> AtEnd() {
    if (!follow_) return Step::kDone;
    DET_ASSIGN_OR_RETURN(const bool more, forth_.Refresh());
    if (more) return Step::kAgain;
    const auto& ended = forth_.log().ended;
    const bool over = ended.has_value() && deps_.clock.Now() - *ended > kAfterEnd;
    return over ? Step::kDone : Step::kWait;
  }

  const Deps& deps_;
  const core::Principal by_;
  const TrialId trial_;
  const bool follow_;
  std::optional<Permit> permit_;
  int64_t left_;
  int32_t tail_left_;
  store::LogScan back_;
  store::LogScan forth_;
  std::unique_ptr<Topics::Subscription> news_;
};

absl::Status Search(const Deps& deps,
                    const core::Principal& by,
                    const pb::SearchLogsRequest& request,
                    pb::SearchLogsResponse* response) {
  DET_RETURN_IF_ERROR(AuthorizeOn(deps, by, core::Verb::kRead, TrialId(request.trial())));
  DET_ASSIGN_OR_RETURN(store::LogFilter filter, FromProto(request.filter()));
  const bool newest_first = request.order() == pb::SearchLogsRequest::ORDER_NEWEST_FIRST;
  const int64_t limit = Limit(request.limit(), 100, 1000);
  store::LogScan scan(&deps.logs,
                      TrialId(request.trial()),
                      filter,
                      newest_first ? Direction::kBackward : Direction::kForward);
  if (!request.page_token().empty()) {
    DET_ASSIGN_OR_RETURN(const store::LogPosition position, PositionOf(request.page_token()));
    scan.StartAfter(position);
  } else if (request.start_line() > 0 && !newest_first) {
    scan.StartAtLine(request.start_line());
  }
  const absl::Duration until = SteadyNow() + kScanTimeMax;
  std::vector<store::LogRow> rows;
  std::optional<store::LogPosition> after;
  bool more = true;
  while (more && scan.scanned() < kScanLinesMax && SteadyNow() < until) {
    DET_ASSIGN_OR_RETURN(more, scan.Step(std::max<int64_t>(limit, kLinesPerPage), &rows));
    after = scan.position();
    if (static_cast<int64_t>(rows.size()) < limit) continue;
    // Another call begins behind the last line that is shown.
    more = more || static_cast<int64_t>(rows.size()) > limit;
    rows.resize(static_cast<size_t>(limit));
    after = {rows.back().allocation, rows.back().rank, {rows.back().seq, rows.back().note}};
    break;
  }
  for (const store::LogRow& row : rows) ToProto(scan.log(), row, response->add_lines());
  if (more && after.has_value()) response->set_next_page_token(TokenOf(*after));
  response->set_scanned(scan.scanned());
  int64_t total = 0;
  for (const store::LogPart& part : scan.log().parts)
    total += filter.Takes(part) ? part.end.seq : 0;
  response->set_total_lines(total);
  return absl::OkStatus();
}

class LogService final : public pb::LogService::CallbackService {
 public:
  explicit LogService(const Deps& deps) : deps_(deps) {}

  grpc::ServerWriteReactor<pb::LogBatch>* TailLogs(grpc::CallbackServerContext* context,
                                                   const pb::TailLogsRequest* request) override {
    using Refusal = Refused<grpc::ServerWriteReactor<pb::LogBatch>>;
    const auto principal = AuthenticateUser(deps_, *context);
    if (!principal.ok()) return new Refusal(principal.status());
    absl::StatusOr<store::LogFilter> filter = FromProto(request->filter());
    if (!filter.ok()) return new Refusal(filter.status());
    auto tailer = std::make_shared<Tailer>(deps_, *principal, *request, *std::move(filter));
    tailer->Follow();
    tailer->Begin();
    return tailer.get();
  }

  grpc::ServerUnaryReactor* SearchLogs(grpc::CallbackServerContext* context,
                                       const pb::SearchLogsRequest* request,
                                       pb::SearchLogsResponse* response) override {
    return UnaryOn(
        deps_.searches,
        deps_,
        Wire{context, request, response},
        [this](const auto& by, const auto& req, auto* res) { return Search(deps_, by, req, res); });
  }

 private:
  const Deps& deps_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeLogService(const Deps& deps) {
  return std::make_unique<LogService>(deps);
}

}  // namespace det::rpc
