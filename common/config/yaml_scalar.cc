#include "common/config/yaml_scalar.h"

#include <charconv>
#include <cmath>

#include "common/base/status.h"
#include "common/base/strings.h"

namespace det {
namespace {

constexpr std::string_view kCorePrefix = "tag:yaml.org,2002:";

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

size_t DigitsAt(std::string_view text, size_t at) {
  size_t end = at;
  while (end < text.size() && IsDigit(text[end])) ++end;
  return end - at;
}

std::string_view WithoutSign(std::string_view text) {
  if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
  return text;
}

bool IsOneOf(std::string_view text, std::string_view a, std::string_view b, std::string_view c) {
  return text == a || text == b || text == c;
}

enum class Form { kNone, kWhole, kReal };

// [-+]?[0-9]+ is whole; [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? is real.
Form DecimalForm(std::string_view text) {
  text = WithoutSign(text);
  size_t at = DigitsAt(text, 0);
  const bool whole_part = at > 0;
  if (at == text.size()) return whole_part ? Form::kWhole : Form::kNone;
  if (text[at] == '.') {
    const size_t fraction = DigitsAt(text, at + 1);
    if (!whole_part && fraction == 0) return Form::kNone;
    at += 1 + fraction;
  } else if (!whole_part) {
    return Form::kNone;
  }
  if (at == text.size()) return Form::kReal;
  if (text[at] != 'e' && text[at] != 'E') return Form::kNone;
  const std::string_view exponent = WithoutSign(text.substr(at + 1));
  return !exponent.empty() && DigitsAt(exponent, 0) == exponent.size() ? Form::kReal : Form::kNone;
}

absl::Status OutOfRange(std::string_view what) {
  return Error(absl::StatusCode::kOutOfRange, "", StrCat("is beyond what ", what, " holds"));
}

absl::StatusOr<Value> ReadReal(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number)) {
    return OutOfRange("a double");
  }
  return Value(number);
}

absl::StatusOr<Value> ReadWhole(std::string_view text) {
  std::string_view digits = text;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc()) return ReadReal(text);  // too large for an int64
  return Value(number);
}

// 0x[0-9a-fA-F]+ and 0o[0-7]+; nothing when it is neither.
std::optional<absl::StatusOr<Value>> ReadBased(std::string_view text) {
  const bool hex = text.starts_with("0x");
  if (text.size() < 3 || !(hex || text.starts_with("0o")) || text[2] == '-') return std::nullopt;
  int64_t number = 0;
  const char* last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data() + 2, last, number, hex ? 16 : 8);
  if (end != last) return std::nullopt;
  if (error != std::errc()) return OutOfRange("64 bits");
  return Value(number);
}

std::optional<Value> ReadSpecial(std::string_view text) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (IsYamlNull(text)) return Value();
  if (IsOneOf(text, "true", "True", "TRUE")) return Value(true);
  if (IsOneOf(text, "false", "False", "FALSE")) return Value(false);
  if (IsOneOf(text, ".nan", ".NaN", ".NAN")) return Value(std::nan(""));
  if (IsOneOf(WithoutSign(text), ".inf", ".Inf", ".INF")) {
    return Value(text[0] == '-' ? -kInfinity : kInfinity);
  }
  return std::nullopt;
}

bool HasTagsType(std::string_view type, const Value& value) {
  if (type == "int") return value.is_int();
  if (type == "bool") return value.is_bool();
  if (type == "float") return value.is_number();
  return type == "null" && value.is_null();
}

}  // namespace

bool IsYamlNull(std::string_view text) {
  return text.empty() || text == "~" || IsOneOf(text, "null", "Null", "NULL");
}

absl::StatusOr<Value> ResolvePlainScalar(std::string_view text) {
  if (auto special = ReadSpecial(text)) return *std::move(special);
  if (auto based = ReadBased(text)) return *std::move(based);
  switch (DecimalForm(text)) {
    case Form::kWhole:
      return ReadWhole(text);
    case Form::kReal:
      return ReadReal(text);
    case Form::kNone:
      return Value(text);
  }
  return Value(text);
}

absl::StatusOr<Value> ResolveScalar(std::string_view tag, std::string_view text) {
  if (tag == "?" || tag.empty()) return ResolvePlainScalar(text);
  if (tag == "!" || tag == "tag:yaml.org,2002:str") return Value(text);
  const std::string_view type =
      tag.starts_with(kCorePrefix) ? tag.substr(kCorePrefix.size()) : std::string_view();
  if (type == "map" || type == "seq") {
    return Error(absl::StatusCode::kInvalidArgument, "", "is no list and no map");
  }
  if (type != "int" && type != "float" && type != "bool" && type != "null") {
    return Error(absl::StatusCode::kUnimplemented, "", "has an unknown tag");
  }
  DET_ASSIGN_OR_RETURN(Value value, ResolvePlainScalar(text));
  if (!HasTagsType(type, value)) {
    return Error(absl::StatusCode::kInvalidArgument, "", StrCat("is not of the type !!", type));
  }
  return type == "float" ? Value(value.as_number()) : value;
}

std::string ShortTag(std::string_view tag) {
  if (tag.starts_with(kCorePrefix)) return StrCat("!!", tag.substr(kCorePrefix.size()));
  return std::string(tag);
}

}  // namespace det
