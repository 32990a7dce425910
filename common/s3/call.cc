#include "common/s3/call.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <set>

#include <curl/curl.h>
#include <unistd.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"
#include "common/digest/sha256.h"
#include "common/os/os_error.h"
#include "common/os/pause.h"
#include "common/s3/xml.h"

namespace det::s3 {
namespace {

using SteadyClock = std::chrono::steady_clock;

// From this size on the server is asked first whether it wants the body.
constexpr int64_t kExpectBytes = 1 << 20;
constexpr absl::Duration kFirstPause = absl::Milliseconds(100);

absl::Status Invalid(const std::string& what) {
  return Error(absl::StatusCode::kInvalidArgument, "INVALID_STORAGE", what);
}

struct UrlParts {
  std::string scheme;
  std::string authority;
};

// The scheme, the host and the port of an endpoint; nothing may come after them.
absl::StatusOr<UrlParts> ParseEndpoint(const std::string& url) {
  const std::unique_ptr<CURLU, void (*)(CURLU*)> parser(curl_url(), curl_url_cleanup);
  const auto part = [&](CURLUPart which) {
    char* text = nullptr;
    if (curl_url_get(parser.get(), which, &text, 0) != CURLUE_OK) return std::string();
    std::string out = text;
    curl_free(text);
    return out;
  };
  if (parser == nullptr || curl_url_set(parser.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) {
    return Invalid(StrCat("endpoint_url ", url, " is no URL such as https://s3.example.org:9000"));
  }
  UrlParts out{part(CURLUPART_SCHEME), part(CURLUPART_HOST)};
  if (out.scheme != "http" && out.scheme != "https") {
    return Invalid(StrCat("endpoint_url ", url, " must begin with https:// or http://"));
  }
  if (!part(CURLUPART_USER).empty()) return Invalid("endpoint_url must hold no user or password");
  if (const std::string path = part(CURLUPART_PATH);
      (!path.empty() && path != "/") || !part(CURLUPART_QUERY).empty()) {
    return Invalid(StrCat("endpoint_url ", url, " must end with the host or the port"));
  }
  const std::string port = part(CURLUPART_PORT);
  const bool usual = port.empty() || port == (out.scheme == "https" ? "443" : "80");
  if (!usual) StrAppend(out.authority, ":", port);
  return out;
}

bool IsName(std::string_view text, std::string_view also) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           also.find(c) != std::string_view::npos;
  });
}

// Half of what it would be at most, and some of the other half: those that failed together do not
// come back together.
absl::Duration Jittered(absl::Duration pause) {
  static thread_local std::minstd_rand random{std::random_device{}()};
  return pause * std::uniform_real_distribution<double>(0.5, 1.0)(random);
}

bool IsTransient(const HttpResponse& response, std::string_view code) {
  static const std::set<std::string_view> codes = {"SlowDown",
                                                   "InternalError",
                                                   "ServiceUnavailable",
                                                   "RequestTimeout",
                                                   "OperationAborted",
                                                   "ConditionalRequestConflict"};
  return response.status >= 500 || response.status == 429 || codes.contains(code);
}

struct ServerError {
  std::string code;
  std::string message;
  std::string region;
};

ServerError ErrorOf(const HttpResponse& response) {
  ServerError error;
  if (const auto xml = ParseXml(response.body); xml.ok() && xml->name == "Error") {
    error = {xml->Text("Code"), xml->Text("Message"), xml->Text("Region")};
  }
  const auto region = response.headers.find("x-amz-bucket-region");
  if (error.region.empty() && region != response.headers.end()) error.region = region->second;
  if (error.code.empty()) error.code = StrCat("status ", response.status);
  return error;
}

// A completed upload can be told to have failed with status 200.
bool IsErrorBody(const HttpResponse& response) {
  const absl::StatusOr<XmlElement> xml = ParseXml(response.body);
  return xml.ok() && xml->name == "Error";
}

absl::Status OfStatus(const HttpResponse& response, const ServerError& error, std::string said) {
  const auto code = [&](std::string_view name) { return error.code == name; };
  if (code("NoSuchBucket")) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "S3_NO_SUCH_BUCKET",
                 said,
                 "make the bucket, or mend its name in checkpoint_storage");
  }
  if (code("PermanentRedirect") || code("AuthorizationHeaderMalformed") || response.status == 301 ||
      response.status == 307) {
    return Error(
        absl::StatusCode::kFailedPrecondition,
        "S3_WRONG_REGION",
        said,
        error.region.empty() ? "set the bucket's region" : StrCat("set region: ", error.region));
  }
  if (response.status == 404) {
    return Error(absl::StatusCode::kNotFound,
                 code("NoSuchUpload") ? "S3_NO_SUCH_UPLOAD" : "S3_NO_SUCH_KEY",
                 said);
  }
  if (response.status == 412) return Error(absl::StatusCode::kAborted, "S3_CHANGED", said);
  if (response.status == 416) return Error(absl::StatusCode::kOutOfRange, "S3_NO_SUCH_RANGE", said);
  if (code("RequestTimeTooSkewed")) {
    return Error(
        absl::StatusCode::kPermissionDenied, "S3_DENIED", said, "set this machine's clock");
  }
  if (response.status == 401 || response.status == 403 || code("ExpiredToken")) {
    return Error(absl::StatusCode::kPermissionDenied,
                 "S3_DENIED",
                 said,
                 "are the credentials right, and may they do this with this bucket?");
  }
  return Error(absl::StatusCode::kInternal, "S3_REFUSED", said);
}

}  // namespace

Caller::Caller(ClientOptions options, std::string scheme, std::string authority)
    : options_(std::move(options)),
      scheme_(std::move(scheme)),
      authority_(std::move(authority)),
      http_(options_.http) {}

absl::StatusOr<std::unique_ptr<Caller>> Caller::Create(ClientOptions options) {
  if (!IsName(options.bucket, "-._") || options.bucket.size() < 3 || options.bucket.size() > 255 ||
      options.bucket[0] == '.') {
    return Invalid(StrCat(QuoteJson(options.bucket), " can be no bucket's name"));
  }
  if (!IsName(options.region, "-")) {
    return Invalid(StrCat(QuoteJson(options.region), " can be no region"));
  }
  const bool amazon = options.endpoint_url.empty();
  if (amazon) options.endpoint_url = StrCat("https://s3.", options.region, ".amazonaws.com");
  DET_ASSIGN_OR_RETURN(UrlParts url, ParseEndpoint(options.endpoint_url));
  if (options.addressing == Addressing::kAuto) {
    // A dot in the bucket's name would not fit the certificate.
    const bool dotted = options.bucket.find('.') != std::string::npos;
    options.addressing = amazon && !dotted ? Addressing::kVirtualHost : Addressing::kPath;
  }
  return std::unique_ptr<Caller>(
      new Caller(std::move(options), std::move(url.scheme), std::move(url.authority)));
}

std::string Caller::Name(const std::string& key) const {
  return StrCat("s3://", options_.bucket, "/", key);
}

bool Caller::virtual_host() const {
  return options_.addressing == Addressing::kVirtualHost;
}

std::string Caller::Host() const {
  return virtual_host() ? StrCat(options_.bucket, ".", authority_) : authority_;
}

std::string Caller::Path(const std::string& key) const {
  const std::string bucket = virtual_host() ? "" : StrCat("/", EncodePath(options_.bucket));
  if (key.empty() && !bucket.empty()) return bucket;
  return StrCat(bucket, "/", EncodePath(key));
}

std::string Caller::Timestamp() const {
  return absl::FormatTime("%Y%m%dT%H%M%SZ", options_.clock->Now(), absl::UTCTimeZone());
}

SigningKey Caller::KeyOf(const Credentials& credentials) const {
  return {credentials.access_key, credentials.secret_key.Reveal(), options_.region};
}

CanonicalInput Caller::Input(const Operation& operation) const {
  CanonicalInput input{
      .method = operation.method, .path = Path(operation.key), .query = operation.query};
  input.headers = {operation.headers.begin(), operation.headers.end()};
  input.headers["host"] = Host();
  return input;
}

// Files are not read twice where TLS guards them.
absl::StatusOr<std::string> Caller::PayloadHash(const Body& body) const {
  if (body.fd < 0) return Sha256Hex(body.bytes);
  if (scheme_ == "https") return std::string(kUnsignedPayload);
  Sha256 digest;
  std::string buffer(1 << 18, '\0');
  for (int64_t done = 0; done < body.size;) {
    const auto want = std::min<int64_t>(body.size - done, static_cast<int64_t>(buffer.size()));
    const ssize_t got =
        ::pread(body.fd, buffer.data(), static_cast<size_t>(want), body.offset + done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return OsError(errno, "read", "a file that is uploaded");
    if (got == 0) break;  // sending it finds that, too, and says so
    digest.Update({buffer.data(), static_cast<size_t>(got)});
    done += got;
  }
  return digest.Finish();
}

absl::StatusOr<HttpRequest> Caller::Sign(const Operation& operation,
                                         const Credentials& credentials) const {
  const std::string timestamp = Timestamp();
  CanonicalInput input = Input(operation);
  DET_ASSIGN_OR_RETURN(input.payload_hash, PayloadHash(operation.body));
  input.headers["x-amz-content-sha256"] = input.payload_hash;
  input.headers["x-amz-date"] = timestamp;
  if (!credentials.session_token.empty()) {
    input.headers["x-amz-security-token"] = credentials.session_token.Reveal();
  }
  HttpRequest request{.method = operation.method,
                      .url = StrCat(scheme_, "://", Host(), input.path),
                      .body = operation.body};
  if (const std::string query = CanonicalQuery(input.query); !query.empty()) {
    StrAppend(request.url, "?", query);
  }
  for (const auto& [name, value] : input.headers) {
    if (name != "host") request.headers.push_back(StrCat(name, ": ", value));
  }
  // Waiting for a "go on" costs a second where the server knows none of it.
  if (operation.body.length() < kExpectBytes) request.headers.emplace_back("Expect:");
  request.headers.push_back(
      StrCat("authorization: ", Authorization(input, KeyOf(credentials), timestamp)));
  return request;
}

absl::Status Caller::Judge(const Operation& operation, const HttpResponse& response) const {
  const bool good = response.status / 100 == 2;
  if (good && !(operation.method == "POST" && IsErrorBody(response))) return absl::OkStatus();
  const ServerError error = ErrorOf(response);
  const std::string said = StrCat(operation.method,
                                  " ",
                                  Name(operation.key),
                                  ": ",
                                  error.code,
                                  error.message.empty() ? "" : ": ",
                                  error.message.substr(0, 500));
  if (IsTransient(response, error.code)) {
    return Error(absl::StatusCode::kUnavailable, "S3_BUSY", said, "try again later");
  }
  return OfStatus(response, error, said);
}

absl::StatusOr<HttpResponse> Caller::Call(const std::function<Operation()>& next,
                                          const Sink& sink,
                                          int* tries) const {
  DET_ASSIGN_OR_RETURN(const Credentials credentials, options_.credentials());
  auto since = SteadyClock::now();
  absl::Duration pause = kFirstPause;
  Sink counting;
  if (sink != nullptr) {
    counting = [&](const HttpResponse& head, std::string_view bytes) {
      since = SteadyClock::now();
      pause = kFirstPause;
      return sink(head, bytes);
    };
  }
  for (int tried = 1;; ++tried) {
    if (tries != nullptr) *tries = tried;
    const Operation operation = next();
    DET_ASSIGN_OR_RETURN(const HttpRequest request, Sign(operation, credentials));
    absl::StatusOr<HttpResponse> response = http_.Send(request, counting);
    const absl::Status status = response.ok() ? Judge(operation, *response)
                                              : Annotate(response.status(), Name(operation.key));
    if (status.ok()) return response;
    const absl::Duration waited = absl::FromChrono(SteadyClock::now() - since);
    if (!absl::IsUnavailable(status) || waited + pause > options_.patience) return status;
    if (options_.http.cancel != nullptr && options_.http.cancel->load()) return status;
    PauseFor(Jittered(pause));
    pause = std::min(pause * 2, options_.longest_pause);
  }
}

absl::StatusOr<HttpResponse> Caller::Call(const Operation& operation,
                                          const Sink& sink,
                                          int* tries) const {
  return Call([&] { return operation; }, sink, tries);
}

absl::StatusOr<std::string> Caller::Presign(const std::string& key, absl::Duration life) const {
  DET_ASSIGN_OR_RETURN(const Credentials credentials, options_.credentials());
  const CanonicalInput input = Input({.method = "GET", .key = key});
  return StrCat(scheme_,
                "://",
                Host(),
                input.path,
                "?",
                PresignedQuery(input,
                               KeyOf(credentials),
                               Timestamp(),
                               absl::ToInt64Seconds(life),
                               credentials.session_token.Reveal()));
}

}  // namespace det::s3
