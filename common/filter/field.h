#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include "common/base/value.h"
#include "common/filter/ast.h"

namespace det::filter {

enum class Type {
  kText,
  kInteger,
  kNumber,
  kBytes,     // an integer; literals may have a unit: 10MiB
  kDuration,  // seconds in SQL; literals 90s, 1h30m, 2d
  kTime,      // a literal is a time, or a duration: the age
  kBoolean,
  kTextList,  // holds when one of the items does
  kJson,      // an object, of which parts are asked: hparams.lr
};

// Of a thing that can be filtered.
struct Field {
  std::string name;  // "best_metric"; dots are allowed
  Type type = Type::kText;
  std::string sql = {};                   // of a type that fits; NULL is no value
  std::vector<std::string> choices = {};  // of text: all values there are; empty: any
  bool required = false;                  // never without a value: an index may order by it
};

// All fields of one kind of thing. The names are distinct.
class FieldTable {
 public:
  FieldTable(std::string what, std::vector<Field> fields)
      : what_(std::move(what)), fields_(std::move(fields)) {}
  const std::string& what() const { return what_; }  // "an experiment"
  const std::vector<Field>& fields() const { return fields_; }
  std::vector<std::string> Names() const;

 private:
  std::string what_;
  std::vector<Field> fields_;
};

// A field, and of one that is JSON the keys that lead to the part asked for.
struct FieldPath {
  const Field* field = nullptr;  // of the table, which has to outlive it
  std::vector<std::string> path = {};
};

// Errors: INVALID_ARGUMENT (reason BAD_FILTER) whose message has no place; the hint names the
// nearest field, or all.
absl::StatusOr<FieldPath> FindField(const FieldTable& table, const std::vector<std::string>& parts);

// What a field of a thing in memory holds; nothing where it has no value. A kBytes is an int64_t,
// a kJson the whole object, as is a text of "" or an empty list: a value.
using Datum = std::variant<std::monostate,
                           bool,
                           int64_t,
                           double,
                           std::string,
                           absl::Time,
                           absl::Duration,
                           std::vector<std::string>,
                           Value>;
using Record = std::function<Datum(const Field&)>;

// The part of a JSON value; null where it has none.
const Value* PartOf(const Value& value, const std::vector<std::string>& path);

}  // namespace det::filter
