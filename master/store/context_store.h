#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "common/base/mutex.h"

namespace det::pg {
class Pool;
}  // namespace det::pg

namespace det::store {

inline constexpr int64_t kContextBytesMax = 4LL << 30;
inline constexpr int64_t kContextChunkBytes = 256 << 10;
// Longer than anybody takes from an upload to the experiment that uses it.
inline constexpr absl::Duration kContextGrace = absl::Hours(24);
// A context that is asked for has its time written down again when it is so old.
inline constexpr absl::Duration kContextTouch = absl::Hours(1);

// Model directories: archives in chunks, named by the SHA-256 of their bytes. For threads that may
// block; each call may come on any.
class ContextStore {
 public:
  ContextStore(const std::string& conninfo,
               int64_t epoch,
               int64_t context_bytes_max = kContextBytesMax);
  ~ContextStore();

  absl::StatusOr<bool> Has(const std::string& sha256);

  // Of the archive. kNotFound.
  absl::StatusOr<int64_t> Bytes(const std::string& sha256);

  // One upload: all of it is stored when Finish succeeds, nothing when it does not.
  class Upload {
   public:
    ~Upload();
    absl::Status Append(std::string_view data);
    // kInvalidArgument when the bytes don't hash to the name.
    absl::StatusOr<int64_t> Finish();

   private:
    friend class ContextStore;
    struct State;
    explicit Upload(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
  };
  absl::StatusOr<std::unique_ptr<Upload>> Begin(const std::string& sha256);

  // What uploads left that an earlier master did not see the end of, and this one could not remove.
  // At start, and from time to time.
  absl::Status RemoveBrokenUploads();
  // Archives that no experiment refers to and that nobody asked for within `grace`. Gives how many
  // went. From time to time.
  absl::StatusOr<int64_t> RemoveUnused(absl::Duration grace = kContextGrace);

  // The chunk of this number, from 0; nothing after the last. kNotFound without the context.
  absl::StatusOr<std::optional<std::string>> Chunk(const std::string& sha256, int64_t number);

 private:
  const std::string conninfo_;
  const int64_t epoch_;
  const int64_t context_bytes_max_;
  std::unique_ptr<pg::Pool> pool_;
  // An upload has one for as long as it stores a chunk: however many there are, and however long
  // they last, others find a connection.
  std::unique_ptr<pg::Pool> writers_;
  // Names of the uploads under way in this process.
  struct Live {
    Mutex mutex;
    std::set<std::string> uploads ABSL_GUARDED_BY(mutex);
  };
  const std::shared_ptr<Live> live_ = std::make_shared<Live>();
};

}  // namespace det::store
