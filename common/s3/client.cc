#include "common/s3/client.h"

#include <algorithm>
#include <cerrno>
#include <charconv>

#include <fcntl.h>
#include <sys/stat.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/fs.h"
#include "common/os/os_error.h"
#include "common/s3/call.h"
#include "common/s3/xml.h"

namespace det::s3 {
namespace {

constexpr int64_t kPartsMax = 10'000;
constexpr size_t kDeleteMax = 1000;  // keys of one request

int64_t ToInt(std::string_view text) {
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string HeaderOf(const HttpResponse& response, const std::string& name) {
  const auto found = response.headers.find(name);
  return found == response.headers.end() ? "" : found->second;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// As a listing writes keys with encoding-type=url.
std::string DecodeKey(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 &&
                        HexDigit(text[i + 2]) >= 0;
    if (escape) {
      out.push_back(static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return out;
}

// XML has no way to write most control characters.
bool HasControls(std::string_view key) {
  return std::any_of(key.begin(), key.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' && c != '\r';
  });
}

std::string DeleteBody(const std::vector<std::string>& keys) {
  std::string body = "<Delete><Quiet>true</Quiet>";
  for (const std::string& key : keys) {
    StrAppend(body, "<Object><Key>", EscapeXml(key), "</Key></Object>");
  }
  return body + "</Delete>";
}

// Where the bytes of a download go.
class FileSink {
 public:
  FileSink(int fd, const std::function<void(int64_t)>& progress) : fd_(fd), progress_(progress) {}

  absl::Status operator()(const HttpResponse& head, std::string_view bytes) {
    if (etag_.empty()) etag_ = HeaderOf(head, "etag");
    // Asked for the rest, a server may send the whole.
    if (head.status == 200 && attempt_at_ != 0) {
      return Error(absl::StatusCode::kAborted,
                   "S3_NO_RANGES",
                   "the connection broke, and the S3 server can't go on where it ended");
    }
    DET_RETURN_IF_ERROR(WriteAll(fd_, bytes, "the downloaded file"));
    done_ += static_cast<int64_t>(bytes.size());
    if (progress_ != nullptr) progress_(static_cast<int64_t>(bytes.size()));
    return absl::OkStatus();
  }

  // The next try's first byte.
  void Begin() { attempt_at_ = done_; }
  int64_t done() const { return done_; }
  const std::string& etag() const { return etag_; }

 private:
  const int fd_;
  const std::function<void(int64_t)>& progress_;
  int64_t done_ = 0;
  int64_t attempt_at_ = 0;
  std::string etag_;
};

}  // namespace

class Client::Impl {
 public:
  explicit Impl(std::unique_ptr<Caller> made) : caller(std::move(made)) {}

  absl::Status UploadParts(const std::string& key, int fd, int64_t bytes, const Client& client);

  std::unique_ptr<Caller> caller;
};

Client::Client(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Client::~Client() = default;

absl::StatusOr<std::unique_ptr<Client>> Client::Create(ClientOptions options) {
  DET_ASSIGN_OR_RETURN(std::unique_ptr<Caller> caller, Caller::Create(std::move(options)));
  return std::unique_ptr<Client>(new Client(std::make_unique<Impl>(std::move(caller))));
}

absl::StatusOr<ObjectInfo> Client::Head(const std::string& key) const {
  DET_ASSIGN_OR_RETURN(const HttpResponse response,
                       impl_->caller->Call({.method = "HEAD", .key = key}));
  return ObjectInfo{ToInt(HeaderOf(response, "content-length")), HeaderOf(response, "etag")};
}

absl::StatusOr<std::string> Client::Get(const std::string& key, size_t bytes_max) const {
  std::string out;
  const auto next = [&] {
    out.clear();
    return Operation{.method = "GET", .key = key};
  };
  const Sink sink = [&](const HttpResponse&, std::string_view bytes) -> absl::Status {
    if (out.size() + bytes.size() > bytes_max) {
      return Error(absl::StatusCode::kResourceExhausted,
                   "FILE_TOO_LARGE",
                   StrCat(impl_->caller->Name(key), " is larger than ", bytes_max, " bytes"));
    }
    out.append(bytes);
    return absl::OkStatus();
  };
  DET_RETURN_IF_ERROR(impl_->caller->Call(next, sink).status());
  return out;
}

absl::StatusOr<std::string> Client::GetRange(const std::string& key,
                                             int64_t offset,
                                             int64_t length) const {
  DET_ASSIGN_OR_RETURN(
      HttpResponse response,
      impl_->caller->Call(
          {.method = "GET",
           .key = key,
           .headers = {{"range", StrCat("bytes=", offset, "-", offset + length - 1)}}}));
  return std::move(response.body);
}

absl::StatusOr<ObjectInfo> Client::GetToFile(const std::string& key,
                                             int fd,
                                             const std::function<void(int64_t)>& progress) const {
  FileSink file(fd, progress);
  const auto next = [&] {
    Operation operation{.method = "GET", .key = key};
    file.Begin();
    if (file.done() > 0) {
      operation.headers = {{"range", StrCat("bytes=", file.done(), "-")},
                           {"if-match", file.etag()}};
    }
    return operation;
  };
  absl::StatusOr<HttpResponse> response = impl_->caller->Call(next, std::ref(file));
  DET_RETURN_IF_ERROR(response.status());
  return ObjectInfo{file.done(), HeaderOf(*response, "etag")};
}

absl::Status Client::Put(const std::string& key, std::string_view bytes) const {
  return impl_->caller->Call({.method = "PUT", .key = key, .body = {.bytes = bytes}}).status();
}

absl::Status Client::PutFile(const std::string& key, const std::string& path) const {
  DET_ASSIGN_OR_RETURN(const UniqueFd fd, OpenFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return OsError(errno, "look at", path);
  if (!S_ISREG(info.st_mode)) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "NOT_A_FILE",
                 StrCat(path, " is no file: checkpoints hold files and folders only"));
  }
  if (info.st_size > impl_->caller->options().part_bytes) {
    return Annotate(impl_->UploadParts(key, fd.get(), info.st_size, *this), path);
  }
  const Body body{.fd = fd.get(), .size = info.st_size};
  return Annotate(impl_->caller->Call({.method = "PUT", .key = key, .body = body}).status(), path);
}

absl::Status Client::Impl::UploadParts(const std::string& key,
                                       int fd,
                                       int64_t bytes,
                                       const Client& client) {
  const int64_t size = std::max(caller->options().part_bytes, (bytes + kPartsMax - 1) / kPartsMax);
  DET_ASSIGN_OR_RETURN(const std::string upload, client.CreateUpload(key));
  std::vector<Part> parts;
  absl::Status status;
  for (int64_t at = 0; at < bytes && status.ok(); at += size) {
    const Body body{.fd = fd, .offset = at, .size = std::min(size, bytes - at)};
    absl::StatusOr<Part> part =
        client.UploadPart(key, upload, static_cast<int>(parts.size()) + 1, body);
    status = part.status();
    if (part.ok()) parts.push_back(*std::move(part));
  }
  if (status.ok()) status = client.CompleteUpload(key, upload, parts, bytes);
  // What can't be taken back now is for the bucket's own rule on unfinished uploads.
  if (!status.ok()) (void)client.AbortUpload(key, upload);
  return status;
}

absl::StatusOr<Listing> Client::List(const ListQuery& query) const {
  Operation operation{.method = "GET"};
  operation.query = {{"list-type", "2"},
                     {"encoding-type", "url"},
                     {"prefix", query.prefix},
                     {"max-keys", StrCat(query.max_keys)}};
  if (!query.delimiter.empty()) operation.query.emplace_back("delimiter", query.delimiter);
  if (!query.continuation.empty()) {
    operation.query.emplace_back("continuation-token", query.continuation);
  }
  DET_ASSIGN_OR_RETURN(const HttpResponse response, impl_->caller->Call(operation));
  DET_ASSIGN_OR_RETURN(const XmlElement xml, ParseXml(response.body));
  const bool encoded = xml.Text("EncodingType") == "url";
  const auto key = [&](std::string text) { return encoded ? DecodeKey(text) : std::move(text); };
  Listing page;
  for (const XmlElement& child : xml.children) {
    if (child.name == "Contents") {
      page.objects.push_back({key(child.Text("Key")), ToInt(child.Text("Size"))});
    } else if (child.name == "CommonPrefixes") {
      page.prefixes.push_back(key(child.Text("Prefix")));
    }
  }
  if (xml.Text("IsTruncated") == "true") page.next = xml.Text("NextContinuationToken");
  return page;
}

absl::Status Client::Delete(const std::string& key) const {
  const absl::Status status = impl_->caller->Call({.method = "DELETE", .key = key}).status();
  return ErrorReason(status) == "S3_NO_SUCH_KEY" ? absl::OkStatus() : status;
}

absl::StatusOr<std::vector<KeyError>> Client::DeleteObjects(
    const std::vector<std::string>& keys) const {
  std::vector<std::string> plain;
  for (const std::string& key : keys) {
    if (!HasControls(key)) plain.push_back(key);
    if (HasControls(key)) DET_RETURN_IF_ERROR(Delete(key));
  }
  std::vector<KeyError> failed;
  for (size_t at = 0; at < plain.size(); at += kDeleteMax) {
    const auto begin = plain.begin() + static_cast<std::ptrdiff_t>(at);
    const size_t count = std::min(kDeleteMax, plain.size() - at);
    const std::string body = DeleteBody({begin, begin + static_cast<std::ptrdiff_t>(count)});
    DET_ASSIGN_OR_RETURN(const HttpResponse response,
                         impl_->caller->Call({.method = "POST",
                                              .query = {{"delete", ""}},
                                              .headers = {{"content-md5", Md5Base64(body)}},
                                              .body = {.bytes = body}}));
    DET_ASSIGN_OR_RETURN(const XmlElement xml, ParseXml(response.body));
    for (const XmlElement& child : xml.children) {
      if (child.name != "Error" || child.Text("Code") == "NoSuchKey") continue;
      failed.push_back({child.Text("Key"), child.Text("Code"), child.Text("Message")});
    }
  }
  return failed;
}

absl::StatusOr<std::string> Client::CreateUpload(const std::string& key) const {
  DET_ASSIGN_OR_RETURN(
      const HttpResponse response,
      impl_->caller->Call({.method = "POST", .key = key, .query = {{"uploads", ""}}}));
  DET_ASSIGN_OR_RETURN(const XmlElement xml, ParseXml(response.body));
  return xml.Text("UploadId");
}

absl::StatusOr<Part> Client::UploadPart(const std::string& key,
                                        const std::string& upload,
                                        int number,
                                        const Body& body) const {
  DET_ASSIGN_OR_RETURN(
      const HttpResponse response,
      impl_->caller->Call({.method = "PUT",
                           .key = key,
                           .query = {{"partNumber", StrCat(number)}, {"uploadId", upload}},
                           .body = body}));
  return Part{number, HeaderOf(response, "etag")};
}

absl::Status Client::CompleteUpload(const std::string& key,
                                    const std::string& upload,
                                    const std::vector<Part>& parts,
                                    int64_t bytes) const {
  std::string body = "<CompleteMultipartUpload>";
  for (const Part& part : parts) {
    StrAppend(body,
              "<Part><PartNumber>",
              part.number,
              "</PartNumber><ETag>",
              EscapeXml(part.etag),
              "</ETag></Part>");
  }
  body += "</CompleteMultipartUpload>";
  int tries = 0;
  const absl::Status status = impl_->caller
                                  ->Call({.method = "POST",
                                          .key = key,
                                          .query = {{"uploadId", upload}},
                                          .body = {.bytes = body}},
                                         nullptr,
                                         &tries)
                                  .status();
  if (tries == 1 || ErrorReason(status) != "S3_NO_SUCH_UPLOAD") return status;
  // An earlier try may have been carried out and its answer lost.
  const absl::StatusOr<ObjectInfo> there = Head(key);
  return there.ok() && there->bytes == bytes ? absl::OkStatus() : status;
}

absl::Status Client::AbortUpload(const std::string& key, const std::string& upload) const {
  const absl::Status status =
      impl_->caller->Call({.method = "DELETE", .key = key, .query = {{"uploadId", upload}}})
          .status();
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

absl::Status Client::CreateBucket() const {
  return impl_->caller->Call({.method = "PUT"}).status();
}

absl::StatusOr<std::string> Client::PresignGet(const std::string& key, absl::Duration life) const {
  return impl_->caller->Presign(key, life);
}

}  // namespace det::s3
