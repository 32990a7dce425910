#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include <pqxx/pqxx>

#include "common/base/mutex.h"

// PostgreSQL through libpqxx, whose exceptions end here. For source files only: it is heavy.
// Statuses:
//   kUnavailable        nothing was done: no connection, a serialization failure, a server that
//                       starts or stops; worth another try
//   kUnknown            the connection broke while a statement ran: it may have been done
//   kResourceExhausted  the server's disk or memory is full; nothing was done
//   kAborted            the lease is another master's (det_fence)
//   kAlreadyExists      a unique key is taken
//   kInvalidArgument    the server does not take the row itself: its data, a constraint, its size
//   kInternal           everything else: a fault in a statement, in the schema or of the server's
namespace det::pg {

// Runs `fn`, which may throw libpqxx's exceptions.
absl::Status Guard(const std::function<void()>& fn);

// One connection, made when first needed and made again after it broke. One thread at a time.
class Connection {
 public:
  explicit Connection(std::string conninfo);
  ~Connection();
  Connection(Connection&&) noexcept;
  Connection& operator=(Connection&&) noexcept;

  // Runs `fn` on the connection, outside of a transaction. `on_connect` (below) has run on it.
  absl::Status Run(const std::function<void(pqxx::connection&)>& fn);

  // Runs `fn` in a transaction that is committed when it returns.
  absl::Status Transact(const std::function<void(pqxx::work&)>& fn);

  // Run once on each new connection: prepared statements and settings.
  void OnConnect(std::function<void(pqxx::connection&)> prepare) { prepare_ = std::move(prepare); }

  // The next call connects anew.
  void Drop();

 private:
  absl::Status Connect();
  absl::Status Finished(absl::Status status);

  std::string conninfo_;
  std::unique_ptr<pqxx::connection> connection_;
  std::function<void(pqxx::connection&)> prepare_;
};

// Connections shared by many threads. Any thread.
class Pool {
 public:
  Pool(std::string conninfo, int connections_max);

  // Runs `fn` in a read-only transaction; waits for a free connection. A read whose connection
  // breaks is made once more.
  absl::Status Read(const std::function<void(pqxx::work&)>& fn);

  // Runs `fn` in a transaction that is committed when it returns, once; waits as Read.
  absl::Status Write(const std::function<void(pqxx::work&)>& fn);

 private:
  std::unique_ptr<Connection> Borrow();
  void Return(std::unique_ptr<Connection> connection);

  const std::string conninfo_;
  const int connections_max_;
  Mutex mutex_;
  CondVar returned_;
  std::vector<std::unique_ptr<Connection>> idle_ ABSL_GUARDED_BY(mutex_);
  int made_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Array parameters: {1,2}, {"\\x00ff"}, {"a","b \"c\""}.
std::string ArrayOf(const std::vector<int64_t>& items);
std::string ArrayOf(const std::vector<std::string>& items);
std::string ByteaArrayOf(const std::vector<std::string>& items);

// "2026-11-21T10:00:00.123456Z", what timestamptz takes and holds.
std::string Timestamp(absl::Time time);

// PostgreSQL's text and jsonb hold no NUL: each one that the JSON has ("\u0000") becomes a visible
// "\0". The JSON is otherwise as Value::ToJson prints it.
std::string StorableJson(std::string json);
// The same for what is stored as text.
std::string StorableText(std::string text);

// A bytea as its text form gives it ("\x00ff").
std::string FromBytea(std::string_view text);
std::string ToBytea(std::string_view bytes);

}  // namespace det::pg
