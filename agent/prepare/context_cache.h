#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/status/statusor.h"

#include "common/base/mutex.h"

namespace det::agent {

// All archives of model directories on this host together; one that is needed now may be larger.
inline constexpr int64_t kContextsBytesMax = int64_t{16} << 30;

// Archives of model directories as they were fetched, by their SHA-256. When they grow beyond the
// bound, those go first that were not used for longest; one in use never goes. Any thread.
class ContextCache {
 public:
  // Fetches the archive of that name into a file, which appears whole or not at all.
  using Fetch = std::function<absl::Status(const std::string& sha256, const std::string& path)>;
  struct Options {
    std::string directory;  // there already
    int64_t bytes_max = kContextsBytesMax;
    Fetch fetch;
  };

  // Removes what an earlier life left half fetched.
  static absl::StatusOr<std::unique_ptr<ContextCache>> Open(Options options);

  // An archive stays while its lease lives, which must end before the cache does.
  class Lease {
   public:
    Lease(ContextCache* cache, std::string sha256) : cache_(cache), sha256_(std::move(sha256)) {}
    ~Lease();
    Lease(Lease&& other) noexcept
        : cache_(std::exchange(other.cache_, nullptr)), sha256_(std::move(other.sha256_)) {}
    Lease& operator=(Lease&&) = delete;
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    std::string path() const { return cache_->PathOf(sha256_); }

   private:
    ContextCache* cache_;
    std::string sha256_;
  };
  // Fetches it if need be; whoever else wants it meanwhile waits for the same fetch. Blocks. The
  // errors are those of `fetch`, and INVALID_ARGUMENT when the name is no SHA-256.
  absl::StatusOr<Lease> Get(const std::string& sha256);

  // The archive is found to be damaged: whoever wants it next has it fetched anew.
  void Discard(const std::string& sha256);

 private:
  explicit ContextCache(Options options) : options_(std::move(options)) {}
  std::string PathOf(const std::string& sha256) const;
  absl::Status Have(const std::string& sha256);
  void Trim() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Release(const std::string& sha256);

  const Options options_;
  Mutex mutex_;
  CondVar fetched_;
  std::map<std::string, int> used_ ABSL_GUARDED_BY(mutex_);  // by how many
  std::set<std::string> fetching_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace det::agent
