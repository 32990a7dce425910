#include "common/filter/filter.h"

#include <algorithm>
#include <optional>

#include <re2/re2.h>

#include "common/base/overload.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/filter/check.h"
#include "common/filter/compare.h"
#include "common/filter/parser.h"

namespace det::filter {
namespace {

bool Satisfies(Op op, int order) {
  switch (op) {
    case Op::kLess:
      return order < 0;
    case Op::kLessEqual:
      return order <= 0;
    case Op::kGreater:
      return order > 0;
    case Op::kGreaterEqual:
      return order >= 0;
    default:
      return order == 0;
  }
}

double AsDouble(const Operand& operand) {
  const auto* integer = std::get_if<int64_t>(&operand);
  return integer != nullptr ? static_cast<double>(*integer) : std::get<double>(operand);
}

bool IsNumber(const Operand& operand) {
  return std::holds_alternative<int64_t>(operand) || std::holds_alternative<double>(operand);
}

// The order of what a field holds and a value; nothing where they do not compare.
std::optional<int> Order(const Datum& datum, const Operand& operand) {
  if (const auto* text = std::get_if<std::string>(&datum)) {
    const auto* other = std::get_if<std::string>(&operand);
    if (other != nullptr) return text->compare(*other);
  } else if (const auto* boolean = std::get_if<bool>(&datum)) {
    const auto* other = std::get_if<bool>(&operand);
    if (other != nullptr) return CompareOrdered(*boolean, *other);
  } else if (const auto* time = std::get_if<absl::Time>(&datum)) {
    const auto* other = std::get_if<absl::Time>(&operand);
    if (other != nullptr) return CompareOrdered(*time, *other);
  } else if (const auto* duration = std::get_if<absl::Duration>(&datum)) {
    if (IsNumber(operand))
      return CompareNumbers(absl::ToDoubleSeconds(*duration), AsDouble(operand));
  } else if (const auto* integer = std::get_if<int64_t>(&datum)) {
    const auto* exact = std::get_if<int64_t>(&operand);
    if (exact != nullptr) return CompareOrdered(*integer, *exact);
    if (IsNumber(operand)) return CompareNumbers(static_cast<double>(*integer), AsDouble(operand));
  } else if (const auto* number = std::get_if<double>(&datum)) {
    if (IsNumber(operand)) return CompareNumbers(*number, AsDouble(operand));
  }
  return std::nullopt;
}

bool HoldsText(const Leaf& leaf, const Datum& datum) {
  const auto* text = std::get_if<std::string>(&datum);
  if (text == nullptr) return false;
  if (leaf.op == Op::kMatches) return re2::RE2::PartialMatch(*text, *leaf.regex);
  const auto& part = std::get<std::string>(leaf.values.at(0));
  return LowerAscii(*text).find(LowerAscii(part)) != std::string::npos;
}

bool HoldsSingle(const Leaf& leaf, const Datum& datum) {
  if (leaf.op == Op::kContains || leaf.op == Op::kMatches) return HoldsText(leaf, datum);
  const bool none = std::holds_alternative<std::monostate>(datum);
  return std::any_of(leaf.values.begin(), leaf.values.end(), [&](const Operand& operand) {
    if (none || std::holds_alternative<std::monostate>(operand)) {
      return none && std::holds_alternative<std::monostate>(operand);
    }
    const std::optional<int> order = Order(datum, operand);
    return order.has_value() && Satisfies(leaf.op, *order);
  });
}

// A part of a JSON value by its own type; arrays and objects compare with nothing.
Datum JsonDatum(const Value& value) {
  if (value.is_bool()) return value.as_bool();
  if (value.is_number()) return value.as_number();
  if (value.is_string()) return value.as_string();
  if (value.is_null()) return {};
  return std::vector<std::string>{};
}

bool HoldsList(const Leaf& leaf, const std::vector<std::string>& items) {
  if (items.empty()) return HoldsSingle(leaf, {});
  return std::any_of(items.begin(), items.end(), [&](const std::string& item) {
    return HoldsSingle(leaf, Datum(item));
  });
}

bool Holds(const Leaf& leaf, const Datum& datum) {
  if (leaf.at.field->type == Type::kJson) {
    const auto* object = std::get_if<Value>(&datum);
    const Value* part = object == nullptr ? nullptr : PartOf(*object, leaf.at.path);
    return HoldsSingle(leaf, part == nullptr ? Datum() : JsonDatum(*part));
  }
  const auto* items = std::get_if<std::vector<std::string>>(&datum);
  return items == nullptr ? HoldsSingle(leaf, datum) : HoldsList(leaf, *items);
}

bool HoldsAll(const Condition& condition, const Record& record) {
  const auto holds = [&](const Condition& part) { return HoldsAll(part, record); };
  switch (condition.kind) {
    case Condition::Kind::kAll:
      return std::all_of(condition.parts.begin(), condition.parts.end(), holds);
    case Condition::Kind::kAny:
      return std::any_of(condition.parts.begin(), condition.parts.end(), holds);
    case Condition::Kind::kLeaf:
      break;
  }
  const Leaf& leaf = condition.leaf;
  return Holds(leaf, record(*leaf.at.field)) == leaf.holds;
}

}  // namespace

absl::StatusOr<Filter> Filter::Make(std::string_view text,
                                    const FieldTable& table,
                                    absl::Time now) {
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) return Filter(Condition());
  DET_ASSIGN_OR_RETURN(const Node node, Parse(text));
  DET_ASSIGN_OR_RETURN(Condition root, Check(text, node, table, now));
  return Filter(std::move(root));
}

bool Filter::Matches(const Record& record) const {
  return HoldsAll(root_, record);
}

}  // namespace det::filter
