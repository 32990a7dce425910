#include "common/net/http_server.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"
#include "common/net/http_target.h"

namespace det {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

using Protocol = asio::generic::stream_protocol;
using Socket = Protocol::socket;
using Acceptor = asio::basic_socket_acceptor<Protocol>;

// Read from a connection ahead of parsing; above the header limit, so that the parser meets it.
constexpr size_t kReadAheadBytesMax = 64 << 10;
// How long the rest of a refused request is read away, so that its sender sees the answer and not a
// reset connection.
constexpr absl::Duration kLingerTimeout = absl::Seconds(2);
// After a failed accept (no file descriptors left): soon enough, without spinning.
constexpr absl::Duration kAcceptPause = absl::Milliseconds(100);

absl::Status SocketError(std::string_view what, const error_code& error) {
  return Error(
      absl::StatusCode::kUnavailable, "LISTEN_FAILED", StrCat(what, ": ", error.message()));
}

// Programs that the process starts must not inherit the connection.
void CloseOnExec(int fd) {
  fcntl(fd, F_SETFD, FD_CLOEXEC);
}

HttpResponse ErrorResponse(int status, std::string_view reason, std::string_view message) {
  HttpResponse response{.status = status};
  response.body = StrCat(R"({"error": {"reason": )",
                         QuoteJson(reason),
                         R"(, "message": )",
                         QuoteJson(message),
                         "}}\n");
  return response;
}

std::string WithoutControls(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) out.push_back(c);
  }
  return out;
}

using Message = http::response<http::string_body>;

// The response to `request` as it goes over the wire.
std::shared_ptr<Message> MakeMessage(HttpResponse&& response, bool head, bool keep_alive) {
  auto message = std::make_shared<Message>();
  Message& out = *message;
  const bool bodiless = response.status < 200 || response.status == 204 || response.status == 304;
  out.version(11);
  out.result(static_cast<unsigned>(response.status));
  for (const auto& [name, value] : response.headers) out.set(name, WithoutControls(value));
  out.set("X-Content-Type-Options", "nosniff");
  out.keep_alive(keep_alive);
  if (bodiless) return message;
  out.set(http::field::content_type, WithoutControls(response.content_type));
  out.content_length(response.body.size());
  if (!head) out.body() = std::move(response.body);
  return message;
}

// What to answer to a request that can't be parsed; nullopt: nobody is there to read an answer.
std::optional<HttpResponse> AnswerTo(const error_code& error) {
  if (error.category() != make_error_code(http::error::bad_target).category()) return std::nullopt;
  switch (static_cast<http::error>(error.value())) {
    case http::error::end_of_stream:
    case http::error::partial_message:
      return std::nullopt;
    case http::error::body_limit:
      return ErrorResponse(413, "BODY_TOO_LARGE", "the body is larger than allowed");
    case http::error::header_limit:
    case http::error::buffer_overflow:
      return ErrorResponse(431, "HEADER_TOO_LARGE", "the header is larger than allowed");
    default:
      return ErrorResponse(
          400, "MALFORMED_REQUEST", StrCat("not an HTTP/1.1 request: ", error.message()));
  }
}

}  // namespace

bool CaseInsensitiveLess::operator()(std::string_view a, std::string_view b) const {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::lexicographical_compare(
      a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) < lower(y); });
}

// What the thread works on. All but Post belongs to the thread once it runs.
class HttpServer::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(HttpServerOptions options, Handler handler)
      : options_(std::move(options)),
        handler_(std::move(handler)),
        acceptor_(io_),
        accept_pause_(io_) {}

  absl::Status Listen();
  void Start();
  void Stop();
  uint16_t port() const { return port_; }
  const HttpServerOptions& options() const { return options_; }
  const Handler& handler() const { return handler_; }

  // From any thread. Does nothing once the server has stopped.
  template <class Function>
  void Post(Function function) {
    if (!stopped_) asio::post(io_, std::move(function));
  }
  void Forget(Connection* connection);

 private:
  absl::Status ListenOnPort();
  absl::Status ListenOnPath();
  absl::Status ClearPath(const std::string& path);
  absl::Status Bind(const Protocol::endpoint& endpoint, const std::string& name);
  void Accept();
  void OnAccept(const error_code& error, Socket socket);

  const HttpServerOptions options_;
  const Handler handler_;
  asio::io_context io_{1};
  Acceptor acceptor_;
  asio::steady_timer accept_pause_;
  bool accepting_ = false;
  uint16_t port_ = 0;
  std::atomic<bool> stopped_{false};
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections_;
  std::thread thread_;
};

// One connection. It goes round: idle (waiting for the first byte of a request), reading, held (by
// the handler), writing.
class HttpServer::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Core& core, Socket socket)
      : core_(core), socket_(std::move(socket)), deadline_(socket_.get_executor()) {}

  void Start() {
    Arm(core_.options().request_timeout);
    state_ = State::kIdle;
    Watch();
  }
  void Close();
  // The answer to the `number`th request; ignored when that one is answered or the client gone.
  void Answer(uint64_t number, HttpResponse response);

 private:
  enum class State { kIdle, kReading, kHeld, kWriting, kLingering };
  using Parser = http::request_parser<http::string_body>;

  void Arm(absl::Duration timeout);
  void Watch();
  void OnWatch(const error_code& error, size_t bytes);
  void ReadHeader();
  void OnHeader(const error_code& error);
  void Continue();
  void ReadBody();
  void OnRequest(const error_code& error);
  void Hold(const HttpRequest& request);
  void Refuse(HttpResponse response);
  void Write(HttpResponse response);
  void OnWritten(const error_code& error);
  void Linger();

  Core& core_;
  Socket socket_;
  asio::steady_timer deadline_;
  boost::beast::flat_buffer buffer_{kReadAheadBytesMax};
  std::array<char, 4096> scratch_{};
  std::optional<Parser> parser_;
  State state_ = State::kIdle;
  bool watching_ = false;  // only while the buffer is empty
  bool closed_ = false;
  bool head_ = false;
  bool keep_alive_ = false;
  uint64_t number_ = 0;
};

// The responder that a handler gets.
class HttpServer::Reply {
 public:
  Reply(std::weak_ptr<Core> core, std::weak_ptr<Connection> connection, uint64_t number)
      : core_(std::move(core)), connection_(std::move(connection)), number_(number) {}
  Reply(Reply&&) = default;
  ~Reply() { Send(ErrorResponse(500, "NO_ANSWER", "the server gave no answer")); }

  void operator()(HttpResponse response) { Send(std::move(response)); }

 private:
  void Send(HttpResponse response) {
    const std::shared_ptr<Core> core = std::exchange(core_, {}).lock();
    if (core == nullptr) return;
    core->Post(
        [connection = connection_, number = number_, response = std::move(response)]() mutable {
          if (const auto open = connection.lock()) open->Answer(number, std::move(response));
        });
  }

  std::weak_ptr<Core> core_;  // empty once the answer is given
  std::weak_ptr<Connection> connection_;
  uint64_t number_;
};

absl::Status HttpServer::Core::Listen() {
  return options_.unix_path.empty() ? ListenOnPort() : ListenOnPath();
}

absl::Status HttpServer::Core::Bind(const Protocol::endpoint& endpoint, const std::string& name) {
  error_code error;
  acceptor_.open(endpoint.protocol(), error);
  if (error) return SocketError(StrCat("can't open a socket for ", name), error);
  CloseOnExec(acceptor_.native_handle());
  if (options_.unix_path.empty()) acceptor_.set_option(Acceptor::reuse_address(true), error);
  acceptor_.bind(endpoint, error);
  if (error) return SocketError(StrCat("can't bind ", name), error);
  // Nobody can connect before the socket listens, so the mode is in force from the start.
  if (!options_.unix_path.empty() && chmod(options_.unix_path.c_str(), 0600) != 0) {
    return SocketError(StrCat("can't set the mode of ", name),
                       error_code(errno, boost::system::system_category()));
  }
  acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error) return SocketError(StrCat("can't listen on ", name), error);
  acceptor_.non_blocking(true, error);
  return absl::OkStatus();
}

absl::Status HttpServer::Core::ListenOnPort() {
  error_code error;
  asio::ip::tcp::resolver resolver(io_);
  const auto found =
      resolver.resolve(options_.host,
                       std::to_string(options_.port),
                       asio::ip::resolver_base::passive | asio::ip::resolver_base::numeric_service,
                       error);
  if (error || found.empty()) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "UNKNOWN_HOST",
                 StrCat("the host ", QuoteJson(options_.host), " is unknown: ", error.message()));
  }
  const asio::ip::tcp::endpoint endpoint = found.begin()->endpoint();
  DET_RETURN_IF_ERROR(Bind(endpoint, StrCat(options_.host, ":", options_.port)));
  sockaddr_storage bound{};
  socklen_t size = sizeof(bound);
  getsockname(acceptor_.native_handle(), reinterpret_cast<sockaddr*>(&bound), &size);
  port_ = ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port
                                            : reinterpret_cast<sockaddr_in*>(&bound)->sin_port);
  return absl::OkStatus();
}

absl::Status HttpServer::Core::ListenOnPath() {
  const std::string& path = options_.unix_path;
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "SOCKET_PATH_TOO_LONG",
                 StrCat("the path of a unix socket has at most ",
                        sizeof(sockaddr_un::sun_path) - 1,
                        " bytes, not ",
                        path.size(),
                        ": ",
                        path));
  }
  DET_RETURN_IF_ERROR(ClearPath(path));
  return Bind(asio::local::stream_protocol::endpoint(path), path);
}

// Takes away what an earlier server left.
absl::Status HttpServer::Core::ClearPath(const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) return absl::OkStatus();
  if (!S_ISSOCK(info.st_mode)) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "NOT_A_SOCKET",
                 StrCat(path, " exists and is not a socket"));
  }
  asio::local::stream_protocol::socket probe(io_);
  error_code error;
  probe.connect(asio::local::stream_protocol::endpoint(path), error);
  if (!error) {
    return Error(absl::StatusCode::kUnavailable,
                 "SOCKET_IN_USE",
                 StrCat("another program listens on ", path));
  }
  unlink(path.c_str());
  return absl::OkStatus();
}

void HttpServer::Core::Start() {
  Accept();
  thread_ = std::thread([this] { io_.run(); });
}

void HttpServer::Core::Stop() {
  if (stopped_.exchange(true)) return;
  DET_CHECK(std::this_thread::get_id() != thread_.get_id(), "Stop in a handler");
  asio::post(io_, [this] {
    // First the name, then the socket: a server that comes after us may take the name at once.
    if (!options_.unix_path.empty()) unlink(options_.unix_path.c_str());
    error_code error;
    acceptor_.close(error);
    while (!connections_.empty()) connections_.begin()->first->Close();
    io_.stop();
  });
  thread_.join();
}

void HttpServer::Core::Accept() {
  if (accepting_ || !acceptor_.is_open() || connections_.size() >= options_.connections_max) return;
  accepting_ = true;
  acceptor_.async_accept([this](const error_code& error, Socket socket) {
    accepting_ = false;
    OnAccept(error, std::move(socket));
  });
}

void HttpServer::Core::OnAccept(const error_code& error, Socket socket) {
  if (!acceptor_.is_open()) return;
  if (error) {
    accept_pause_.expires_after(absl::ToChronoNanoseconds(kAcceptPause));
    accept_pause_.async_wait([this](const error_code& canceled) {
      if (!canceled) Accept();
    });
    return;
  }
  CloseOnExec(socket.native_handle());
  if (options_.unix_path.empty()) {
    const int on = 1;
    setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  }
  auto connection = std::make_shared<Connection>(*this, std::move(socket));
  connections_.emplace(connection.get(), connection);
  connection->Start();
  Accept();
}

void HttpServer::Core::Forget(Connection* connection) {
  connections_.erase(connection);
  Accept();
}

void HttpServer::Connection::Close() {
  if (std::exchange(closed_, true)) return;
  const auto self = shared_from_this();
  error_code error;
  deadline_.cancel();
  socket_.close(error);
  core_.Forget(this);
}

void HttpServer::Connection::Arm(absl::Duration timeout) {
  deadline_.expires_after(absl::ToChronoNanoseconds(timeout));
  deadline_.async_wait([self = shared_from_this()](const error_code& canceled) {
    // The timer may have been set anew after this call was due.
    if (!canceled && self->deadline_.expiry() <= std::chrono::steady_clock::now()) self->Close();
  });
}

// Waits for bytes while none are left over: the next request, or the end of the connection.
void HttpServer::Connection::Watch() {
  if (watching_) return;
  watching_ = true;
  socket_.async_read_some(asio::buffer(scratch_),
                          [self = shared_from_this()](const error_code& error, size_t bytes) {
                            self->OnWatch(error, bytes);
                          });
}

void HttpServer::Connection::OnWatch(const error_code& error, size_t bytes) {
  watching_ = false;
  if (closed_) return;
  if (error) return Close();
  if (state_ == State::kLingering) return Watch();
  const auto room = buffer_.prepare(bytes);
  buffer_.commit(asio::buffer_copy(room, asio::buffer(scratch_, bytes)));
  if (state_ == State::kIdle) ReadHeader();
}

void HttpServer::Connection::ReadHeader() {
  state_ = State::kReading;
  Arm(core_.options().request_timeout);
  head_ = false;
  parser_.emplace();
  parser_->header_limit(static_cast<uint32_t>(kHttpHeaderBytesMax));
  parser_->body_limit(core_.options().body_bytes_max);
  http::async_read_header(
      socket_, buffer_, *parser_, [self = shared_from_this()](const error_code& error, size_t) {
        self->OnHeader(error);
      });
}

void HttpServer::Connection::OnHeader(const error_code& error) {
  if (closed_) return;
  if (error) return OnRequest(error);
  const auto& request = parser_->get();
  if (request.find(http::field::transfer_encoding) != request.end() && !parser_->chunked()) {
    return Refuse(ErrorResponse(501, "UNKNOWN_ENCODING", "only chunked transfer is understood"));
  }
  if (boost::beast::iequals(request[http::field::expect], "100-continue")) return Continue();
  ReadBody();
}

// The client waits for a word before it sends the body.
void HttpServer::Connection::Continue() {
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  asio::async_write(socket_,
                    asio::buffer(kContinue.data(), kContinue.size()),
                    [self = shared_from_this()](const error_code& error, size_t) {
                      if (self->closed_) return;
                      if (error) return self->Close();
                      self->ReadBody();
                    });
}

void HttpServer::Connection::ReadBody() {
  http::async_read(
      socket_, buffer_, *parser_, [self = shared_from_this()](const error_code& error, size_t) {
        if (!self->closed_) self->OnRequest(error);
      });
}

void HttpServer::Connection::OnRequest(const error_code& error) {
  if (error) {
    std::optional<HttpResponse> answer = AnswerTo(error);
    if (!answer.has_value()) return Close();
    return Refuse(*std::move(answer));
  }
  auto message = parser_->release();
  parser_.reset();
  head_ = message.method() == http::verb::head;
  keep_alive_ = message.keep_alive();
  std::optional<HttpTarget> target =
      ParseHttpTarget({message.target().data(), message.target().size()});
  if (!target.has_value()) {
    return Refuse(ErrorResponse(400, "MALFORMED_TARGET", "the path or the query can't be read"));
  }
  if (message.version() == 11 && message.find(http::field::host) == message.end()) {
    return Refuse(ErrorResponse(400, "NO_HOST", "the field Host is missing"));
  }
  HttpRequest request{.method = std::string(message.method_string()),
                      .path = std::move(target->path),
                      .query = std::move(target->query),
                      .body = std::move(message.body())};
  for (const auto& field : message) {
    std::string& value = request.headers[std::string(field.name_string())];
    if (!value.empty()) value += ", ";
    value += std::string_view(field.value().data(), field.value().size());
  }
  Hold(request);
}

void HttpServer::Connection::Hold(const HttpRequest& request) {
  state_ = State::kHeld;
  deadline_.cancel();
  // To see the client go. What it has sent ahead is left until this request is answered.
  if (buffer_.size() == 0) Watch();
  core_.handler()(request, Reply(core_.weak_from_this(), weak_from_this(), ++number_));
}

void HttpServer::Connection::Answer(uint64_t number, HttpResponse response) {
  if (closed_ || state_ != State::kHeld || number != number_) return;
  Write(std::move(response));
}

// The bytes that follow have no meaning any more: the connection ends with this answer.
void HttpServer::Connection::Refuse(HttpResponse response) {
  keep_alive_ = false;
  Write(std::move(response));
}

void HttpServer::Connection::Write(HttpResponse response) {
  state_ = State::kWriting;
  Arm(core_.options().request_timeout);
  const std::shared_ptr<Message> message = MakeMessage(std::move(response), head_, keep_alive_);
  http::async_write(
      socket_, *message, [self = shared_from_this(), message](const error_code& error, size_t) {
        if (!self->closed_) self->OnWritten(error);
      });
}

void HttpServer::Connection::OnWritten(const error_code& error) {
  if (error) return Close();
  if (!keep_alive_) return Linger();
  state_ = State::kIdle;
  if (buffer_.size() > 0) return ReadHeader();
  Arm(core_.options().idle_timeout);
  Watch();
}

// Says that nothing more comes, and reads away what the client still sends.
void HttpServer::Connection::Linger() {
  state_ = State::kLingering;
  error_code error;
  socket_.shutdown(Socket::shutdown_send, error);
  Arm(kLingerTimeout);
  Watch();
}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(HttpServerOptions options,
                                                              Handler handler) {
  auto core = std::make_shared<Core>(std::move(options), std::move(handler));
  DET_RETURN_IF_ERROR(core->Listen());
  core->Start();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(core)));
}

HttpServer::HttpServer(std::shared_ptr<Core> core) : core_(std::move(core)) {}

HttpServer::~HttpServer() {
  Stop();
}

uint16_t HttpServer::port() const {
  return core_->port();
}

void HttpServer::Stop() {
  core_->Stop();
}

}  // namespace det
