#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "common/filter/field.h"
#include "common/filter/filter.h"

namespace det::filter {

// An order by fields: "best_metric:desc", or as much as "-best_metric". What has no value comes
// last in both directions. Of JSON numbers come before texts, and nothing else has an order.
class Sort {
 public:
  static constexpr size_t kKeysMax = 8;

  struct Key {
    FieldPath at;
    bool descending = false;
  };

  // No keys keep the order. Errors: INVALID_ARGUMENT (reason BAD_SORT).
  static absl::StatusOr<Sort> Make(const std::vector<std::string>& keys, const FieldTable& table);

  const std::vector<Key>& keys() const { return keys_; }
  bool empty() const { return keys_.empty(); }

  // <0 where a comes before b, 0 where the keys do not tell.
  int Compare(const Record& a, const Record& b) const;

  // What follows ORDER BY, with the first parameter $`first`; exact always.
  Sql ToSql(int first) const;

 private:
  std::vector<Key> keys_;
};

}  // namespace det::filter
