#include "agent/prepare/context_cache.h"

#include <algorithm>
#include <filesystem>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/os_error.h"

namespace det::agent {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".tar";
constexpr std::string_view kPartialSuffix = ".partial";
constexpr size_t kSha256Digits = 64;

bool IsSha256(std::string_view text) {
  return text.size() == kSha256Digits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

struct Archive {
  fs::file_time_type used;
  std::string sha256;
  std::string path;
  int64_t bytes = 0;
};

// Of the cache's own names; the one that was not used for longest first.
std::vector<Archive> List(const std::string& directory) {
  std::vector<Archive> all;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(directory, ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.ends_with(kSuffix)) continue;
    Archive archive{.used = entry.last_write_time(ignored),
                    .sha256 = name.substr(0, name.size() - kSuffix.size()),
                    .path = entry.path().string(),
                    .bytes = static_cast<int64_t>(entry.file_size(ignored))};
    if (IsSha256(archive.sha256) && archive.bytes >= 0) all.push_back(std::move(archive));
  }
  std::sort(all.begin(), all.end(), [](const Archive& a, const Archive& b) {
    return std::tie(a.used, a.sha256) < std::tie(b.used, b.sha256);
  });
  return all;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ContextCache>> ContextCache::Open(Options options) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(options.directory, error)) {
    const std::string path = entry.path().string();
    if (path.ends_with(kPartialSuffix) && unlink(path.c_str()) != 0 && errno != ENOENT)
      return OsError(errno, "remove", path);
  }
  if (error) return OsError(error.value(), "list", options.directory);
  std::unique_ptr<ContextCache> cache(new ContextCache(std::move(options)));
  const MutexLock lock(cache->mutex_);
  cache->Trim();
  return cache;
}

std::string ContextCache::PathOf(const std::string& sha256) const {
  return StrCat(options_.directory, "/", sha256, kSuffix);
}

absl::StatusOr<ContextCache::Lease> ContextCache::Get(const std::string& sha256) {
  if (!IsSha256(sha256)) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "INVALID_CONTEXT",
                 StrCat("\"", sha256.substr(0, 100), "\" is no SHA-256 of a model directory"));
  }
  {
    const MutexLock lock(mutex_);
    ++used_[sha256];
  }
  Lease lease(this, sha256);
  DET_RETURN_IF_ERROR(Have(sha256));
  return lease;
}

// With the archive in use already.
absl::Status ContextCache::Have(const std::string& sha256) {
  const std::string path = PathOf(sha256);
  {
    const MutexLock lock(mutex_);
    while (fetching_.contains(sha256)) fetched_.Wait(mutex_);
    // Used now; when that can't be written down it only goes earlier.
    if (utimensat(AT_FDCWD, path.c_str(), nullptr, 0) == 0 || access(path.c_str(), F_OK) == 0)
      return absl::OkStatus();
    fetching_.insert(sha256);
  }
  absl::Status status = options_.fetch(sha256, path);
  const MutexLock lock(mutex_);
  fetching_.erase(sha256);
  fetched_.NotifyAll();
  if (status.ok()) Trim();
  return status;
}

void ContextCache::Discard(const std::string& sha256) {
  unlink(PathOf(sha256).c_str());
}

void ContextCache::Trim() {
  const std::vector<Archive> all = List(options_.directory);
  int64_t bytes = 0;
  for (const Archive& archive : all) bytes += archive.bytes;
  for (const Archive& archive : all) {
    if (bytes <= options_.bytes_max) return;
    if (used_.contains(archive.sha256)) continue;
    if (unlink(archive.path.c_str()) == 0) bytes -= archive.bytes;
  }
}

void ContextCache::Release(const std::string& sha256) {
  const MutexLock lock(mutex_);
  const auto it = used_.find(sha256);
  if (--it->second == 0) used_.erase(it);
  Trim();
}

ContextCache::Lease::~Lease() {
  if (cache_ != nullptr) cache_->Release(sha256_);
}

}  // namespace det::agent
