#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "absl/status/statusor.h"

// Where checkpoints lie. Pure values; any thread.
namespace det::storage {

// A folder that everybody sees at the same path.
struct SharedFs {
  std::string directory;  // absolute
  bool operator==(const SharedFs&) const = default;
};
// A folder inside of the trials' containers: who is outside may see it or not.
struct Directory {
  std::string path;  // absolute
  bool operator==(const Directory&) const = default;
};
// A bucket of a server that speaks S3.
struct S3 {
  std::string bucket;
  std::string prefix;        // no slash at either end; may be empty
  std::string endpoint_url;  // "": Amazon's
  std::string region;        // "": AWS_REGION of whoever uses it, else us-east-1
  // Where the keys are ("env:NAME"); "": as common/s3/credentials.h finds them.
  std::string access_key_ref;
  std::string secret_key_ref;
  bool operator==(const S3&) const = default;
};
using Place = std::variant<SharedFs, Directory, S3>;

// Google's buckets, by its S3 interface.
S3 GoogleBucket(std::string bucket, std::string prefix);

// One line that says all: "/c/big", "dir:/data", "s3://bucket/prefix?endpoint_url=...". Holds no
// secrets.
std::string ToUrl(const Place& place);
// The other way. INVALID_ARGUMENT (INVALID_STORAGE) for what ToUrl never gives, azure among it.
absl::StatusOr<Place> ParseUrl(std::string_view url);

// Where one checkpoint lies, for people: "/c/big/UUID", "s3://bucket/prefix/UUID".
std::string CheckpointUrl(const Place& place, std::string_view uuid);

}  // namespace det::storage
