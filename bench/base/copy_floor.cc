#include "bench/base/copy_floor.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "bench/base/stats.h"
#include <endian.h>
#include <libpq-fe.h>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/os/process.h"

namespace det::bench {
namespace {

constexpr int64_t kRowsPerTransaction = 1000;
constexpr int64_t kTrial = 1000000000;  // no trial of the master's has such a number
constexpr size_t kLineBytes = 119;
constexpr std::string_view kHeader("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);

// The binary form of COPY.
class Encoder {
 public:
  void Row(int16_t fields) { Put(htobe16(static_cast<uint16_t>(fields))); }
  void Int64(int64_t value) {
    Size(8);
    Put(htobe64(static_cast<uint64_t>(value)));
  }
  void Int32(int32_t value) {
    Size(4);
    Put(htobe32(static_cast<uint32_t>(value)));
  }
  void Double(double value) {
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(bits));
    Int64(static_cast<int64_t>(bits));
  }
  void Bool(bool value) {
    Size(1);
    bytes_.push_back(value ? '\1' : '\0');
  }
  void Text(std::string_view text) {
    Size(static_cast<uint32_t>(text.size()));
    bytes_.append(text);
  }
  void Null() { Size(UINT32_MAX); }
  std::string& bytes() { return bytes_; }

 private:
  void Size(uint32_t bytes) { Put(htobe32(bytes)); }
  template <class T>
  void Put(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }

  std::string bytes_;
};

// Microseconds since 2000, as timestamptz holds them.
int64_t Now() {
  return absl::ToUnixMicros(absl::Now()) - 946684800000000;
}

void AddMetric(int64_t seq, int64_t now, Encoder* out) {
  static constexpr std::array<std::string_view, 4> kNames = {"loss", "accuracy", "grad", "rate"};
  out->Row(11);
  out->Int64(kTrial + seq % 32);
  out->Int64(kTrial + seq % 32);
  out->Int32(0);
  out->Int64(seq / 4);
  out->Text("training");
  out->Text(kNames[static_cast<size_t>(seq) % kNames.size()]);
  out->Int64(seq / 4);
  out->Double(1.0 / static_cast<double>(seq + 1));
  out->Null();
  out->Int64(now);
  out->Int64(now);
}

void AddLine(int64_t seq, int64_t now, Encoder* out) {
  static const std::string line(kLineBytes, 'x');
  out->Row(10);
  out->Int64(kTrial + seq % 32);
  out->Int64(kTrial + seq % 32);
  out->Int32(0);
  out->Int64(seq);
  out->Int32(1);
  out->Bool(false);
  out->Int64(0);
  out->Text(line);
  out->Int64(now);
  out->Int64(now);
}

constexpr char kCopyMetrics[] =
    "COPY metrics (trial_id, allocation_id, stream, seq, grp, name, steps, value, other, at, "
    "received_at) FROM STDIN BINARY";
constexpr char kCopyLogs[] =
    "COPY task_logs (trial_id, allocation_id, rank, seq, source, partial, dropped, line, at, "
    "received_at) FROM STDIN BINARY";
constexpr char kInsert[] =
    "INSERT INTO metrics (trial_id, allocation_id, stream, seq, grp, name, steps, value, at, "
    "received_at) VALUES ($1, $1, 0, $2, 'training', 'loss', $2, 0.5, now(), now())";

struct Clear {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Result = std::unique_ptr<PGresult, Clear>;

}  // namespace

struct CopyFloor::Connection {
  ~Connection() { PQfinish(pg); }
  absl::Status Check(const Result& result, ExecStatusType expected) const {
    if (PQresultStatus(result.get()) == expected) return absl::OkStatus();
    return Error(absl::StatusCode::kInternal, "FLOOR_FAILED", PQerrorMessage(pg));
  }
  absl::Status Copy(const char* statement, const std::string& rows) const {
    DET_RETURN_IF_ERROR(Check(Result(PQexec(pg, statement)), PGRES_COPY_IN));
    PQputCopyData(pg, rows.data(), static_cast<int>(rows.size()));
    PQputCopyEnd(pg, nullptr);
    const absl::Status status = Check(Result(PQgetResult(pg)), PGRES_COMMAND_OK);
    while (Result(PQgetResult(pg)) != nullptr) continue;
    return status;
  }

  PGconn* pg = nullptr;
};

CopyFloor::CopyFloor(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
CopyFloor::~CopyFloor() = default;

absl::StatusOr<std::unique_ptr<CopyFloor>> CopyFloor::Open(const std::string& conninfo) {
  auto connection = std::make_unique<Connection>();
  connection->pg = PQconnectdb(conninfo.c_str());
  if (PQstatus(connection->pg) != CONNECTION_OK) {
    return Error(
        absl::StatusCode::kUnavailable, "FLOOR_UNREACHABLE", PQerrorMessage(connection->pg));
  }
  DET_RETURN_IF_ERROR(connection->Check(
      Result(PQprepare(connection->pg, "insert", kInsert, 0, nullptr)), PGRES_COMMAND_OK));
  return std::unique_ptr<CopyFloor>(new CopyFloor(std::move(connection)));
}

absl::StatusOr<double> CopyFloor::RowsPerSecond(Table table, int64_t rows) {
  const bool metrics = table == Table::kMetrics;
  std::vector<std::string> transactions;
  const int64_t now = Now();
  for (int64_t done = 0; done < rows; done += kRowsPerTransaction) {
    Encoder encoder;
    encoder.bytes() = kHeader;
    for (int64_t i = 0; i < std::min(kRowsPerTransaction, rows - done); ++i) {
      metrics ? AddMetric(++seq_, now, &encoder) : AddLine(++seq_, now, &encoder);
    }
    encoder.bytes().append("\377\377");
    transactions.push_back(std::move(encoder.bytes()));
  }
  const absl::Duration begun = SteadyNow();
  for (const std::string& transaction : transactions) {
    DET_RETURN_IF_ERROR(connection_->Copy(metrics ? kCopyMetrics : kCopyLogs, transaction));
  }
  return static_cast<double>(rows) / absl::ToDoubleSeconds(SteadyNow() - begun);
}

absl::StatusOr<double> CopyFloor::InsertMs(int count) {
  std::vector<double> times;
  for (int i = 0; i < count; ++i) {
    const std::string trial = StrCat(kTrial);
    const std::string seq = StrCat(++seq_);
    const std::array<const char*, 2> values = {trial.c_str(), seq.c_str()};
    const absl::Duration begun = SteadyNow();
    DET_RETURN_IF_ERROR(connection_->Check(
        Result(PQexecPrepared(
            connection_->pg, "insert", values.size(), values.data(), nullptr, nullptr, 0)),
        PGRES_COMMAND_OK));
    times.push_back(absl::ToDoubleMilliseconds(SteadyNow() - begun));
  }
  return Median(times);
}

}  // namespace det::bench
