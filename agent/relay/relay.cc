#include "agent/relay/relay.h"

#include <algorithm>
#include <charconv>
#include <list>

#include "absl/time/clock.h"
#include <google/protobuf/util/json_util.h>
#include <openssl/crypto.h>

#include "agent/relay/report_line.h"
#include "agent/spool/headroom.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"
#include "common/os/fs.h"

namespace det::agent {
namespace {

constexpr size_t kReportBytesMax = 8 << 20;
constexpr int64_t kSpoolBytesMax = int64_t{1} << 30;
constexpr int64_t kPollSecondsMax = 60;

int HttpStatus(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return 400;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kFailedPrecondition:
      return 409;
    case absl::StatusCode::kResourceExhausted:
      return 429;
    default:
      return 500;
  }
}

HttpResponse ToResponse(const absl::Status& status) {
  Value body;
  const std::string reason = ErrorReason(status);
  body["error"]["reason"] = reason.empty() ? "INTERNAL" : reason;
  body["error"]["message"] = std::string(status.message());
  return {.status = HttpStatus(status), .body = body.ToJson()};
}

HttpResponse ToResponse(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string body;
  const auto status = google::protobuf::util::MessageToJsonString(message, &body, options);
  if (!status.ok()) return ToResponse(absl::InternalError("the answer can't be printed"));
  return {.body = std::move(body)};
}

absl::Status FromJson(const std::string& body, google::protobuf::Message* message) {
  const auto status = google::protobuf::util::JsonStringToMessage(body, message);
  if (status.ok()) return absl::OkStatus();
  // It may quote what it can't read.
  std::string why = status.message().ToString();
  std::replace_if(
      why.begin(), why.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return Error(absl::StatusCode::kInvalidArgument, "INVALID_JSON", why);
}

int64_t TimeoutSeconds(const HttpRequest& request) {
  const auto it = request.query.find("timeout_seconds");
  int64_t seconds = 0;
  if (it != request.query.end()) {
    std::from_chars(it->second.data(), it->second.data() + it->second.size(), seconds);
  }
  return std::clamp<int64_t>(seconds, 0, kPollSecondsMax);
}

}  // namespace

struct Relay::Core : std::enable_shared_from_this<Relay::Core> {
  struct Poll {
    int64_t id = 0;
    HttpServer::Responder respond;
  };

  Core(Options o, Events e, Timer& t) : options(std::move(o)), events(std::move(e)), timer(t) {}

  void Handle(const HttpRequest& request, HttpServer::Responder respond);
  absl::StatusOr<int64_t> Take(const std::string& body);
  absl::StatusOr<int64_t> Keep(int64_t seq, const v1::Report& report);
  absl::Status Flush() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void AskPreemption(const HttpRequest& request, HttpServer::Responder respond);
  HttpResponse Preemption() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void EndPoll(int64_t id);
  bool Knows(const HttpRequest& request) const;

  const Options options;
  const Events events;
  Timer& timer;
  Mutex mutex;
  std::unique_ptr<spool::SegmentWriter> spool ABSL_GUARDED_BY(mutex);
  int64_t taken ABSL_GUARDED_BY(mutex) = 0;  // the last report that is on disk
  bool preempt ABSL_GUARDED_BY(mutex) = false;
  std::string preempt_reason ABSL_GUARDED_BY(mutex);
  std::list<Poll> polls ABSL_GUARDED_BY(mutex);
  int64_t next_poll ABSL_GUARDED_BY(mutex) = 1;
};

Relay::Relay(std::shared_ptr<Core> core) : core_(std::move(core)) {}

absl::StatusOr<std::unique_ptr<Relay>> Relay::Start(Options options, Events events, Timer& timer) {
  HttpServerOptions server;
  server.unix_path = options.socket_path;
  server.body_bytes_max = kReportBytesMax;
  auto core = std::make_shared<Core>(std::move(options), std::move(events), timer);
  {
    MutexLock lock(core->mutex);
    DET_ASSIGN_OR_RETURN(core->spool,
                         spool::SegmentWriter::Open({.directory = core->options.spool_directory,
                                                     .bytes_max = kSpoolBytesMax,
                                                     .keep_all = true}));
    core->taken = core->spool->next_seq() - 1;
  }
  std::unique_ptr<Relay> relay(new Relay(core));
  DET_ASSIGN_OR_RETURN(
      relay->server_,
      HttpServer::Start(std::move(server),
                        [core](const HttpRequest& request, HttpServer::Responder respond) {
                          core->Handle(request, std::move(respond));
                        }));
  return relay;
}

Relay::~Relay() {
  if (server_ != nullptr) server_->Stop();
  std::list<Core::Poll> dropped;
  MutexLock lock(core_->mutex);
  dropped.swap(core_->polls);
}

void Relay::Preempt(const std::string& reason) {
  std::list<Core::Poll> answered;
  HttpResponse response;
  {
    MutexLock lock(core_->mutex);
    core_->preempt = true;
    core_->preempt_reason = reason;
    answered.swap(core_->polls);
    response = core_->Preemption();
  }
  for (Core::Poll& poll : answered) poll.respond(response);
}

// In constant time: how much of a guess is right must not show.
bool Relay::Core::Knows(const HttpRequest& request) const {
  const auto it = request.headers.find("authorization");
  const std::string expected = StrCat("Bearer ", options.token.Reveal());
  return it != request.headers.end() && it->second.size() == expected.size() &&
         CRYPTO_memcmp(it->second.data(), expected.data(), expected.size()) == 0;
}

void Relay::Core::Handle(const HttpRequest& request, HttpServer::Responder respond) {
  if (!Knows(request)) {
    return respond(
        ToResponse(Error(absl::StatusCode::kUnauthenticated,
                         "UNAUTHENTICATED",
                         "the token of this run is needed: Authorization: Bearer $DET_TOKEN")));
  }
  const std::string call = StrCat(request.method, " ", request.path);
  if (call == "GET /v1/info") {
    trial::v1::InfoResponse info = options.info;
    MutexLock lock(mutex);
    info.set_last_seq(taken);
    return respond(ToResponse(info));
  }
  if (call == "POST /v1/reports") {
    const absl::StatusOr<int64_t> seq = Take(request.body);
    if (!seq.ok()) return respond(ToResponse(seq.status()));
    trial::v1::ReportResponse response;
    response.set_seq(*seq);
    respond(ToResponse(response));
    return events.on_report();
  }
  if (call == "GET /v1/preemption") return AskPreemption(request, std::move(respond));
  if (call == "POST /v1/preemption/ack") {
    events.on_preemption_acked();
    return respond(ToResponse(trial::v1::AckPreemptionResponse()));
  }
  respond(
      ToResponse(Error(absl::StatusCode::kNotFound, "NO_SUCH_CALL", StrCat("there is no ", call))));
}

absl::StatusOr<int64_t> Relay::Core::Take(const std::string& body) {
  trial::v1::ReportRequest request;
  DET_RETURN_IF_ERROR(FromJson(body, &request));
  DET_ASSIGN_OR_RETURN(v1::Report report, ToReport(request));
  // Numbers print longer than they came ("1e9"): what is larger than a message to the master may be
  // would be in the way of all reports behind it.
  if (report.ByteSizeLong() > kReportBytesMax) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "REPORT_TOO_LARGE",
                 StrCat("the report is larger than ", kReportBytesMax >> 20, " MiB"),
                 "report less at once");
  }
  report.set_at_unix_nanos(absl::ToUnixNanos(absl::Now()));
  return Keep(request.seq(), report);
}

absl::StatusOr<int64_t> Relay::Core::Keep(int64_t seq, const v1::Report& report) {
  MutexLock lock(mutex);
  if (seq < 0) {
    return Error(
        absl::StatusCode::kInvalidArgument, "INVALID_REPORT", StrCat("seq ", seq, " is below 0"));
  }
  if (seq != 0 && seq <= taken) return seq;  // taken before
  // What the disk had no room for when it came is in memory still, and has its number.
  DET_RETURN_IF_ERROR(Flush());
  if (seq != 0 && seq <= taken) return seq;
  if (seq > taken + 1) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "REPORT_GAP",
                 StrCat("report ", seq, " can't follow report ", taken));
  }
  if (spool::RoomAbove(ParentDirectory(options.spool_directory)) <= 0) {
    return Error(absl::StatusCode::kResourceExhausted,
                 "DISK_FULL",
                 "the agent's disk is full, so reports can't be kept",
                 "try again when there is room");
  }
  DET_RETURN_IF_ERROR(spool->Append(report.SerializeAsString()).status());
  DET_RETURN_IF_ERROR(Flush());
  return taken;
}

absl::Status Relay::Core::Flush() {
  DET_RETURN_IF_ERROR(spool->Flush());
  taken = spool->next_seq() - 1;
  return absl::OkStatus();
}

void Relay::Core::AskPreemption(const HttpRequest& request, HttpServer::Responder respond) {
  events.on_preemption_watched();
  const int64_t seconds = TimeoutSeconds(request);
  int64_t id = 0;
  {
    MutexLock lock(mutex);
    if (preempt || seconds == 0) {
      HttpResponse response = Preemption();
      respond(std::move(response));
      return;
    }
    id = next_poll++;
    polls.push_back({id, std::move(respond)});
  }
  timer.After(absl::Seconds(seconds), [weak = weak_from_this(), id] {
    if (const std::shared_ptr<Core> core = weak.lock()) core->EndPoll(id);
  });
}

HttpResponse Relay::Core::Preemption() {
  trial::v1::PreemptionResponse response;
  response.set_preempt(preempt);
  response.set_reason(preempt_reason);
  return ToResponse(response);
}

// The poll's time is up; it may have been answered before.
void Relay::Core::EndPoll(int64_t id) {
  std::list<Poll> ended;
  HttpResponse response;
  {
    MutexLock lock(mutex);
    const auto it =
        std::find_if(polls.begin(), polls.end(), [&](const Poll& poll) { return poll.id == id; });
    if (it == polls.end()) return;
    ended.splice(ended.begin(), polls, it);
    response = Preemption();
  }
  ended.front().respond(std::move(response));
}

}  // namespace det::agent
