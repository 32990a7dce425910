#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace det {

// A JSON value: what configurations, hyperparameters and free metadata are made of. Integers and
// doubles are apart (1 is not 1.0), object keys are ordered, comparison is deep and exact.
// Pure: no parsing here (common/json reads text), printing only.
class Value {
 public:
  using Array = std::vector<Value>;
  using Object = std::map<std::string, Value, std::less<>>;

  Value() = default;
  Value(std::nullptr_t) {}                                  // NOLINT(google-explicit-constructor)
  Value(bool value) : data_(value) {}                       // NOLINT(google-explicit-constructor)
  Value(int value) : data_(static_cast<int64_t>(value)) {}  // NOLINT(google-explicit-constructor)
  Value(int64_t value) : data_(value) {}                    // NOLINT(google-explicit-constructor)
  Value(double value) : data_(value) {}                     // NOLINT(google-explicit-constructor)
  Value(const char* value) : data_(std::string(value)) {}   // NOLINT(google-explicit-constructor)
  Value(std::string value) : data_(std::move(value)) {}     // NOLINT(google-explicit-constructor)
  Value(std::string_view value)
      : data_(std::string(value)) {}                // NOLINT(google-explicit-constructor)
  Value(Array value) : data_(std::move(value)) {}   // NOLINT(google-explicit-constructor)
  Value(Object value) : data_(std::move(value)) {}  // NOLINT(google-explicit-constructor)

  bool is_null() const { return std::holds_alternative<std::monostate>(data_); }
  bool is_bool() const { return std::holds_alternative<bool>(data_); }
  bool is_int() const { return std::holds_alternative<int64_t>(data_); }
  bool is_double() const { return std::holds_alternative<double>(data_); }
  bool is_number() const { return is_int() || is_double(); }
  bool is_string() const { return std::holds_alternative<std::string>(data_); }
  bool is_array() const { return std::holds_alternative<Array>(data_); }
  bool is_object() const { return std::holds_alternative<Object>(data_); }

  // The alternative must be the one asked for.
  bool as_bool() const { return std::get<bool>(data_); }
  int64_t as_int() const { return std::get<int64_t>(data_); }
  double as_double() const { return std::get<double>(data_); }
  const std::string& as_string() const { return std::get<std::string>(data_); }
  const Array& as_array() const { return std::get<Array>(data_); }
  Array& as_array() { return std::get<Array>(data_); }
  const Object& as_object() const { return std::get<Object>(data_); }
  Object& as_object() { return std::get<Object>(data_); }
  // Of an int or a double.
  double as_number() const { return is_int() ? static_cast<double>(as_int()) : as_double(); }

  // The member of an object, or nullptr: not an object, or no such key.
  const Value* Find(std::string_view key) const;
  // The value at a dotted path ("optimizer.lr"), or nullptr. Keys may hold dots themselves: of
  // several readings of a path, the one with the shortest first key wins.
  const Value* FindPath(std::string_view path) const;
  // Makes this an object if it is null, then gives the member (null when new).
  Value& operator[](std::string_view key);

  // "null", "a boolean", "an integer", ... for error messages.
  std::string_view TypeName() const;

  // Compact JSON on one line. A double prints as the shortest text that reads back as the same
  // double, with ".0" when integral. NaN and infinities print as the strings "NaN", "Infinity",
  // "-Infinity", as Determined's API has them.
  std::string ToJson() const;
  // JSON over lines, two spaces a level.
  std::string ToPrettyJson() const;

  friend bool operator==(const Value& a, const Value& b);

 private:
  std::variant<std::monostate, bool, int64_t, double, std::string, Array, Object> data_;
};

// The shortest decimal text that reads back as x; "NaN", "Infinity", "-Infinity" unquoted.
std::string FormatDouble(double x);

// A JSON string literal with its quotes.
std::string QuoteJson(std::string_view text);

}  // namespace det
