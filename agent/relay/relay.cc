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

// Of a checkpoint that could not be stored. What ends it from here (the agent stops) asks for
// another try; what the bucket or the network did is told.
int StorageHttpStatus(const absl::Status& status) {
  if (absl::IsCancelled(status)) return 503;
  if (absl::IsInvalidArgument(status) || absl::IsNotFound(status)) return HttpStatus(status);
  return 424;
}

HttpResponse ToResponse(const absl::Status& status) {
  Value body;
  const std::string reason = ErrorReason(status);
  body["error"]["reason"] = reason.empty() ? "INTERNAL" : reason;
  body["error"]["message"] = std::string(status.message());
  if (const std::string hint = ErrorHint(status); !hint.empty()) body["error"]["hint"] = hint;
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

// What is stored is what counts, whatever the program said.
void PutFiles(const storage::FileMap& files, v1::Checkpoint* checkpoint) {
  Value list = Value::Object();
  int64_t bytes = 0;
  for (const auto& [path, size] : files) {
    list[path] = size;
    bytes += size;
  }
  checkpoint->set_files_json(list.ToJson());
  checkpoint->set_bytes(bytes);
}

}  // namespace

struct Relay::Core : std::enable_shared_from_this<Relay::Core> {
  struct Poll {
    int64_t id = 0;
    HttpServer::Responder respond;
  };
  // A report whose checkpoint is on its way up.
  struct Stored {
    int64_t seq = 0;
    v1::Report report;
    HttpServer::Responder respond;
  };

  Core(Options o, Events e, Timer& t) : options(std::move(o)), events(std::move(e)), timer(t) {}

  void Handle(const HttpRequest& request, HttpServer::Responder respond);
  void TakeReport(const std::string& body, HttpServer::Responder respond);
  absl::Status Read(const std::string& body, Stored* stored);
  void Store(Stored stored);
  void UploadOne(const std::string& uuid);
  std::vector<absl::StatusOr<int64_t>> Count(const std::string& uuid,
                                             const storage::FileMap& files,
                                             std::vector<Stored>& waiting)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  void Answer(absl::StatusOr<int64_t> seq, HttpServer::Responder respond);
  absl::Status CheckSeq(int64_t seq) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
  absl::StatusOr<int64_t> Keep(int64_t seq, const v1::Report& report)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);
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
  std::map<std::string, std::vector<Stored>> uploads ABSL_GUARDED_BY(mutex);  // by checkpoint
  bool closed ABSL_GUARDED_BY(mutex) = false;  // no report is taken any more
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
  if (core_->options.checkpoints != nullptr) core_->options.checkpoints->Cancel();
  std::list<Core::Poll> dropped;
  MutexLock lock(core_->mutex);
  core_->closed = true;
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
  if (call == "POST /v1/reports") return TakeReport(request.body, std::move(respond));
  if (call == "GET /v1/preemption") return AskPreemption(request, std::move(respond));
  if (call == "POST /v1/preemption/ack") {
    events.on_preemption_acked();
    return respond(ToResponse(trial::v1::AckPreemptionResponse()));
  }
  respond(
      ToResponse(Error(absl::StatusCode::kNotFound, "NO_SUCH_CALL", StrCat("there is no ", call))));
}

void Relay::Core::TakeReport(const std::string& body, HttpServer::Responder respond) {
  Stored stored;
  if (const absl::Status status = Read(body, &stored); !status.ok()) {
    return respond(ToResponse(status));
  }
  if (stored.report.has_checkpoint() && options.checkpoints != nullptr) {
    stored.respond = std::move(respond);
    return Store(std::move(stored));
  }
  absl::StatusOr<int64_t> seq;
  {
    MutexLock lock(mutex);
    seq = Keep(stored.seq, stored.report);
  }
  Answer(std::move(seq), std::move(respond));
}

void Relay::Core::Answer(absl::StatusOr<int64_t> seq, HttpServer::Responder respond) {
  if (!seq.ok()) return respond(ToResponse(seq.status()));
  trial::v1::ReportResponse response;
  response.set_seq(*seq);
  respond(ToResponse(response));
  events.on_report();
}

// First the files, then the report. Asked again meanwhile (whoever asked gave up waiting), it joins
// what is under way.
void Relay::Core::Store(Stored stored) {
  absl::Status fault;
  {
    MutexLock lock(mutex);
    const int64_t seq = stored.seq;
    fault = CheckSeq(seq);
    if (fault.ok() && (seq == 0 || seq > taken)) {
      const std::string uuid = stored.report.checkpoint().uuid();
      std::vector<Stored>& waiting = uploads[uuid];
      waiting.push_back(std::move(stored));
      if (waiting.size() > 1) return;
      if (options.transfers->Post([self = shared_from_this(), uuid] { self->UploadOne(uuid); })) {
        return;
      }
      stored = std::move(waiting.front());
      uploads.erase(uuid);
      fault = Error(absl::StatusCode::kResourceExhausted,
                    "AGENT_BUSY",
                    "the agent has too many checkpoints to store",
                    "try again later");
    }
  }
  if (!fault.ok()) return stored.respond(ToResponse(fault));
  Answer(stored.seq, std::move(stored.respond));
}

void Relay::Core::UploadOne(const std::string& uuid) {
  const absl::StatusOr<storage::FileMap> files = options.checkpoints->Upload(uuid);
  std::vector<Stored> waiting;
  std::vector<absl::StatusOr<int64_t>> taken_as;
  {
    MutexLock lock(mutex);
    waiting = std::move(uploads[uuid]);
    uploads.erase(uuid);
    if (files.ok()) taken_as = Count(uuid, *files, waiting);
  }
  const auto is_taken = [](const auto& seq) { return seq.ok(); };
  if (std::any_of(taken_as.begin(), taken_as.end(), is_taken)) {
    options.checkpoints->RemoveLocal(uuid);
  }
  for (size_t i = 0; i < waiting.size(); ++i) {
    if (files.ok()) {
      Answer(std::move(taken_as[i]), std::move(waiting[i].respond));
      continue;
    }
    HttpResponse response = ToResponse(files.status());
    response.status = StorageHttpStatus(files.status());
    waiting[i].respond(std::move(response));
  }
}

// Once nothing is read of the run's reports any more, the checkpoint stays on record, and goes.
std::vector<absl::StatusOr<int64_t>> Relay::Core::Count(const std::string& uuid,
                                                        const storage::FileMap& files,
                                                        std::vector<Stored>& waiting) {
  const absl::Status status =
      closed ? absl::UnavailableError("the run has ended") : options.checkpoints->HandOver(uuid);
  std::vector<absl::StatusOr<int64_t>> taken_as;
  for (Stored& stored : waiting) {
    PutFiles(files, stored.report.mutable_checkpoint());
    taken_as.push_back(status.ok() ? Keep(stored.seq, stored.report) : status);
  }
  return taken_as;
}

absl::Status Relay::Core::Read(const std::string& body, Stored* stored) {
  trial::v1::ReportRequest request;
  DET_RETURN_IF_ERROR(FromJson(body, &request));
  stored->seq = request.seq();
  DET_ASSIGN_OR_RETURN(stored->report, ToReport(request));
  v1::Report& report = stored->report;
  // Numbers print longer than they came ("1e9"): what is larger than a message to the master may be
  // would be in the way of all reports behind it.
  if (report.ByteSizeLong() > kReportBytesMax) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "REPORT_TOO_LARGE",
                 StrCat("the report is larger than ", kReportBytesMax >> 20, " MiB"),
                 "report less at once");
  }
  report.set_at_unix_nanos(absl::ToUnixNanos(absl::Now()));
  return absl::OkStatus();
}

absl::Status Relay::Core::CheckSeq(int64_t seq) {
  if (seq < 0) {
    return Error(
        absl::StatusCode::kInvalidArgument, "INVALID_REPORT", StrCat("seq ", seq, " is below 0"));
  }
  if (seq <= taken + 1) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition,
               "REPORT_GAP",
               StrCat("report ", seq, " can't follow report ", taken));
}

absl::StatusOr<int64_t> Relay::Core::Keep(int64_t seq, const v1::Report& report) {
  if (seq > 0 && seq <= taken) return seq;  // taken before
  // What the disk had no room for when it came is in memory still, and has its number.
  DET_RETURN_IF_ERROR(Flush());
  if (seq > 0 && seq <= taken) return seq;
  DET_RETURN_IF_ERROR(CheckSeq(seq));
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
