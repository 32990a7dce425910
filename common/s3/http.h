#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "common/base/mutex.h"

namespace det::s3 {

// What is sent: bytes, or a part of a file, which is read again for each try.
struct Body {
  std::string_view bytes;
  int fd = -1;  // when not -1: `size` bytes of it from `offset`
  int64_t offset = 0;
  int64_t size = 0;
  int64_t length() const { return fd >= 0 ? size : static_cast<int64_t>(bytes.size()); }
};

struct HttpRequest {
  std::string method;
  std::string url;
  std::vector<std::string> headers;  // "Name: value"
  Body body;
};

struct HttpResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // what no sink took
};

// Takes the pieces of a body of status 2xx; an error ends the transfer and is what Send gives.
using Sink = std::function<absl::Status(const HttpResponse& head, std::string_view bytes)>;

struct HttpOptions {
  absl::Duration connect_timeout = absl::Seconds(10);
  absl::Duration stall_timeout = absl::Seconds(60);  // without a byte in either direction
  std::string ca_file;                               // "": the system's authorities
  const std::atomic<bool>* cancel = nullptr;         // ends transfers with CANCELLED when true
};

// One try of one request by libcurl; connections are kept for the next. Any thread.
class Http {
 public:
  explicit Http(HttpOptions options);
  ~Http();
  Http(const Http&) = delete;
  Http& operator=(const Http&) = delete;

  // Any answer of the server is OK, whatever its status. UNAVAILABLE (S3_UNREACHABLE): there was no
  // whole answer. FAILED_PRECONDITION (S3_TLS): nor will there be. CANCELLED, or the error of the
  // sink or of reading the file.
  absl::StatusOr<HttpResponse> Send(const HttpRequest& request, const Sink& sink);

 private:
  class Handle;
  std::unique_ptr<Handle> Take();
  void Keep(std::unique_ptr<Handle> handle);

  const HttpOptions options_;
  Mutex mutex_;
  std::vector<std::unique_ptr<Handle>> idle_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace det::s3
