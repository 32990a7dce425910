#include "common/base/value.h"

#include <bit>
#include <charconv>
#include <cmath>

#include "common/base/strings.h"

namespace det {
namespace {

void Newline(std::string& out, int indent) {
  out.push_back('\n');
  out.append(static_cast<size_t>(indent) * 2, ' ');
}

void Print(const Value& value, std::string& out, int indent, bool pretty);

void PrintArray(const Value::Array& array, std::string& out, int indent, bool pretty) {
  out.push_back('[');
  bool first = true;
  for (const Value& item : array) {
    if (!first) out.push_back(',');
    first = false;
    if (pretty) Newline(out, indent + 1);
    Print(item, out, indent + 1, pretty);
  }
  if (pretty && !first) Newline(out, indent);
  out.push_back(']');
}

void PrintObject(const Value::Object& object, std::string& out, int indent, bool pretty) {
  out.push_back('{');
  bool first = true;
  for (const auto& [key, item] : object) {
    if (!first) out.push_back(',');
    first = false;
    if (pretty) Newline(out, indent + 1);
    out.append(QuoteJson(key)).append(pretty ? ": " : ":");
    Print(item, out, indent + 1, pretty);
  }
  if (pretty && !first) Newline(out, indent);
  out.push_back('}');
}

void Print(const Value& value, std::string& out, int indent, bool pretty) {
  if (value.is_null()) {
    out.append("null");
  } else if (value.is_bool()) {
    out.append(value.as_bool() ? "true" : "false");
  } else if (value.is_int()) {
    StrAppend(out, value.as_int());
  } else if (value.is_double()) {
    const std::string text = FormatDouble(value.as_double());
    out.append(std::isfinite(value.as_double()) ? text : QuoteJson(text));
  } else if (value.is_string()) {
    out.append(QuoteJson(value.as_string()));
  } else if (value.is_array()) {
    PrintArray(value.as_array(), out, indent, pretty);
  } else {
    PrintObject(value.as_object(), out, indent, pretty);
  }
}

}  // namespace

const Value* Value::Find(std::string_view key) const {
  if (!is_object()) return nullptr;
  const Object& object = as_object();
  const auto it = object.find(key);
  return it == object.end() ? nullptr : &it->second;
}

const Value* Value::FindPath(std::string_view path) const {
  if (path.empty()) return this;
  for (size_t end = path.find('.');; end = path.find('.', end + 1)) {
    const Value* found = Find(path.substr(0, end));
    if (end == std::string_view::npos) return found;
    if (found != nullptr) found = found->FindPath(path.substr(end + 1));
    if (found != nullptr) return found;
  }
}

Value& Value::operator[](std::string_view key) {
  if (is_null()) data_ = Object();
  Object& object = as_object();
  const auto it = object.find(key);
  if (it != object.end()) return it->second;
  return object[std::string(key)];
}

std::string_view Value::TypeName() const {
  static constexpr std::string_view kNames[] = {
      "null", "a boolean", "an integer", "a number", "a string", "a list", "a map"};
  return kNames[data_.index()];
}

std::string Value::ToJson() const {
  std::string out;
  Print(*this, out, 0, false);
  return out;
}

std::string Value::ToPrettyJson() const {
  std::string out;
  Print(*this, out, 0, true);
  return out;
}

bool operator==(const Value& a, const Value& b) {
  if (a.data_.index() != b.data_.index()) return false;
  // Doubles by their bits, so that NaN equals itself: values are data here, not arithmetic.
  if (a.is_double()) {
    return std::bit_cast<uint64_t>(a.as_double()) == std::bit_cast<uint64_t>(b.as_double());
  }
  return a.data_ == b.data_;
}

std::string FormatDouble(double x) {
  if (std::isnan(x)) return "NaN";
  if (std::isinf(x)) return x > 0 ? "Infinity" : "-Infinity";
  char buffer[32];
  const std::to_chars_result result = std::to_chars(buffer, buffer + sizeof(buffer), x);
  std::string text(buffer, result.ptr);
  if (text.find_first_of(".e") == std::string::npos) text.append(".0");
  return text;
}

std::string QuoteJson(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        out.append("\\\"");
        break;
      case '\\':
        out.append("\\\\");
        break;
      case '\n':
        out.append("\\n");
        break;
      case '\r':
        out.append("\\r");
        break;
      case '\t':
        out.append("\\t");
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
          out.append("\\u00");
          out.push_back(kHex[(c >> 4) & 15]);
          out.push_back(kHex[c & 15]);
        } else {
          out.push_back(c);
        }
    }
  }
  out.push_back('"');
  return out;
}

}  // namespace det
