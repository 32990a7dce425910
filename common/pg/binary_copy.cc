#include "common/pg/binary_copy.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <type_traits>

#include <libpq-fe.h>

#include "common/base/strings.h"

namespace det::pg {
namespace {

constexpr size_t kBufferBytes = 128 << 10;
constexpr char kSignature[] = "PGCOPY\n\377\r\n";  // with its NUL, then flags and a length of zero

// libpqxx does not give out libpq's connection, and its own stream knows the text format only. The
// language lets an explicit instantiation name a private member.
using Raw = ::PGconn* (pqxx::connection_base::*)() const;
Raw RawMember();
template <Raw kMember>
struct RawAccess {
  friend Raw RawMember() { return kMember; }
};
template struct RawAccess<&pqxx::connection_base::raw_connection>;

PGconn* Libpq(void* connection) {
  return static_cast<PGconn*>(connection);
}

[[noreturn]] void Throw(PGconn* connection, const PGresult* result, const std::string& command) {
  const char* state = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const std::string message =
      result == nullptr ? PQerrorMessage(connection) : PQresultErrorMessage(result);
  const std::string code = state == nullptr ? "" : state;
  if (PQstatus(connection) != CONNECTION_OK || code.empty()) throw pqxx::broken_connection(message);
  throw pqxx::sql_error(message, command, code.c_str());
}

// Reads all results; the first that is not as expected is thrown.
void Expect(PGconn* connection, ExecStatusType expected, const std::string& command) {
  PGresult* result = PQgetResult(connection);
  const bool good = result != nullptr && PQresultStatus(result) == expected;
  if (good && expected == PGRES_COPY_IN) return PQclear(result);
  PGresult* first = result;
  for (result = PQgetResult(connection); result != nullptr; result = PQgetResult(connection)) {
    PQclear(result);
    if (PQstatus(connection) != CONNECTION_OK) break;
  }
  if (good) return PQclear(first);
  try {
    Throw(connection, first, command);
  } catch (...) {
    PQclear(first);
    throw;
  }
}

}  // namespace

BinaryCopy::BinaryCopy(pqxx::work& tx, std::string_view table, std::string_view columns)
    : connection_((tx.conn().*RawMember())()),
      command_(StrCat("COPY ", table, " (", columns, ") FROM STDIN (FORMAT binary)")) {
  if (PQsendQuery(Libpq(connection_), command_.c_str()) == 0)
    Throw(Libpq(connection_), nullptr, command_);
  Expect(Libpq(connection_), PGRES_COPY_IN, command_);
  open_ = true;
  buffer_.reserve(kBufferBytes + (kBufferBytes >> 2));
  buffer_.assign(kSignature, sizeof(kSignature));
  buffer_.append(8, '\0');
}

BinaryCopy::~BinaryCopy() {
  if (!open_) return;
  PQputCopyEnd(Libpq(connection_), "given up");
  while (PGresult* result = PQgetResult(Libpq(connection_))) {
    PQclear(result);
    if (PQstatus(Libpq(connection_)) != CONNECTION_OK) break;
  }
}

// Most significant byte first.
template <class T>
void BinaryCopy::Put(T value) {
  using Unsigned = std::make_unsigned_t<T>;
  auto bits = static_cast<Unsigned>(value);
  char bytes[sizeof(T)];
  for (size_t i = sizeof(T); i-- > 0;) {
    bytes[i] = static_cast<char>(bits & 0xFF);
    if constexpr (sizeof(T) > 1) bits = static_cast<Unsigned>(bits >> 8);
  }
  buffer_.append(bytes, sizeof(T));
}

template <class T>
void BinaryCopy::Field(T value) {
  Put(static_cast<int32_t>(sizeof(T)));
  Put(value);
}

void BinaryCopy::Row(int fields) {
  if (buffer_.size() >= kBufferBytes) Send();
  Put(static_cast<int16_t>(fields));
}

void BinaryCopy::Null() {
  Put(int32_t{-1});
}
void BinaryCopy::Bool(bool value) {
  Field(static_cast<int8_t>(value ? 1 : 0));
}
void BinaryCopy::Int2(int16_t value) {
  Field(value);
}
void BinaryCopy::Int4(int32_t value) {
  Field(value);
}
void BinaryCopy::Int8(int64_t value) {
  Field(value);
}
void BinaryCopy::Float8(double value) {
  Field(std::bit_cast<int64_t>(value));
}

void BinaryCopy::Bytes(std::string_view value) {
  Put(static_cast<int32_t>(value.size()));
  buffer_.append(value);
}

void BinaryCopy::Jsonb(std::string_view json) {
  constexpr char kVersion = 1;
  Put(static_cast<int32_t>(json.size() + 1));
  buffer_.push_back(kVersion);
  buffer_.append(json);
}

// Microseconds since 2000.
void BinaryCopy::Timestamp(absl::Time value) {
  constexpr int64_t kEpoch = 946'684'800'000'000;
  Field(absl::ToUnixMicros(value) - kEpoch);
}

void BinaryCopy::Send() {
  const bool sent =
      PQputCopyData(Libpq(connection_), buffer_.data(), static_cast<int>(buffer_.size())) == 1;
  buffer_.clear();
  if (sent) return;
  open_ = false;
  Throw(Libpq(connection_), nullptr, command_);
}

void BinaryCopy::Finish() {
  Put(int16_t{-1});
  Send();
  open_ = false;
  if (PQputCopyEnd(Libpq(connection_), nullptr) != 1) Throw(Libpq(connection_), nullptr, command_);
  Expect(Libpq(connection_), PGRES_COMMAND_OK, command_);
}

}  // namespace det::pg
