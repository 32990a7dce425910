#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "common/filter/ast.h"
#include "common/filter/field.h"

namespace re2 {
class RE2;
}

// One grammar of filters (ast.h) for every door: read once, then asked of things in memory or put
// to PostgreSQL, with the same answers.
namespace det::filter {

// What a value of a filter turned out to be; monostate is null.
using Operand = std::variant<std::monostate, bool, int64_t, double, std::string, absl::Time>;

// A test whose field and values are known. `holds` says what it must give: nots are pushed down
// to here.
struct Leaf {
  FieldPath at;
  Op op = Op::kEqual;  // never kNotEqual
  std::vector<Operand> values;
  std::shared_ptr<const re2::RE2> regex;  // of kMatches
  bool holds = true;
};

struct Condition {
  enum class Kind { kAll, kAny, kLeaf };
  Kind kind = Kind::kAll;
  std::vector<Condition> parts;  // kAll of none always holds
  Leaf leaf;
};

// Part of a statement. Values are bound, never pasted.
struct Sql {
  std::string text;
  std::vector<std::string> parameters;
  // False where it lets through more than the filter: then what it gives has to be asked again.
  bool exact = true;
};

// What cannot be compared (a field without a value, JSON of another type) makes a test false; so
// `x != 1` and `not x = 1` hold for it. Immutable; any thread.
class Filter {
 public:
  // An empty text lets everything through. The table has to outlive the filter. Ages are counted
  // from `now`. Errors: INVALID_ARGUMENT (reason BAD_FILTER), which show the place.
  static absl::StatusOr<Filter> Make(std::string_view text,
                                     const FieldTable& table,
                                     absl::Time now);

  bool empty() const { return root_.kind == Condition::Kind::kAll && root_.parts.empty(); }
  bool Matches(const Record& record) const;
  // A condition whose first parameter is $`first`.
  Sql ToSql(int first) const;

 private:
  explicit Filter(Condition root) : root_(std::move(root)) {}
  Condition root_;
};

}  // namespace det::filter
