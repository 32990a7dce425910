#pragma once

#include <chrono>
#include <cstdlib>
#include <string>
#include <string_view>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace det {

// A connection that says just what it is told.
class HttpClient {
 public:
  explicit HttpClient(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  explicit HttpClient(const std::string& path)
      : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  ~HttpClient() { Close(); }
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  void Send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;  // the server has cut the connection: what it said tells why
      text.remove_prefix(static_cast<size_t>(sent));
    }
  }
  // One response: its header and as much body as Content-Length says. "" when the connection ends.
  std::string Receive() {
    while (true) {
      const size_t end = in_.find("\r\n\r\n");
      if (end != std::string::npos) {
        const size_t size = end + 4 + ContentLength(in_.substr(0, end));
        if (in_.size() >= size) {
          std::string response = in_.substr(0, size);
          in_.erase(0, size);
          return response;
        }
      }
      if (!ReadMore()) return "";
    }
  }
  // True when the server ends the connection in time.
  bool Ends() {
    while (ReadMore()) continue;
    return ended_;
  }
  const std::string& unread() const { return in_; }
  bool HasBytesAfter(std::chrono::milliseconds time) {
    pollfd wait{.fd = fd_, .events = POLLIN, .revents = 0};
    return poll(&wait, 1, static_cast<int>(time.count())) > 0;
  }

 private:
  static size_t ContentLength(const std::string& header) {
    const size_t at = header.find("Content-Length: ");
    return at == std::string::npos ? 0 : std::strtoul(header.c_str() + at + 16, nullptr, 10);
  }
  bool ReadMore() {
    if (!HasBytesAfter(std::chrono::seconds(20))) return false;
    char buffer[4096];
    const ssize_t size = recv(fd_, buffer, sizeof(buffer), 0);
    if (size <= 0) {
      ended_ = true;
      return false;
    }
    in_.append(buffer, static_cast<size_t>(size));
    return true;
  }

  int fd_;
  std::string in_;
  bool ended_ = false;
};

}  // namespace det
