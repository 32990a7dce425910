#pragma once

#include <cstdint>
#include <string>

#include "common/pg/private_server.h"

namespace det::test {

// A database of one test, on the one private PostgreSQL of its test program.
class TestDatabase {
 public:
  enum class Schema { kCurrent, kNone };

  explicit TestDatabase(Schema schema = Schema::kCurrent);

  const std::string& conninfo() const { return conninfo_; }

  void Exec(const std::string& sql) const;
  // The first column of the first row as text; "" when there is no row, or null.
  std::string Text(const std::string& sql) const;
  int64_t Count(const std::string& sql) const;

  // The lease, taken for whoever writes here without a journal. Its epoch.
  int64_t TakeLease() const;

 private:
  std::string conninfo_;
};

}  // namespace det::test
