#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

// An HTTP/1.1 server on a TCP port or a unix socket.
namespace det {

inline constexpr size_t kHttpHeaderBytesMax = 16 << 10;  // of one request, request line included
inline constexpr size_t kHttpBodyBytesMax = 1 << 20;     // of one request
inline constexpr size_t kHttpConnectionsMax = 1000;
inline constexpr absl::Duration kHttpRequestTimeout = absl::Seconds(30);
inline constexpr absl::Duration kHttpIdleTimeout = absl::Seconds(75);

// Names of header fields are the same in capitals and in small letters.
struct CaseInsensitiveLess {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const;
};
using HttpHeaders = std::map<std::string, std::string, CaseInsensitiveLess>;

struct HttpRequest {
  std::string method;  // "GET"
  std::string path;    // "/v1/info", decoded
  std::map<std::string, std::string, std::less<>> query;
  HttpHeaders headers;  // fields given twice are joined by ", "
  std::string body;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  // In addition to those that the server sets: Content-Type, Content-Length, Connection and
  // X-Content-Type-Options. Control characters are taken out of the values.
  HttpHeaders headers;
};

struct HttpServerOptions {
  std::string host = "127.0.0.1";  // name or address
  uint16_t port = 0;               // 0: any free one
  // When given, the server listens here and not on a port. Only the owner may connect (mode 0600).
  // A socket that nobody listens on any more is replaced; one that is in use is an error.
  std::string unix_path;
  size_t body_bytes_max = kHttpBodyBytesMax;
  size_t connections_max = kHttpConnectionsMax;  // more wait until others end
  // To deliver a whole request, and to take a whole response.
  absl::Duration request_timeout = kHttpRequestTimeout;
  // Between a response and the next request of the same connection.
  absl::Duration idle_timeout = kHttpIdleTimeout;
};

// One thread serves all connections. What can't be read is answered without the handler: 400, 413
// (body), 431 (header), as {"error": {"reason": "UPPER_SNAKE", "message": "..."}}; a client that is
// too slow is cut off. Requests of one connection are answered in their order, one at a time.
class HttpServer {
 public:
  // Gives the response: at once or later, on any thread, also after the server has stopped. The
  // second call does nothing. Destroyed without a call it answers 500. When the client has gone
  // (which includes that it has shut its sending side) the response goes nowhere.
  using Responder = absl::AnyInvocable<void(HttpResponse)>;
  // Runs on the server's thread and must not block or throw.
  using Handler = std::function<void(const HttpRequest&, Responder)>;

  // INVALID_ARGUMENT: the socket's path is too long or the host is unknown. FAILED_PRECONDITION:
  // something that is no socket lies at the path. UNAVAILABLE: in use, or other trouble.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(HttpServerOptions options,
                                                           Handler handler);
  ~HttpServer();  // as Stop

  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // 0 for a unix socket.
  uint16_t port() const;
  // Cuts all connections and waits for the thread to end; afterwards no handler runs. Not from a
  // handler.
  void Stop();

 private:
  class Core;
  class Connection;
  class Reply;

  explicit HttpServer(std::shared_ptr<Core> core);
  std::shared_ptr<Core> core_;
};

}  // namespace det
