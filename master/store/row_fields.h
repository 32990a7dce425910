#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include <pqxx/pqxx>

#include "common/base/strings.h"

// What the store's readers share. For source files only.
namespace det::store {

// Times travel as microseconds since 1970: exact, and free of formats.
inline std::string Micros(std::string_view column) {
  return StrCat("(extract(epoch from ", column, ") * 1000000)::bigint");
}

// Reads a row's fields one after the other; null is zero.
class RowFields {
 public:
  explicit RowFields(const pqxx::row& row) : row_(row) {}
  std::string Text() { return row_[next_++].as<std::string>(std::string()); }
  int64_t Int() { return row_[next_++].as<int64_t>(0); }
  bool Bool() { return row_[next_++].as<bool>(false); }
  double Double() { return row_[next_++].as<double>(0); }
  absl::Time Time() { return absl::FromUnixMicros(Int()); }
  std::optional<int64_t> MaybeInt() {
    return row_[next_].is_null() ? (++next_, std::nullopt) : std::optional(Int());
  }
  std::optional<double> MaybeDouble() {
    return row_[next_].is_null() ? (++next_, std::nullopt) : std::optional(Double());
  }
  std::optional<absl::Time> MaybeTime() {
    return row_[next_].is_null() ? (++next_, std::nullopt) : std::optional(Time());
  }

 private:
  const pqxx::row row_;
  pqxx::row::size_type next_ = 0;
};

// A page is read in the order of an index and no further. The planner, who takes one trial's rows
// for few, would read and sort all that is left of them for each page.
inline void ReadInOrder(pqxx::work& tx) {
  tx.exec(
      "SET LOCAL enable_bitmapscan = off; SET LOCAL enable_seqscan = off; "
      "SET LOCAL enable_sort = off");
}

}  // namespace det::store
