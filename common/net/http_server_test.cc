#include "common/net/http_server.h"

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/testing/http_client.h"

namespace det {
namespace {

constexpr auto kDeadline = std::chrono::seconds(20);

// Requests whose answers a test gives when it likes.
class Held {
 public:
  void Put(HttpServer::Responder responder) {
    const std::lock_guard lock(mutex_);
    held_.push_back(std::move(responder));
    changed_.notify_all();
  }
  // Waits until there are `count`.
  bool Wait(size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kDeadline, [&] { return held_.size() >= count; });
  }
  void AnswerAll(const std::string& body) {
    const std::lock_guard lock(mutex_);
    for (HttpServer::Responder& responder : held_) responder({.body = body});
    held_.clear();
  }
  void DropAll() {
    const std::lock_guard lock(mutex_);
    held_.clear();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<HttpServer::Responder> held_;
};

class HttpServerTest : public testing::Test {
 protected:
  // "/hold" is kept for the test; everything else is told back.
  std::unique_ptr<HttpServer> Start(HttpServerOptions options = {}) {
    auto server = HttpServer::Start(
        std::move(options), [this](const HttpRequest& request, HttpServer::Responder responder) {
          if (request.path == "/hold") return held_.Put(std::move(responder));
          const auto query = request.query.find("q");
          responder({.body = StrCat(
                         request.method,
                         " ",
                         request.path,
                         " ",
                         query == request.query.end() ? "" : query->second,
                         " ",
                         request.body.size() > 100 ? StrCat(request.body.size()) : request.body),
                     .headers = {{"X-Test", "a\r\nX-Evil: 1"}}});
        });
    EXPECT_TRUE(server.ok()) << server.status();
    return *std::move(server);
  }

  Held held_;
};

std::string Get(std::string_view path) {
  return StrCat("GET ", path, " HTTP/1.1\r\nHost: det\r\n\r\n");
}

bool Has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_F(HttpServerTest, KeepsTheConnection) {
  const auto server = Start();
  HttpClient client(server->port());
  client.Send(Get("/a?q=x%20y"));
  const std::string first = client.Receive();
  EXPECT_TRUE(first.starts_with("HTTP/1.1 200 OK\r\n")) << first;
  EXPECT_TRUE(Has(first, "X-Content-Type-Options: nosniff\r\n")) << first;
  EXPECT_TRUE(Has(first, "Content-Type: application/json\r\n")) << first;
  EXPECT_TRUE(Has(first, "X-Test: aX-Evil: 1\r\n")) << first;
  EXPECT_TRUE(first.ends_with("GET /a x y ")) << first;
  client.Send("POST /b HTTP/1.1\r\nHost: det\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_TRUE(client.Receive().ends_with("POST /b  hello"));
  client.Send("HEAD /c HTTP/1.1\r\nHost: det\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(client.Ends());
  EXPECT_TRUE(Has(client.unread(), "Content-Length: 9\r\n")) << client.unread();
  EXPECT_TRUE(client.unread().ends_with("\r\n\r\n")) << client.unread();
}

TEST_F(HttpServerTest, PipelinedRequestsAreAnsweredInOrder) {
  const auto server = Start();
  HttpClient client(server->port());
  client.Send(Get("/hold") + Get("/2") + Get("/3"));
  ASSERT_TRUE(held_.Wait(1));
  held_.AnswerAll("1");
  EXPECT_TRUE(client.Receive().ends_with("\r\n\r\n1"));
  EXPECT_TRUE(client.Receive().ends_with("GET /2  "));
  EXPECT_TRUE(client.Receive().ends_with("GET /3  "));
}

TEST_F(HttpServerTest, RequestSentWhileAnotherIsHeld) {
  const auto server = Start();
  HttpClient client(server->port());
  client.Send(Get("/hold"));
  ASSERT_TRUE(held_.Wait(1));
  client.Send(Get("/next"));
  held_.AnswerAll("1");
  EXPECT_TRUE(client.Receive().ends_with("\r\n\r\n1"));
  EXPECT_TRUE(client.Receive().ends_with("GET /next  "));
}

TEST_F(HttpServerTest, ChunkedBody) {
  const auto server = Start();
  HttpClient client(server->port());
  client.Send("POST /c HTTP/1.1\r\nHost: det\r\nTransfer-Encoding: chunked\r\n\r\n");
  client.Send("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  EXPECT_TRUE(client.Receive().ends_with("POST /c  abcde"));
}

TEST_F(HttpServerTest, WaitingForContinue) {
  const auto server = Start();
  HttpClient client(server->port());
  client.Send("POST /c HTTP/1.1\r\nHost: det\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.Receive(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("hi");
  EXPECT_TRUE(client.Receive().ends_with("POST /c  hi"));
}

TEST_F(HttpServerTest, BodyOfExactlyTheLimitPasses) {
  const auto server = Start();
  HttpClient client(server->port());
  client.Send(
      StrCat("POST / HTTP/1.1\r\nHost: det\r\nContent-Length: ", kHttpBodyBytesMax, "\r\n\r\n"));
  client.Send(std::string(kHttpBodyBytesMax, 'x'));
  EXPECT_TRUE(client.Receive().ends_with(StrCat("POST /  ", kHttpBodyBytesMax)));
}

TEST_F(HttpServerTest, TooLargeBodyIsRefused) {
  const auto server = Start({.body_bytes_max = 1000});
  for (const char* header : {"Content-Length: 3000000", "Transfer-Encoding: chunked"}) {
    HttpClient client(server->port());
    client.Send(StrCat("POST / HTTP/1.1\r\nHost: det\r\n", header, "\r\n\r\n"));
    if (std::string_view(header).starts_with('T')) client.Send("2DC6C0\r\n");
    client.Send(std::string(3000000, 'x'));
    const std::string response = client.Receive();
    EXPECT_TRUE(response.starts_with("HTTP/1.1 413 ")) << response;
    EXPECT_TRUE(Has(response, "Connection: close")) << response;
    EXPECT_TRUE(Has(response, R"("reason": "BODY_TOO_LARGE")")) << response;
    client.Close();
  }
}

TEST_F(HttpServerTest, TooLargeHeaderIsRefused) {
  const auto server = Start();
  for (const size_t size : {kHttpHeaderBytesMax, size_t{500000}}) {
    HttpClient client(server->port());
    client.Send("GET / HTTP/1.1\r\nHost: det\r\nX: " + std::string(size, 'x') + "\r\n\r\n");
    EXPECT_TRUE(client.Receive().starts_with("HTTP/1.1 431 "));
  }
}

TEST_F(HttpServerTest, MalformedRequestsAreRefused) {
  const auto server = Start();
  for (const char* bad :
       {"hello\r\n\r\n",
        "GET / HTTP/1.1\r\nHost det\r\n\r\n",
        "GET / HTTP/3.0\r\nHost: det\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET /%zz HTTP/1.1\r\nHost: det\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: det\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: det\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST / HTTP/1.1\r\nHost: det\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: det\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    HttpClient client(server->port());
    client.Send(bad);
    const std::string response = client.Receive();
    EXPECT_TRUE(response.starts_with("HTTP/1.1 400 ")) << bad << response;
    EXPECT_TRUE(client.Ends()) << bad;
  }
  HttpClient client(server->port());
  client.Send("POST / HTTP/1.1\r\nHost: det\r\nTransfer-Encoding: gzip\r\n\r\n");
  EXPECT_TRUE(client.Receive().starts_with("HTTP/1.1 501 "));
}

TEST_F(HttpServerTest, SlowClientIsCutOff) {
  const auto server = Start({.request_timeout = absl::Milliseconds(100)});
  for (const char* part : {"",
                           "GET / HT",
                           "GET / HTTP/1.1\r\nHost: det\r\n",
                           "POST / HTTP/1.1\r\nHost: det\r\nContent-Length: 5\r\n\r\nab"}) {
    HttpClient client(server->port());
    client.Send(part);
    EXPECT_TRUE(client.Ends()) << part;
  }
}

TEST_F(HttpServerTest, TricklingDoesNotHelp) {
  const auto server = Start({.request_timeout = absl::Milliseconds(200)});
  HttpClient client(server->port());
  client.Send("GET / HTTP/1.1\r\nHost: det\r\nX: ");
  const auto begin = std::chrono::steady_clock::now();
  // One byte at a time until the server ends it; each wait ends early when it does.
  while (!client.HasBytesAfter(std::chrono::milliseconds(10)) &&
         std::chrono::steady_clock::now() - begin < kDeadline) {
    client.Send("x");
  }
  EXPECT_TRUE(client.Ends());
}

TEST_F(HttpServerTest, IdleConnectionIsClosed) {
  const auto server = Start({.idle_timeout = absl::Milliseconds(50)});
  HttpClient client(server->port());
  client.Send(Get("/a"));
  EXPECT_NE(client.Receive(), "");
  EXPECT_TRUE(client.Ends());
}

TEST_F(HttpServerTest, LongPollOutlivesTheTimeouts) {
  const auto server =
      Start({.request_timeout = absl::Milliseconds(50), .idle_timeout = absl::Milliseconds(50)});
  HttpClient client(server->port());
  client.Send(Get("/hold"));
  ASSERT_TRUE(held_.Wait(1));
  EXPECT_FALSE(client.HasBytesAfter(std::chrono::milliseconds(200)));
  std::thread elsewhere([&] { held_.AnswerAll("late"); });
  EXPECT_TRUE(client.Receive().ends_with("late"));
  elsewhere.join();
}

TEST_F(HttpServerTest, SecondAnswerIsIgnored) {
  std::optional<HttpServer::Responder> kept;
  Held held;
  auto server = HttpServer::Start({}, [&](const HttpRequest&, HttpServer::Responder responder) {
    responder({.body = "first"});
    responder({.body = "second"});
    held.Put(std::move(responder));
  });
  ASSERT_TRUE(server.ok());
  HttpClient client((*server)->port());
  for (int i = 0; i < 2; ++i) {
    client.Send(Get("/"));
    EXPECT_TRUE(client.Receive().ends_with("first"));
    held.DropAll();
  }
}

TEST_F(HttpServerTest, DroppedResponderAnswersWithAnError) {
  const auto server = Start();
  HttpClient client(server->port());
  client.Send(Get("/hold"));
  ASSERT_TRUE(held_.Wait(1));
  held_.DropAll();
  EXPECT_TRUE(client.Receive().starts_with("HTTP/1.1 500 "));
}

TEST_F(HttpServerTest, ClientThatLeavesFreesItsPlace) {
  const auto server = Start({.connections_max = 1});
  HttpClient first(server->port());
  first.Send(Get("/hold"));
  ASSERT_TRUE(held_.Wait(1));
  HttpClient second(server->port());
  second.Send(Get("/second"));
  EXPECT_FALSE(second.HasBytesAfter(std::chrono::milliseconds(50)));
  first.Close();
  EXPECT_TRUE(second.Receive().ends_with("GET /second  "));
  held_.AnswerAll("nobody hears this");
  second.Send(Get("/again"));
  EXPECT_TRUE(second.Receive().ends_with("GET /again  "));
}

TEST_F(HttpServerTest, ManyHeldConnections) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  const auto server = Start();
  std::vector<std::unique_ptr<HttpClient>> clients;
  for (int i = 0; i < 400; ++i) {
    clients.push_back(std::make_unique<HttpClient>(server->port()));
    clients.back()->Send(Get("/hold"));
  }
  ASSERT_TRUE(held_.Wait(clients.size()));
  held_.AnswerAll("now");
  for (const auto& client : clients) EXPECT_TRUE(client->Receive().ends_with("now"));
}

TEST_F(HttpServerTest, StopsWhileRequestsAreHeld) {
  auto server = Start();
  HttpClient client(server->port());
  client.Send(Get("/hold"));
  ASSERT_TRUE(held_.Wait(1));
  server->Stop();
  server->Stop();
  EXPECT_TRUE(client.Ends());
  held_.AnswerAll("after the stop");
  server.reset();
}

TEST_F(HttpServerTest, RespondersMayOutliveTheServer) {
  auto server = Start();
  HttpClient client(server->port());
  client.Send(Get("/hold"));
  ASSERT_TRUE(held_.Wait(1));
  server.reset();
  held_.AnswerAll("after the end");
  EXPECT_TRUE(client.Ends());
}

class UnixSocketTest : public HttpServerTest {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/det-http-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
    path_ = directory_ + "/socket";
  }
  void TearDown() override {
    unlink(path_.c_str());
    rmdir(directory_.c_str());
  }
  std::string ReasonOfStart(const std::string& path) {
    return ErrorReason(HttpServer::Start({.unix_path = path}, [](const auto&, auto) {}).status());
  }

  std::string directory_;
  std::string path_;
};

TEST_F(UnixSocketTest, ServesItsOwnerOnly) {
  auto server = Start({.unix_path = path_});
  struct stat info {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600U);
  EXPECT_EQ(server->port(), 0);
  HttpClient client(path_);
  client.Send(Get("/u"));
  EXPECT_TRUE(client.Receive().ends_with("GET /u  "));
  server.reset();
  EXPECT_NE(stat(path_.c_str(), &info), 0);
}

TEST_F(UnixSocketTest, StaleSocketIsReplaced) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path_.copy(address.sun_path, sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  close(fd);
  const auto server = Start({.unix_path = path_});
  HttpClient client(path_);
  client.Send(Get("/u"));
  EXPECT_NE(client.Receive(), "");
}

TEST_F(UnixSocketTest, WhatMustStayStays) {
  const auto server = Start({.unix_path = path_});
  EXPECT_EQ(ReasonOfStart(path_), "SOCKET_IN_USE");
  const std::string file = directory_ + "/file";
  std::ofstream(file) << "precious";
  EXPECT_EQ(ReasonOfStart(file), "NOT_A_SOCKET");
  EXPECT_EQ(unlink(file.c_str()), 0);
  EXPECT_EQ(ReasonOfStart(std::string(200, 'x')), "SOCKET_PATH_TOO_LONG");
  EXPECT_EQ(ReasonOfStart(directory_ + "/missing/socket"), "LISTEN_FAILED");
}

TEST(HttpServerStart, PortsInUseAndUnknownHosts) {
  const auto ignore = [](const HttpRequest&, HttpServer::Responder) {};
  const auto server = HttpServer::Start({}, ignore);
  ASSERT_TRUE(server.ok());
  EXPECT_GT((*server)->port(), 0);
  EXPECT_EQ(ErrorReason(HttpServer::Start({.port = (*server)->port()}, ignore).status()),
            "LISTEN_FAILED");
  EXPECT_EQ(ErrorReason(HttpServer::Start({.host = "no host"}, ignore).status()), "UNKNOWN_HOST");
}

}  // namespace
}  // namespace det
