#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "common/clock/clock.h"
#include "common/s3/credentials.h"
#include "common/s3/http.h"

namespace det::s3 {

enum class Addressing {
  kAuto,         // the bucket in the host's name at Amazon, in the path elsewhere
  kPath,         // https://host/bucket/key
  kVirtualHost,  // https://bucket.host/key
};

struct ClientOptions {
  std::string bucket;
  std::string region = "us-east-1";
  std::string endpoint_url;  // "": Amazon's of the region
  Addressing addressing = Addressing::kAuto;
  std::function<absl::StatusOr<Credentials>()> credentials;
  const Clock* clock = nullptr;  // outlives the client
  HttpOptions http;
  // So long an operation that gets nowhere is tried again; each byte that came through counts anew.
  absl::Duration patience = absl::Minutes(2);
  absl::Duration longest_pause = absl::Seconds(10);
  // Files above it go up in parts of this size, or larger where there would be more than 10,000.
  int64_t part_bytes = int64_t{16} << 20;
};

struct Object {
  std::string key;
  int64_t bytes = 0;
};
struct ObjectInfo {
  int64_t bytes = 0;
  std::string etag;
};
struct Listing {
  std::vector<Object> objects;
  std::vector<std::string> prefixes;  // where a delimiter cut them off
  std::string next;                   // "" after the last page
};
struct ListQuery {
  std::string prefix;
  std::string delimiter;
  std::string continuation;  // `next` of the page before
  int max_keys = 1000;
};
struct KeyError {
  std::string key;
  std::string code;
  std::string message;
};
struct Part {
  int number = 0;  // from 1
  std::string etag;
};

// What det needs of S3, for one bucket. Every operation is signed (Signature V4) and tried again
// while the server is away, overloaded or broken, until `patience` ran out. Errors: NOT_FOUND
// (S3_NO_SUCH_KEY), FAILED_PRECONDITION (S3_NO_SUCH_BUCKET, S3_WRONG_REGION, S3_TLS),
// PERMISSION_DENIED (S3_DENIED), UNAUTHENTICATED (S3_NO_CREDENTIALS), UNAVAILABLE (S3_UNREACHABLE,
// S3_BUSY), CANCELLED, INTERNAL (S3_BAD_ANSWER, S3_REFUSED). Messages name bucket and key, never
// credentials. Any thread.
class Client {
 public:
  // INVALID_ARGUMENT (INVALID_STORAGE) for a bucket, region or URL that can be none.
  static absl::StatusOr<std::unique_ptr<Client>> Create(ClientOptions options);
  ~Client();

  absl::StatusOr<ObjectInfo> Head(const std::string& key) const;
  // The object's bytes, at most so many: RESOURCE_EXHAUSTED (FILE_TOO_LARGE) beyond.
  absl::StatusOr<std::string> Get(const std::string& key, size_t bytes_max) const;
  // `length` bytes from `offset`, fewer where the object ends.
  absl::StatusOr<std::string> GetRange(const std::string& key,
                                       int64_t offset,
                                       int64_t length) const;
  // Appends the object to an open, empty file. A connection that broke is taken up where it ended,
  // and only for the same object: ABORTED (S3_CHANGED) when it was replaced meanwhile.
  // `progress` is told of each piece's bytes.
  absl::StatusOr<ObjectInfo> GetToFile(const std::string& key,
                                       int fd,
                                       const std::function<void(int64_t)>& progress) const;

  absl::Status Put(const std::string& key, std::string_view bytes) const;
  // A regular file, in parts when it is large. Nothing of it shows until it is whole, and an upload
  // that fails is taken back.
  absl::Status PutFile(const std::string& key, const std::string& path) const;

  absl::StatusOr<Listing> List(const ListQuery& query) const;
  absl::Status Delete(const std::string& key) const;
  // Any number. Keys that are not there count as deleted. Gives those that could not be.
  absl::StatusOr<std::vector<KeyError>> DeleteObjects(const std::vector<std::string>& keys) const;

  absl::StatusOr<std::string> CreateUpload(const std::string& key) const;
  absl::StatusOr<Part> UploadPart(const std::string& key,
                                  const std::string& upload,
                                  int number,
                                  const Body& body) const;
  // `bytes` is the size of the whole: should an answer have been lost, it tells whether it is
  // there.
  absl::Status CompleteUpload(const std::string& key,
                              const std::string& upload,
                              const std::vector<Part>& parts,
                              int64_t bytes) const;
  absl::Status AbortUpload(const std::string& key, const std::string& upload) const;

  // For tests, which begin with an empty server.
  absl::Status CreateBucket() const;

  // A URL that gives the object to whoever has it, for so long (at most a week).
  absl::StatusOr<std::string> PresignGet(const std::string& key, absl::Duration life) const;

 private:
  class Impl;
  explicit Client(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace det::s3
