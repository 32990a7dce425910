#include "common/pg/pg.h"

#include <algorithm>

#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::pg {
namespace {

using Code = absl::StatusCode;

// det_fence raises it: store/migrations.
constexpr std::string_view kFenced = "DT001";

absl::Status FromSqlState(std::string_view state, std::string_view what) {
  const std::string_view family = state.substr(0, 2);
  if (state == kFenced) return Error(Code::kAborted, "LEASE_LOST", what);
  if (state == "23505") return Error(Code::kAlreadyExists, "KEY_TAKEN", what);
  if (family == "53") {
    return Error(Code::kResourceExhausted,
                 "STORE_FULL",
                 StrCat("the database has no room: ", what),
                 "free space on its disk; the master goes on by itself");
  }
  // 22: data that is none, 23: a constraint, 54: too large. The row is at fault.
  if (family == "22" || family == "23" || family == "54") {
    return Error(Code::kInvalidArgument, "ROW_REFUSED", StrCat("[", state, "] ", what));
  }
  // 40: serialization and deadlock; the server undid everything.
  if (family == "40") return Error(Code::kUnavailable, "STORE_CONFLICT", what);
  // statement_timeout: the server undid it.
  if (state == "57014") return Error(Code::kUnavailable, "STORE_SLOW", what);
  // 57: the server ends or starts; 08: the connection. The statement may have been done.
  if (family == "57" || family == "08") return Error(Code::kUnknown, "STORE_GONE", what);
  return Error(Code::kInternal, "STORE_ERROR", StrCat("[", state, "] ", what));
}

std::string Trim(std::string_view text) {
  const size_t end = text.find_last_not_of(" \n\t");
  return std::string(text.substr(0, end + 1));
}

// libpqxx hides what the server said last when the connection is gone ("Could not obtain client
// encoding: not connected."). The language lets an explicit instantiation name a private member.
using ErrorText = const char* (pqxx::connection_base::*)() const noexcept;
ErrorText LastErrorMember();
template <ErrorText kMember>
struct LastError {
  friend ErrorText LastErrorMember() { return kMember; }
};
template struct LastError<&pqxx::connection_base::err_msg>;

// The status with what libpq knows of the connection's end.
absl::Status WithCause(const absl::Status& status, const pqxx::connection& connection) {
  const char* text = (connection.*LastErrorMember())();
  std::string cause = Trim(text == nullptr ? "" : text);
  std::replace(cause.begin(), cause.end(), '\n', ' ');
  if (cause.empty() || FromAbsl(status.message()).find(cause) != std::string_view::npos)
    return status;
  return Error(status.code(), ErrorReason(status), cause, ErrorHint(status));
}

// A database that can't be reached any more must not hold a caller for ever. Of no effect on unix
// sockets but for the first; what the connection string says itself stands.
constexpr std::pair<std::string_view, std::string_view> kNetworkDefaults[] = {
    {"connect_timeout", "10"},      // seconds
    {"tcp_user_timeout", "20000"},  // milliseconds without an acknowledgement of what was sent
    {"keepalives_idle", "10"},      // seconds,
    {"keepalives_interval", "5"},   // so a silent peer is given up
    {"keepalives_count", "3"}};     // after half a minute
constexpr absl::Duration kReadLife = absl::Seconds(60);  // of a reader's statement

std::string WithNetworkDefaults(std::string conninfo) {
  const bool url = conninfo.starts_with("postgresql://") || conninfo.starts_with("postgres://");
  for (const auto& [name, value] : kNetworkDefaults) {
    if (conninfo.find(StrCat(name, "=")) != std::string::npos) continue;
    const bool first = conninfo.find('?') == std::string::npos;
    StrAppend(conninfo, url ? (first ? "?" : "&") : " ", name, "=", value);
  }
  return conninfo;
}

}  // namespace

absl::Status Guard(const std::function<void()>& fn) {
  try {
    fn();
    return absl::OkStatus();
  } catch (const pqxx::broken_connection& error) {
    return Error(Code::kUnknown, "STORE_GONE", Trim(error.what()));
  } catch (const pqxx::in_doubt_error& error) {
    return Error(Code::kUnknown, "STORE_GONE", Trim(error.what()));
  } catch (const pqxx::sql_error& error) {
    return FromSqlState(error.sqlstate(), Trim(error.what()));
  } catch (const std::exception& error) {
    return Error(Code::kInternal, "STORE_ERROR", Trim(error.what()));
  }
}

Connection::Connection(std::string conninfo)
    : conninfo_(WithNetworkDefaults(std::move(conninfo))) {}
Connection::~Connection() {
  Drop();
}
Connection::Connection(Connection&&) noexcept = default;
Connection& Connection::operator=(Connection&&) noexcept = default;

void Connection::Drop() {
  try {
    connection_.reset();
  } catch (const std::exception&) {
    // A broken connection may complain once more when it goes.
  }
}

absl::Status Connection::Connect() {
  if (connection_ != nullptr && connection_->is_open()) return absl::OkStatus();
  Drop();
  const absl::Status status = Guard([&] {
    connection_ = std::make_unique<pqxx::connection>(conninfo_);
    connection_->set_client_encoding("UTF8");
    if (prepare_) prepare_(*connection_);
  });
  if (status.ok()) return status;
  Drop();
  // Whatever went wrong, nothing was done yet.
  return Error(Code::kUnavailable,
               "STORE_DOWN",
               StrCat("the database does not answer: ", FromAbsl(status.message())));
}

absl::Status Connection::Run(const std::function<void(pqxx::connection&)>& fn) {
  DET_RETURN_IF_ERROR(Connect());
  return Finished(Guard([&] { fn(*connection_); }));
}

absl::Status Connection::Transact(const std::function<void(pqxx::work&)>& fn) {
  DET_RETURN_IF_ERROR(Connect());
  return Finished(Guard([&] {
    pqxx::work transaction(*connection_);
    fn(transaction);
    transaction.commit();
  }));
}

absl::Status Connection::Finished(absl::Status status) {
  if (status.code() != Code::kUnknown) return status;
  status = WithCause(status, *connection_);
  Drop();
  return status;
}

Pool::Pool(std::string conninfo, int connections_max)
    : conninfo_(std::move(conninfo)), connections_max_(connections_max) {}

std::unique_ptr<Connection> Pool::Borrow() {
  MutexLock lock(mutex_);
  while (idle_.empty() && made_ >= connections_max_) returned_.Wait(mutex_);
  if (idle_.empty()) {
    ++made_;
    auto connection = std::make_unique<Connection>(conninfo_);
    connection->OnConnect([](pqxx::connection& c) {
      c.set_variable("statement_timeout", std::to_string(absl::ToInt64Milliseconds(kReadLife)));
    });
    return connection;
  }
  std::unique_ptr<Connection> connection = std::move(idle_.back());
  idle_.pop_back();
  return connection;
}

void Pool::Return(std::unique_ptr<Connection> connection) {
  MutexLock lock(mutex_);
  idle_.push_back(std::move(connection));
  returned_.NotifyOne();
}

absl::Status Pool::Read(const std::function<void(pqxx::work&)>& fn) {
  std::unique_ptr<Connection> connection = Borrow();
  const auto read = [&](pqxx::work& transaction) {
    transaction.exec("SET TRANSACTION READ ONLY");
    fn(transaction);
  };
  absl::Status status = connection->Transact(read);
  if (status.code() == Code::kUnknown) status = connection->Transact(read);
  Return(std::move(connection));
  if (status.code() == Code::kUnknown) {
    return Error(Code::kUnavailable, "STORE_DOWN", FromAbsl(status.message()));
  }
  return status;
}

absl::Status Pool::Write(const std::function<void(pqxx::work&)>& fn) {
  std::unique_ptr<Connection> connection = Borrow();
  absl::Status status = connection->Transact([&](pqxx::work& transaction) {
    transaction.exec("SET LOCAL statement_timeout = 0");
    fn(transaction);
  });
  Return(std::move(connection));
  return status;
}

std::string ArrayOf(const std::vector<int64_t>& items) {
  return StrCat("{", StrJoin(items, ","), "}");
}

std::string ArrayOf(const std::vector<std::string>& items) {
  std::string out = "{";
  for (const std::string& item : items) {
    if (out.size() > 1) out.push_back(',');
    out.push_back('"');
    for (const char c : item) {
      if (c == '"' || c == '\\') out.push_back('\\');
      out.push_back(c);
    }
    out.push_back('"');
  }
  out.push_back('}');
  return out;
}

std::string ToBytea(std::string_view bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\\x";
  out.reserve(2 + 2 * bytes.size());
  for (const char c : bytes) {
    out.push_back(kHex[(static_cast<unsigned char>(c) >> 4) & 15]);
    out.push_back(kHex[static_cast<unsigned char>(c) & 15]);
  }
  return out;
}

std::string ByteaArrayOf(const std::vector<std::string>& items) {
  std::vector<std::string> encoded;
  encoded.reserve(items.size());
  for (const std::string& item : items) encoded.push_back(ToBytea(item));
  return ArrayOf(encoded);
}

std::string Timestamp(absl::Time time) {
  return std::string(absl::FormatTime("%Y-%m-%dT%H:%M:%E6SZ", time, absl::UTCTimeZone()));
}

std::string StorableJson(std::string json) {
  constexpr std::string_view kNul = "\\u0000";
  if (json.find(kNul) == std::string::npos) return json;
  std::string out;
  out.reserve(json.size());
  for (size_t i = 0; i < json.size(); ++i) {
    if (json[i] != '\\') {
      out.push_back(json[i]);
    } else if (json.compare(i, kNul.size(), kNul) == 0) {
      out.append("\\\\0");
      i += kNul.size() - 1;
    } else {
      out.append(json, i, 2);  // what is escaped escapes nothing itself
      ++i;
    }
  }
  return out;
}

std::string StorableText(std::string text) {
  for (size_t at = text.find('\0'); at != std::string::npos; at = text.find('\0', at)) {
    text.replace(at, 1, "\\0");
  }
  return text;
}

std::string FromBytea(std::string_view text) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  if (!text.starts_with("\\x")) return std::string(text);
  text.remove_prefix(2);
  std::string out;
  out.reserve(text.size() / 2);
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    out.push_back(static_cast<char>(digit(text[i]) * 16 + digit(text[i + 1])));
  }
  return out;
}

}  // namespace det::pg
