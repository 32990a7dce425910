#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/fs.h"
#include "common/os/unique_fd.h"
#include "common/s3/client.h"
#include "common/testing/tmp_dir.h"

namespace det::s3 {
namespace {

// Says its lines to one connection after another, whatever is asked, and hangs up after each.
class ScriptedServer {
 public:
  explicit ScriptedServer(std::vector<std::string> lines) : lines_(std::move(lines)) {
    listener_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    DET_CHECK(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    DET_CHECK(::listen(listener_.get(), 16) == 0);
    DET_CHECK(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Serve(); });
  }
  ~ScriptedServer() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }

  ClientOptions Options() const {
    static const SystemClock clock;
    ClientOptions options{
        .bucket = "bucket", .endpoint_url = StrCat("http://127.0.0.1:", port_), .clock = &clock};
    options.credentials = []() -> absl::StatusOr<Credentials> {
      return Credentials{"key", Secret("secret"), Secret("token")};
    };
    options.patience = absl::Seconds(20);
    options.longest_pause = absl::Milliseconds(20);
    return options;
  }
  // Call them when the client has its answer.
  const std::vector<std::string>& requests() const { return requests_; }

 private:
  void Serve() {
    for (const std::string& line : lines_) {
      const UniqueFd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!fd.valid()) return;
      requests_.push_back(ReadRequest(fd.get()));
      (void)!::send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL);
    }
  }

  static std::string ReadRequest(int fd) {
    std::string request;
    char buffer[65536];
    for (;;) {
      const size_t head = request.find("\r\n\r\n");
      if (head != std::string::npos && request.size() >= head + 4 + BodyBytes(request)) break;
      const ssize_t got = ::read(fd, buffer, sizeof(buffer));
      if (got <= 0) break;
      request.append(buffer, static_cast<size_t>(got));
    }
    return request;
  }

  static size_t BodyBytes(const std::string& request) {
    const size_t at = request.find("Content-Length: ");
    return at == std::string::npos ? 0 : std::stoul(request.substr(at + 16));
  }

  std::vector<std::string> lines_;
  std::vector<std::string> requests_;
  UniqueFd listener_;
  int port_ = 0;
  std::thread thread_;
};

std::string Answer(const std::string& status,
                   const std::string& body,
                   const std::string& more = "") {
  return StrCat("HTTP/1.1 ",
                status,
                "\r\nContent-Length: ",
                body.size(),
                "\r\nConnection: close\r\n",
                more,
                "\r\n",
                body);
}

std::string ErrorXml(const std::string& code) {
  return StrCat(
      "<?xml version=\"1.0\"?><Error><Code>", code, "</Code><Message>m</Message></Error>");
}

std::unique_ptr<Client> MakeClient(ClientOptions options) {
  absl::StatusOr<std::unique_ptr<Client>> client = Client::Create(std::move(options));
  EXPECT_TRUE(client.ok()) << client.status();
  return *std::move(client);
}

TEST(S3Faults, BusyAndBrokenServersAreAskedAgain) {
  ScriptedServer server({Answer("503 Slow Down", ErrorXml("SlowDown")),
                         Answer("500 Internal Server Error", ErrorXml("InternalError")),
                         "",
                         "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhal",
                         Answer("400 Bad Request", ErrorXml("RequestTimeout")),
                         Answer("200 OK", "whole")});
  const auto client = MakeClient(server.Options());
  EXPECT_EQ(client->Get("key", 100).value_or("?"), "whole");
  ASSERT_EQ(server.requests().size(), 6U);
  EXPECT_NE(server.requests()[0].find("x-amz-security-token: token"), std::string::npos);
  EXPECT_EQ(server.requests()[0].find("secret"), std::string::npos);
}

TEST(S3Faults, PatienceEnds) {
  ScriptedServer server(
      std::vector<std::string>(200, Answer("503 Slow Down", ErrorXml("SlowDown"))));
  ClientOptions options = server.Options();
  options.patience = absl::Milliseconds(300);
  const absl::Status status = MakeClient(options)->Put("key", "x");
  EXPECT_EQ(ErrorReason(status), "S3_BUSY") << status;
  options.endpoint_url = "http://127.0.0.1:1";
  EXPECT_EQ(ErrorReason(MakeClient(options)->Put("key", "x")), "S3_UNREACHABLE");
}

TEST(S3Faults, WhatIsRefusedIsNotAskedAgain) {
  ScriptedServer server({Answer("403 Forbidden", ErrorXml("AccessDenied"))});
  EXPECT_EQ(ErrorReason(MakeClient(server.Options())->Put("key", "x")), "S3_DENIED");
}

TEST(S3Faults, ABrokenDownloadGoesOnWhereItEnded) {
  ScriptedServer server({"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"e1\"\r\n\r\n01234",
                         Answer("503 Slow Down", ErrorXml("SlowDown")),
                         Answer("206 Partial Content", "56789", "ETag: \"e1\"\r\n")});
  const TmpDir dir;
  const auto fd = OpenFile(dir / "f", O_WRONLY | O_CREAT, 0600);
  const auto info = MakeClient(server.Options())->GetToFile("key", fd->get(), nullptr);
  ASSERT_TRUE(info.ok()) << info.status();
  EXPECT_EQ(info->bytes, 10);
  EXPECT_EQ(ReadFile(dir / "f", 100).value_or("?"), "0123456789");
  EXPECT_NE(server.requests()[2].find("range: bytes=5-"), std::string::npos);
  EXPECT_NE(server.requests()[2].find("if-match: \"e1\""), std::string::npos);
}

TEST(S3Faults, AReplacedObjectIsNoRest) {
  ScriptedServer server({"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nETag: \"e1\"\r\n\r\n01234",
                         Answer("412 Precondition Failed", ErrorXml("PreconditionFailed"))});
  const TmpDir dir;
  const auto fd = OpenFile(dir / "f", O_WRONLY | O_CREAT, 0600);
  const auto info = MakeClient(server.Options())->GetToFile("key", fd->get(), nullptr);
  EXPECT_EQ(ErrorReason(info.status()), "S3_CHANGED") << info.status();
}

TEST(S3Faults, ACompletionMayFailWithStatus200) {
  ScriptedServer server({Answer("200 OK", ErrorXml("InternalError")),
                         Answer("200 OK", "<CompleteMultipartUploadResult/>")});
  EXPECT_TRUE(MakeClient(server.Options())->CompleteUpload("key", "u", {{1, "\"e\""}}, 3).ok());
  ScriptedServer refusing({Answer("200 OK", ErrorXml("InvalidPart"))});
  const absl::Status status =
      MakeClient(refusing.Options())->CompleteUpload("key", "u", {{1, "\"e\""}}, 3);
  EXPECT_EQ(ErrorReason(status), "S3_REFUSED") << status;
  EXPECT_NE(status.message().find("InvalidPart"), std::string::npos);
}

TEST(S3Faults, ALostAnswerToACompletionIsFoundOut) {
  ScriptedServer server({"",
                         Answer("404 Not Found", ErrorXml("NoSuchUpload")),
                         "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"});
  EXPECT_TRUE(MakeClient(server.Options())->CompleteUpload("key", "u", {{1, "\"e\""}}, 3).ok());
  ScriptedServer other({"",
                        Answer("404 Not Found", ErrorXml("NoSuchUpload")),
                        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\n"});
  EXPECT_FALSE(MakeClient(other.Options())->CompleteUpload("key", "u", {{1, "\"e\""}}, 3).ok());
}

TEST(S3Faults, AFailedPartTakesTheUploadBack) {
  ScriptedServer server({Answer("200 OK",
                                "<InitiateMultipartUploadResult><UploadId>u7</UploadId>"
                                "</InitiateMultipartUploadResult>"),
                         Answer("403 Forbidden", ErrorXml("AccessDenied")),
                         "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"});
  const TmpDir dir;
  ASSERT_TRUE(AtomicWriteFile(dir / "f", std::string(1000, 'x'), 0600).ok());
  ClientOptions options = server.Options();
  options.part_bytes = 500;
  EXPECT_EQ(ErrorReason(MakeClient(options)->PutFile("key", dir / "f")), "S3_DENIED");
  EXPECT_TRUE(server.requests()[2].starts_with("DELETE /bucket/key?uploadId=u7 "))
      << server.requests()[2];
}

TEST(S3Faults, WhatIsNoS3Server) {
  ScriptedServer server({Answer("200 OK", "<html><body>hello<br></body></html>")});
  EXPECT_EQ(ErrorReason(MakeClient(server.Options())->List({}).status()), "S3_BAD_ANSWER");
  ScriptedServer lost({Answer("404 Not Found", "nothing here")});
  EXPECT_TRUE(absl::IsNotFound(MakeClient(lost.Options())->Head("key").status()));
}

TEST(S3Faults, KeysThatCouldNotBeDeletedAreNamed) {
  ScriptedServer server({Answer("200 OK",
                                "<DeleteResult><Error><Key>a</Key><Code>AccessDenied</Code>"
                                "<Message>no</Message></Error></DeleteResult>")});
  const auto failed = MakeClient(server.Options())->DeleteObjects({"a", "b"});
  ASSERT_TRUE(failed.ok()) << failed.status();
  ASSERT_EQ(failed->size(), 1U);
  EXPECT_EQ((*failed)[0].key, "a");
  EXPECT_EQ((*failed)[0].code, "AccessDenied");
}

TEST(S3Faults, CancelEndsIt) {
  ScriptedServer server(
      std::vector<std::string>(200, Answer("503 Slow Down", ErrorXml("SlowDown"))));
  std::atomic<bool> cancel = true;
  ClientOptions options = server.Options();
  options.http.cancel = &cancel;
  EXPECT_FALSE(MakeClient(options)->Put("key", "x").ok());
}

TEST(S3Faults, WhatCanBeNoPlace) {
  const auto reason = [](const std::function<void(ClientOptions&)>& change) {
    ClientOptions options{.bucket = "bucket"};
    change(options);
    return ErrorReason(Client::Create(options).status());
  };
  EXPECT_EQ(reason([](ClientOptions& o) { o.bucket = "a/b"; }), "INVALID_STORAGE");
  EXPECT_EQ(reason([](ClientOptions& o) { o.bucket = ".."; }), "INVALID_STORAGE");
  EXPECT_EQ(reason([](ClientOptions& o) { o.region = "x y"; }), "INVALID_STORAGE");
  EXPECT_EQ(reason([](ClientOptions& o) { o.endpoint_url = "nonsense"; }), "INVALID_STORAGE");
  EXPECT_EQ(reason([](ClientOptions& o) { o.endpoint_url = "file:///etc"; }), "INVALID_STORAGE");
  EXPECT_EQ(reason([](ClientOptions& o) { o.endpoint_url = "https://u:p@h"; }), "INVALID_STORAGE");
  EXPECT_EQ(reason([](ClientOptions& o) { o.endpoint_url = "https://h/path"; }), "INVALID_STORAGE");
  EXPECT_EQ(reason([](ClientOptions& o) { o.endpoint_url = "https://h:9000/"; }), "");
}

}  // namespace
}  // namespace det::s3
