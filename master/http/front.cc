#include "master/http/front.h"

#include <utility>

#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::http {
namespace {

constexpr size_t kBodyBytesMax = 4 << 10;  // nothing here needs one

HttpResponse Refuse(int status, std::string_view reason, std::string_view message) {
  Value body;
  body["error"]["reason"] = reason;
  body["error"]["message"] = message;
  return {.status = status, .body = body.ToJson()};
}

std::string_view Header(const HttpRequest& request, std::string_view name) {
  const auto it = request.headers.find(name);
  return it == request.headers.end() ? std::string_view() : std::string_view(it->second);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Front>> Front::Start(Deps deps, const Options& options) {
  std::unique_ptr<Front> front(new Front(deps));
  HttpServerOptions server;
  server.host = options.host;
  server.port = options.port;
  server.request_timeout = options.request_timeout;
  server.body_bytes_max = kBodyBytesMax;
  Front* self = front.get();
  DET_ASSIGN_OR_RETURN(
      front->server_,
      HttpServer::Start(std::move(server),
                        [self](const HttpRequest& request, HttpServer::Responder respond) {
                          self->Handle(request, std::move(respond));
                        }));
  return front;
}

Front::~Front() {
  if (server_ != nullptr) server_->Stop();
}

void Front::Handle(const HttpRequest& request, HttpServer::Responder respond) {
  HttpResponse refusal = Check(request);
  if (refusal.status != 200) return respond(std::move(refusal));
  if (request.path == "/healthz") return respond({.content_type = "text/plain", .body = "ok\n"});
  Scrape(std::move(respond));
}

// Why the request is refused; 200 when it is not.
HttpResponse Front::Check(const HttpRequest& request) const {
  if (request.path != "/healthz") {
    const std::string_view token = Header(request, "authorization");
    const bool scrapes = deps_.scrapers.Authenticate(token).ok();
    const absl::StatusOr<core::Principal> person = deps_.tokens.Authenticate(token);
    if (!scrapes && !person.ok()) return Refuse(401, "UNAUTHENTICATED", "a valid token is needed");
    if (request.path != "/metrics") return Refuse(404, "NOT_FOUND", "there is nothing here");
    if (!scrapes && person->role != core::Role::kAdmin)
      return Refuse(403, "FORBIDDEN", "the scrape token is needed, or an administrator's");
  }
  const bool reads = request.method == "GET" || request.method == "HEAD";
  return reads ? HttpResponse{} : Refuse(405, "METHOD_NOT_ALLOWED", "use GET");
}

void Front::Scrape(HttpServer::Responder respond) {
  const ingest::Ingestor::Totals& totals = deps_.ingestor.totals();
  deps_.metrics.Set({.commands_queued = deps_.engine.queued(),
                     .ingest_queued_bytes = deps_.ingestor.queued_bytes(),
                     .metric_rows = totals.metric_rows,
                     .log_rows = totals.log_rows,
                     .ingest_refused = totals.refused,
                     .ingest_unreadable = totals.unreadable,
                     .ingest_retries = totals.retries});
  auto shared = std::make_shared<HttpServer::Responder>(std::move(respond));
  Metrics& metrics = deps_.metrics;
  const absl::Status queued = deps_.engine.Read([shared, &metrics](const core::State& state) {
    metrics.Set(state);
    return [shared, &metrics] {
      (*shared)({.content_type = "text/plain; version=0.0.4", .body = metrics.Text()});
    };
  });
  if (!queued.ok()) (*shared)(Refuse(503, ErrorReason(queued), FromAbsl(queued.message())));
}

}  // namespace det::http
