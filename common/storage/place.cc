#include "common/storage/place.h"

#include <map>

#include "common/base/overload.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/net/http_target.h"

namespace det::storage {
namespace {

constexpr std::string_view kDirectory = "dir:";
constexpr std::string_view kS3 = "s3://";

absl::Status Invalid(std::string_view url, std::string_view what) {
  return Error(absl::StatusCode::kInvalidArgument,
               "INVALID_STORAGE",
               StrCat("the storage ", url, " ", what),
               "shared_fs, directory, s3 and gcs are supported");
}

std::string Escape(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~' || c == '/';
    if (plain) {
      out.push_back(c);
    } else {
      out += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return out;
}

absl::StatusOr<Place> ParseS3(std::string_view url) {
  // Read as the target of a request: "/bucket/prefix?name=value".
  const auto target = ParseHttpTarget(StrCat("/", url.substr(kS3.size())));
  if (!target.has_value()) return Invalid(url, "is no s3:// URL");
  S3 place;
  const std::string_view path = std::string_view(target->path).substr(1);
  const size_t slash = path.find('/');
  place.bucket = path.substr(0, slash);
  if (slash != std::string_view::npos) place.prefix = path.substr(slash + 1);
  const std::map<std::string_view, std::string*> fields = {
      {"endpoint_url", &place.endpoint_url},
      {"region", &place.region},
      {"access_key_ref", &place.access_key_ref},
      {"secret_key_ref", &place.secret_key_ref}};
  for (const auto& [name, value] : target->query) {
    const auto field = fields.find(name);
    if (field == fields.end()) return Invalid(url, StrCat("has an unknown part ", name));
    *field->second = value;
  }
  if (place.bucket.empty()) return Invalid(url, "names no bucket");
  return place;
}

bool IsAbsolute(std::string_view path) {
  return path.starts_with('/') && path.find('\0') == std::string_view::npos;
}

}  // namespace

S3 GoogleBucket(std::string bucket, std::string prefix) {
  return {.bucket = std::move(bucket),
          .prefix = std::move(prefix),
          .endpoint_url = "https://storage.googleapis.com",
          .region = "auto"};
}

std::string ToUrl(const Place& place) {
  return std::visit(overloaded{[](const SharedFs& p) { return p.directory; },
                               [](const Directory& p) { return StrCat(kDirectory, p.path); },
                               [](const S3& p) {
                                 std::string url = StrCat(kS3, Escape(p.bucket));
                                 if (!p.prefix.empty()) StrAppend(url, "/", Escape(p.prefix));
                                 char mark = '?';
                                 const auto add = [&](std::string_view name,
                                                      const std::string& value) {
                                   if (value.empty()) return;
                                   StrAppend(url, std::string(1, mark), name, "=", Escape(value));
                                   mark = '&';
                                 };
                                 add("endpoint_url", p.endpoint_url);
                                 add("region", p.region);
                                 add("access_key_ref", p.access_key_ref);
                                 add("secret_key_ref", p.secret_key_ref);
                                 return url;
                               }},
                    place);
}

absl::StatusOr<Place> ParseUrl(std::string_view url) {
  if (url.starts_with(kS3)) return ParseS3(url);
  if (IsAbsolute(url)) return SharedFs{std::string(url)};
  if (url.starts_with(kDirectory) && IsAbsolute(url.substr(kDirectory.size()))) {
    return Directory{std::string(url.substr(kDirectory.size()))};
  }
  return Invalid(url, "is of no kind that det knows");
}

std::string CheckpointUrl(const Place& place, std::string_view uuid) {
  return std::visit(
      overloaded{[&](const SharedFs& p) { return StrCat(p.directory, "/", uuid); },
                 [&](const Directory& p) { return StrCat(p.path, "/", uuid); },
                 [&](const S3& p) {
                   return StrCat(kS3, p.bucket, "/", p.prefix, p.prefix.empty() ? "" : "/", uuid);
                 }},
      place);
}

}  // namespace det::storage
