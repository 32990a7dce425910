#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "common/base/value.h"

namespace det::cli {

// What a verb gives to machines: like a Value, but the members of an object keep their order, so
// that an id comes before a timestamp in what people read too.
class Document {
 public:
  using List = std::vector<Document>;
  using Member = std::pair<std::string, Document>;
  using Map = std::vector<Member>;

  Document() = default;
  Document(std::nullptr_t) {}             // NOLINT(google-explicit-constructor)
  Document(bool value) : data_(value) {}  // NOLINT(google-explicit-constructor)
  Document(int value)
      : data_(static_cast<int64_t>(value)) {}                 // NOLINT(google-explicit-constructor)
  Document(int64_t value) : data_(value) {}                   // NOLINT(google-explicit-constructor)
  Document(double value) : data_(value) {}                    // NOLINT(google-explicit-constructor)
  Document(const char* value) : data_(std::string(value)) {}  // NOLINT(google-explicit-constructor)
  Document(std::string value) : data_(std::move(value)) {}    // NOLINT(google-explicit-constructor)
  Document(List value) : data_(std::move(value)) {}           // NOLINT(google-explicit-constructor)
  Document(Map value) : data_(std::move(value)) {}            // NOLINT(google-explicit-constructor)
  static Document FromValue(const Value& value);

  // Adds a member at the end; this must be a map, or null and becomes one.
  Document& Add(std::string_view key, Document value);

  bool is_list() const { return std::holds_alternative<List>(data_); }
  bool is_map() const { return std::holds_alternative<Map>(data_); }
  const List& list() const { return std::get<List>(data_); }
  const Map& map() const { return std::get<Map>(data_); }
  List& list() { return std::get<List>(data_); }

  // Null, a boolean, a number or a string as JSON. NaN and infinities are strings.
  std::string ScalarJson() const;
  const std::string* text() const { return std::get_if<std::string>(&data_); }
  const double* number() const { return std::get_if<double>(&data_); }

 private:
  std::variant<std::monostate, bool, int64_t, double, std::string, List, Map> data_;
};

// A JSON string literal: valid UTF-8 whatever the bytes, controls beyond ASCII escaped too.
std::string SafeJsonString(std::string_view text);

// JSON over lines, two spaces a level, with a newline at its end. Strings are valid UTF-8 and hold
// no control characters, not even those beyond ASCII that JSON would allow.
std::string ToPrettyJson(const Document& document);
// On one line, without a newline.
std::string ToCompactJson(const Document& document);

// Block YAML 1.2 that YAML 1.1 parsers read alike, with a newline at its end.
std::string ToYaml(const Document& document);

}  // namespace det::cli
