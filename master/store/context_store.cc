#include "master/store/context_store.h"

#include <algorithm>
#include <optional>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/digest/sha256.h"
#include "common/os/random.h"
#include "common/pg/pg.h"

namespace det::store {
namespace {

// How chunks are called until all of their upload is there; ';' comes after ':'.
const char* const kUploading = "upload:";
const char* const kPastUploading = "upload;";
constexpr int kReadersMax = 4;
constexpr int kWritersMax = 4;

absl::Status CheckName(const std::string& sha256) {
  const bool ok = sha256.size() == 64 && std::all_of(sha256.begin(), sha256.end(), [](char c) {
                    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                  });
  if (ok) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument,
               "INVALID_SHA256",
               "a context is named by 64 lower-case hexadecimal digits");
}

absl::Status Missing(const std::string& sha256) {
  return Error(absl::StatusCode::kNotFound,
               "CONTEXT_NOT_FOUND",
               StrCat("context ", sha256, " does not exist"));
}

}  // namespace

ContextStore::ContextStore(const std::string& conninfo, int64_t epoch, int64_t context_bytes_max)
    : conninfo_(conninfo),
      epoch_(epoch),
      context_bytes_max_(context_bytes_max),
      pool_(std::make_unique<pg::Pool>(conninfo, kReadersMax)),
      writers_(std::make_unique<pg::Pool>(conninfo, kWritersMax)) {}
ContextStore::~ContextStore() = default;

absl::StatusOr<bool> ContextStore::Has(const std::string& sha256) {
  DET_RETURN_IF_ERROR(CheckName(sha256));
  bool has = false;
  bool old = false;
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    const pqxx::result rows = tx.exec_params(
        "SELECT used_at < now() - $2 * interval '1 second' FROM contexts "
        "WHERE sha256 = $1",
        sha256,
        absl::ToInt64Seconds(kContextTouch));
    has = !rows.empty();
    old = has && rows[0][0].as<bool>();
  }));
  if (!old) return has;
  // Who asks is about to use it. It may go meanwhile: then it is not there.
  DET_RETURN_IF_ERROR(writers_->Write([&](pqxx::work& tx) {
    tx.exec_params("SELECT det_fence($1)", epoch_);
    has =
        !tx.exec_params("UPDATE contexts SET used_at = now() WHERE sha256 = $1 RETURNING 1", sha256)
             .empty();
  }));
  return has;
}

absl::StatusOr<int64_t> ContextStore::Bytes(const std::string& sha256) {
  DET_RETURN_IF_ERROR(CheckName(sha256));
  std::optional<int64_t> bytes;
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    const pqxx::result rows =
        tx.exec_params("SELECT bytes FROM contexts WHERE sha256 = $1", sha256);
    if (!rows.empty()) bytes = rows[0][0].as<int64_t>();
  }));
  if (bytes.has_value()) return *bytes;
  return Missing(sha256);
}

// Chunks are written in transactions of their own, so that a large upload holds no long one, and
// under a name of the upload's own: bytes that do not hash to the context's name never touch it.
struct ContextStore::Upload::State {
  State(const ContextStore& store, std::string sha256)
      : writers(*store.writers_),
        epoch(store.epoch_),
        bytes_max(store.context_bytes_max_),
        name(std::move(sha256)),
        upload(StrCat(kUploading, RandomUuid())),
        live(store.live_) {
    MutexLock lock(live->mutex);
    live->uploads.insert(upload);
  }
  ~State() {
    MutexLock lock(live->mutex);
    live->uploads.erase(upload);
  }

  absl::Status Store(std::string_view chunk) {
    DET_RETURN_IF_ERROR(writers.Write([&](pqxx::work& tx) {
      tx.exec_params("SELECT det_fence($1)", epoch);
      tx.exec_params("INSERT INTO context_chunks (sha256, number, data) VALUES ($1, $2, $3::bytea)",
                     upload,
                     chunks,
                     pg::ToBytea(chunk));
    }));
    ++chunks;
    return absl::OkStatus();
  }

  pg::Pool& writers;
  const int64_t epoch;
  const int64_t bytes_max;
  const std::string name;
  const std::string upload;
  const std::shared_ptr<Live> live;
  Sha256 hash;
  std::string pending;
  int64_t bytes = 0;
  int64_t chunks = 0;
};

ContextStore::Upload::Upload(std::unique_ptr<State> state) : state_(std::move(state)) {}

ContextStore::Upload::~Upload() {
  if (state_->chunks == 0) return;
  // What an upload that broke off leaves; when this fails too, the next start cleans up.
  const absl::Status ignored = state_->writers.Write([&](pqxx::work& tx) {
    tx.exec_params("DELETE FROM context_chunks WHERE sha256 = $1", state_->upload);
  });
  static_cast<void>(ignored);
}

absl::StatusOr<std::unique_ptr<ContextStore::Upload>> ContextStore::Begin(
    const std::string& sha256) {
  DET_RETURN_IF_ERROR(CheckName(sha256));
  return std::unique_ptr<Upload>(new Upload(std::make_unique<Upload::State>(*this, sha256)));
}

absl::Status ContextStore::Upload::Append(std::string_view data) {
  State& s = *state_;
  s.bytes += static_cast<int64_t>(data.size());
  if (s.bytes > s.bytes_max) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "CONTEXT_TOO_LARGE",
                 StrCat("the model directory is larger than ", s.bytes_max >> 20, " MiB"),
                 "leave data out with a .detignore file");
  }
  s.hash.Update(data);
  s.pending.append(data);
  while (static_cast<int64_t>(s.pending.size()) >= kContextChunkBytes) {
    DET_RETURN_IF_ERROR(s.Store(s.pending.substr(0, static_cast<size_t>(kContextChunkBytes))));
    s.pending.erase(0, static_cast<size_t>(kContextChunkBytes));
  }
  return absl::OkStatus();
}

absl::StatusOr<int64_t> ContextStore::Upload::Finish() {
  State& s = *state_;
  if (const std::string got = s.hash.Finish(); got != s.name) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "WRONG_SHA256",
                 StrCat("the bytes hash to ", got, ", not to ", s.name));
  }
  if (!s.pending.empty() || s.chunks == 0) DET_RETURN_IF_ERROR(s.Store(s.pending));
  DET_RETURN_IF_ERROR(s.writers.Write([&](pqxx::work& tx) {
    tx.exec_params("SELECT det_fence($1)", s.epoch);
    const bool first = tx.exec_params1(
                             "INSERT INTO contexts (sha256, bytes) VALUES ($1, $2) "
                             "ON CONFLICT (sha256) DO UPDATE SET used_at = now() "
                             "RETURNING xmax = 0",
                             s.name,
                             s.bytes)[0]
                           .as<bool>();
    // Somebody else may have stored the same bytes meanwhile: then ours go (see the destructor).
    if (first) {
      tx.exec_params("UPDATE context_chunks SET sha256 = $1 WHERE sha256 = $2", s.name, s.upload);
    }
  }));
  return s.bytes;
}

absl::Status ContextStore::RemoveBrokenUploads() {
  std::vector<std::string> left;
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    left.clear();
    // A list of names, without the chunks themselves.
    for (const auto& row : tx.exec_params(
             "SELECT DISTINCT sha256 FROM context_chunks WHERE sha256 >= $1 AND sha256 < $2",
             kUploading,
             kPastUploading))
      left.push_back(row[0].as<std::string>());
  }));
  {
    // Read after the names: an upload that is under way was in this list before its first chunk.
    MutexLock lock(live_->mutex);
    const std::set<std::string>& uploads = live_->uploads;
    std::erase_if(left, [&](const std::string& name) { return uploads.contains(name); });
  }
  if (left.empty()) return absl::OkStatus();
  return writers_->Write([&](pqxx::work& tx) {
    tx.exec_params("SELECT det_fence($1)", epoch_);
    tx.exec_params("DELETE FROM context_chunks WHERE sha256 = ANY ($1)", pg::ArrayOf(left));
  });
}

absl::StatusOr<int64_t> ContextStore::RemoveUnused(absl::Duration grace) {
  int64_t removed = 0;
  DET_RETURN_IF_ERROR(writers_->Write([&](pqxx::work& tx) {
    tx.exec_params("SELECT det_fence($1)", epoch_);
    removed = static_cast<int64_t>(
        tx.exec_params(
              "WITH gone AS (DELETE FROM contexts c WHERE used_at < now() - $1 * interval '1 "
              "second' AND NOT EXISTS (SELECT FROM experiments e WHERE e.context = c.sha256) "
              "RETURNING sha256), chunks AS (DELETE FROM context_chunks WHERE sha256 IN "
              "(SELECT sha256 FROM gone)) SELECT sha256 FROM gone",
              absl::ToInt64Seconds(grace))
            .size());
  }));
  return removed;
}

absl::StatusOr<std::optional<std::string>> ContextStore::Chunk(const std::string& sha256,
                                                               int64_t number) {
  if (number == 0) {
    DET_ASSIGN_OR_RETURN(const bool has, Has(sha256));
    if (!has) return Missing(sha256);
  }
  std::optional<std::string> chunk;
  DET_RETURN_IF_ERROR(pool_->Read([&](pqxx::work& tx) {
    const pqxx::result rows = tx.exec_params(
        "SELECT data FROM context_chunks WHERE sha256 = $1 AND number = $2", sha256, number);
    if (!rows.empty()) chunk = pg::FromBytea(rows[0][0].as<std::string>());
  }));
  return chunk;
}

}  // namespace det::store
