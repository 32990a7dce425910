#include "common/s3/http.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include <curl/curl.h>
#include <unistd.h>

#include "common/base/check.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/os_error.h"

namespace det::s3 {
namespace {

// Of an answer that goes to no sink: a page of a listing is some hundred KiB.
constexpr size_t kBodyBytesMax = 16 << 20;
constexpr size_t kIdleMax = 8;

// libcurl must be made ready once in a process.
void InitCurl() {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  DET_CHECK(ready == CURLE_OK);
}

struct EasyFree {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct ListFree {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, ListFree>;

HeaderList MakeHeaders(const std::vector<std::string>& headers) {
  HeaderList list;
  for (const std::string& header : headers) {
    curl_slist* longer = curl_slist_append(list.get(), header.c_str());
    DET_CHECK(longer != nullptr);
    (void)list.release();
    list.reset(longer);
  }
  return list;
}

// One transfer, as libcurl's callbacks see it.
struct Transfer {
  const HttpRequest& request;
  const Sink& sink;
  const std::atomic<bool>* cancel;
  HttpResponse response;
  int64_t sent = 0;
  absl::Status failure;  // of our own side

  bool Refuse(absl::Status status) {
    failure = std::move(status);
    return false;
  }

  bool OnBytes(std::string_view bytes) {
    if (sink != nullptr && response.status / 100 == 2) {
      absl::Status status = sink(response, bytes);
      return status.ok() || Refuse(std::move(status));
    }
    if (response.body.size() + bytes.size() > kBodyBytesMax) {
      return Refuse(Error(absl::StatusCode::kResourceExhausted,
                          "S3_ANSWER_TOO_LARGE",
                          "the S3 server says too much"));
    }
    response.body.append(bytes);
    return true;
  }

  void OnHeader(std::string_view line) {
    if (line.starts_with("HTTP/")) {
      // "HTTP/1.1 200 OK"; those of a "100 Continue" give way to the final ones.
      response.headers.clear();
      response.status = 0;
      const size_t space = std::min(line.find(' '), line.size() - 1);
      std::from_chars(line.data() + space + 1, line.data() + line.size(), response.status);
      return;
    }
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    std::string name(line.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    const std::string_view value = line.substr(colon + 1);
    const size_t begin = value.find_first_not_of(" \t");
    const size_t end = value.find_last_not_of(" \t\r\n");
    response.headers[name] =
        begin == std::string_view::npos ? "" : std::string(value.substr(begin, end + 1 - begin));
  }

  size_t OnRead(char* out, size_t room) {
    const Body& body = request.body;
    const auto left = static_cast<size_t>(body.length() - sent);
    const size_t want = std::min(room, left);
    if (want == 0) return 0;
    ssize_t got = static_cast<ssize_t>(want);
    if (body.fd < 0) {
      std::memcpy(out, body.bytes.data() + sent, want);
    } else {
      do {
        got = ::pread(body.fd, out, want, body.offset + sent);
      } while (got < 0 && errno == EINTR);
    }
    if (got <= 0) {
      failure = got < 0 ? OsError(errno, "read", "a file that is uploaded")
                        : Error(absl::StatusCode::kAborted,
                                "FILE_CHANGED",
                                "a file became shorter while it was uploaded");
      return CURL_READFUNC_ABORT;
    }
    sent += got;
    return static_cast<size_t>(got);
  }
};

// Another try would end the same way.
bool IsForGood(CURLcode code) {
  return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE ||
         code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL;
}

size_t WriteCallback(char* bytes, size_t size, size_t count, void* self) {
  return static_cast<Transfer*>(self)->OnBytes({bytes, size * count}) ? size * count : 0;
}
size_t HeaderCallback(char* bytes, size_t size, size_t count, void* self) {
  static_cast<Transfer*>(self)->OnHeader({bytes, size * count});
  return size * count;
}
size_t ReadCallback(char* bytes, size_t size, size_t count, void* self) {
  return static_cast<Transfer*>(self)->OnRead(bytes, size * count);
}
int SeekCallback(void* self, curl_off_t offset, int origin) {
  if (origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
  static_cast<Transfer*>(self)->sent = offset;
  return CURL_SEEKFUNC_OK;
}
int ProgressCallback(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const auto* transfer = static_cast<Transfer*>(self);
  return transfer->cancel != nullptr && transfer->cancel->load() ? 1 : 0;
}

}  // namespace

class Http::Handle {
 public:
  explicit Handle(const HttpOptions& options) : easy_(curl_easy_init()), options_(options) {
    DET_CHECK(easy_ != nullptr);
  }

  absl::StatusOr<HttpResponse> Perform(const HttpRequest& request, const Sink& sink) {
    Transfer transfer{request, sink, options_.cancel, {}, 0, absl::OkStatus()};
    const HeaderList headers = MakeHeaders(request.headers);
    Prepare(&transfer, headers.get());
    const CURLcode code = curl_easy_perform(easy_.get());
    if (!transfer.failure.ok()) return transfer.failure;
    if (options_.cancel != nullptr && options_.cancel->load()) {
      return absl::CancelledError("the transfer was cancelled");
    }
    if (code == CURLE_OK) return std::move(transfer.response);
    const std::string why = why_[0] != 0 ? why_ : curl_easy_strerror(code);
    if (IsForGood(code)) {
      return Error(absl::StatusCode::kFailedPrecondition,
                   "S3_TLS",
                   StrCat("the S3 server can't be trusted or spoken to: ", why),
                   "AWS_CA_BUNDLE may name a file of authorities");
    }
    return Error(absl::StatusCode::kUnavailable,
                 "S3_UNREACHABLE",
                 StrCat("the S3 server does not answer: ", why));
  }

 private:
  void Prepare(Transfer* transfer, curl_slist* headers) {
    CURL* easy = easy_.get();
    curl_easy_reset(easy);  // connections stay
    why_[0] = 0;
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, why_);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_URL, transfer->request.url.c_str());
    // The path is signed as it is: ".." in a key must reach the server.
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, Millis(options_.connect_timeout));
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy,
                     CURLOPT_LOW_SPEED_TIME,
                     std::max<long>(1, absl::ToInt64Seconds(options_.stall_timeout)));
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, WriteCallback);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, HeaderCallback);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, ProgressCallback);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, transfer);
    if (!options_.ca_file.empty()) {
      curl_easy_setopt(easy, CURLOPT_CAINFO, options_.ca_file.c_str());
    }
    SetMethod(transfer);
  }

  void SetMethod(Transfer* transfer) {
    CURL* easy = easy_.get();
    const std::string& method = transfer->request.method;
    if (method == "HEAD") {
      curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (method == "PUT" || method == "POST") {
      curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
      curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method.c_str());
      curl_easy_setopt(easy, CURLOPT_READFUNCTION, ReadCallback);
      curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
      curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, SeekCallback);
      curl_easy_setopt(easy, CURLOPT_SEEKDATA, transfer);
      curl_easy_setopt(
          easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(transfer->request.body.length()));
    } else {
      curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
      curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method.c_str());
    }
  }

  static long Millis(absl::Duration time) {
    return static_cast<long>(absl::ToInt64Milliseconds(time));
  }

  std::unique_ptr<CURL, EasyFree> easy_;
  const HttpOptions& options_;
  char why_[CURL_ERROR_SIZE] = {};
};

Http::Http(HttpOptions options) : options_(std::move(options)) {
  InitCurl();
}

Http::~Http() = default;

std::unique_ptr<Http::Handle> Http::Take() {
  const MutexLock lock(mutex_);
  if (idle_.empty()) return std::make_unique<Handle>(options_);
  std::unique_ptr<Handle> handle = std::move(idle_.back());
  idle_.pop_back();
  return handle;
}

void Http::Keep(std::unique_ptr<Handle> handle) {
  const MutexLock lock(mutex_);
  if (idle_.size() < kIdleMax) idle_.push_back(std::move(handle));
}

absl::StatusOr<HttpResponse> Http::Send(const HttpRequest& request, const Sink& sink) {
  std::unique_ptr<Handle> handle = Take();
  absl::StatusOr<HttpResponse> response = handle->Perform(request, sink);
  Keep(std::move(handle));
  return response;
}

}  // namespace det::s3
