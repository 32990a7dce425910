#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"

#include "common/net/http_server.h"
#include "master/auth/authenticator.h"
#include "master/engine/engine.h"
#include "master/http/metrics.h"
#include "master/ingest/ingestor.h"

namespace det::http {

// The HTTP door: GET /healthz for everybody (it says only "ok"), GET /metrics (docs/metrics.md) for
// whoever has the scrape token or an administrator's.
class Front {
 public:
  struct Deps {
    engine::Engine& engine;
    ingest::Ingestor& ingestor;
    Metrics& metrics;
    const auth::Authenticator& tokens;  // people's
    const auth::Authenticator& scrapers;
  };
  struct Options {
    std::string host = "127.0.0.1";
    uint16_t port = 0;
    absl::Duration request_timeout = kHttpRequestTimeout;
  };

  // `deps` outlives the front.
  static absl::StatusOr<std::unique_ptr<Front>> Start(Deps deps, const Options& options);
  ~Front();

  uint16_t port() const { return server_->port(); }

 private:
  explicit Front(Deps deps) : deps_(deps) {}
  void Handle(const HttpRequest& request, HttpServer::Responder respond);
  HttpResponse Check(const HttpRequest& request) const;
  void Scrape(HttpServer::Responder respond);

  Deps deps_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace det::http
