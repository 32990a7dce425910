#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace det::bench {

// What PostgreSQL itself takes in, into the very tables that det-master writes: one connection,
// rows encoded beforehand. One thread.
class CopyFloor {
 public:
  enum class Table : uint8_t { kMetrics, kLogs };

  static absl::StatusOr<std::unique_ptr<CopyFloor>> Open(const std::string& conninfo);
  ~CopyFloor();

  // Binary COPY in transactions of 1,000 rows; rows a second.
  absl::StatusOr<double> RowsPerSecond(Table table, int64_t rows);
  // A prepared INSERT of one metric and its commit; milliseconds, the median of `count`.
  absl::StatusOr<double> InsertMs(int count);

 private:
  struct Connection;
  explicit CopyFloor(std::unique_ptr<Connection> connection);

  std::unique_ptr<Connection> connection_;
  int64_t seq_ = 0;
};

}  // namespace det::bench
