#include "common/filter/check.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include <re2/re2.h>

#include "common/base/nearest.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/filter/error.h"
#include "common/filter/lexer.h"
#include "common/filter/literal.h"

namespace det::filter {
namespace {

// Of a compiled expression: what RE2 may take before it falls back to less of it.
constexpr int64_t kRegexBytesMax = 1 << 20;

bool IsOrder(Op op) {
  return op == Op::kLess || op == Op::kLessEqual || op == Op::kGreater || op == Op::kGreaterEqual;
}

bool IsTextual(Op op) {
  return op == Op::kContains || op == Op::kMatches;
}

bool HasText(Type type) {
  return type == Type::kText || type == Type::kTextList || type == Type::kJson;
}

// Which is older is earlier: an age above two hours is a time below.
Op Mirrored(Op op) {
  switch (op) {
    case Op::kLess:
      return Op::kGreater;
    case Op::kLessEqual:
      return Op::kGreaterEqual;
    case Op::kGreater:
      return Op::kLess;
    case Op::kGreaterEqual:
      return Op::kLessEqual;
    default:
      return op;
  }
}

std::string_view Expected(Type type) {
  switch (type) {
    case Type::kInteger:
      return "a whole number";
    case Type::kNumber:
      return "a number";
    case Type::kBytes:
      return "a size: 512, 10MiB, 2GB";
    case Type::kDuration:
      return "a duration: 90s, 1h30m, 2d";
    case Type::kTime:
      return "a time (2026-03-01, 2026-03-01T12:00:00Z) or an age (2h, 3d)";
    case Type::kBoolean:
      return "true or false";
    default:
      return "text";
  }
}

// A JSON value has its type by itself: what is quoted is text, what looks like a number is one.
Operand JsonOperand(const Literal& literal) {
  if (literal.quoted) return literal.text;
  if (literal.text == "true") return true;
  if (literal.text == "false") return false;
  if (const auto number = ParseNumber(literal.text)) return *number;
  return literal.text;
}

Operand NumberOperand(std::string_view text) {
  if (const auto integer = ParseInteger(text)) return *integer;
  if (const auto number = ParseNumber(text)) return *number;
  return {};
}

class Checker {
 public:
  Checker(std::string_view text, const FieldTable& table, absl::Time now)
      : text_(text), table_(table), now_(now) {}

  absl::StatusOr<Condition> Run(const Node& node, bool holds) const {
    if (node.kind == Node::Kind::kNot) return Run(node.children.at(0), !holds);
    Condition condition;
    if (node.kind == Node::Kind::kTest) {
      condition.kind = Condition::Kind::kLeaf;
      DET_ASSIGN_OR_RETURN(condition.leaf, CheckTest(node.test));
      if (!holds) condition.leaf.holds = !condition.leaf.holds;
      return condition;
    }
    const bool all = (node.kind == Node::Kind::kAnd) == holds;
    condition.kind = all ? Condition::Kind::kAll : Condition::Kind::kAny;
    for (const Node& child : node.children) {
      DET_ASSIGN_OR_RETURN(condition.parts.emplace_back(), Run(child, holds));
    }
    return condition;
  }

 private:
  absl::StatusOr<Leaf> CheckTest(const Test& test) const {
    Leaf leaf{.op = test.op};
    absl::StatusOr<FieldPath> found = FindField(table_, test.field);
    if (!found.ok()) {
      return ErrorAt(
          text_, test.field_span, FromAbsl(found.status().message()), ErrorHint(found.status()));
    }
    leaf.at = *std::move(found);
    if (leaf.op == Op::kNotEqual) {
      leaf.op = Op::kEqual;
      leaf.holds = false;
    }
    DET_RETURN_IF_ERROR(CheckOp(test, leaf));
    for (const Literal& literal : test.values) {
      DET_ASSIGN_OR_RETURN(leaf.values.emplace_back(), ToOperand(literal, &leaf));
    }
    return leaf;
  }

  absl::Status CheckOp(const Test& test, const Leaf& leaf) const {
    const Field& field = *leaf.at.field;
    const bool fits =
        (!IsTextual(leaf.op) || HasText(field.type)) &&
        (!IsOrder(leaf.op) || (field.type != Type::kBoolean && field.type != Type::kTextList));
    if (fits) return absl::OkStatus();
    const std::string_view ops = IsTextual(leaf.op) && field.type != Type::kBoolean
                                     ? "=, !=, <, <=, >, >= and in"
                                 : field.type == Type::kTextList ? "=, !=, ~, =~ and in"
                                                                 : "=, != and in";
    return ErrorAt(text_,
                   test.op_span,
                   StrCat(field.name,
                          " is ",
                          field.type == Type::kTextList ? "a list" : Expected(field.type),
                          ": ",
                          Name(test.op),
                          " does not compare that"),
                   StrCat("for ", field.name, " there are ", ops));
  }

  absl::StatusOr<Operand> ToOperand(const Literal& literal, Leaf* leaf) const {
    const Field& field = *leaf->at.field;
    if (leaf->op == Op::kMatches) return Regex(literal, leaf);
    if (!literal.quoted && IsKeyword(literal.text, "null")) {
      if (leaf->op == Op::kEqual || leaf->op == Op::kIn) return Operand();
      return ErrorAt(
          text_, literal.span, "nothing is more or less than null", "write = null or != null");
    }
    if (leaf->op == Op::kContains) return Operand(literal.text);
    switch (field.type) {
      case Type::kText:
        return Choice(literal, field);
      case Type::kTextList:
        return Operand(literal.text);
      case Type::kJson:
        return JsonOperand(literal);
      case Type::kTime:
        return TimeOperand(literal, leaf);
      default:
        return Plain(literal, field);
    }
  }

  // Numbers, sizes, durations and booleans.
  absl::StatusOr<Operand> Plain(const Literal& literal, const Field& field) const {
    Operand operand;
    if (field.type == Type::kBoolean) {
      if (const auto value = ParseBoolean(literal.text)) operand = *value;
    } else if (field.type == Type::kBytes) {
      if (const auto value = ParseBytes(literal.text)) operand = *value;
    } else if (field.type == Type::kDuration) {
      if (const auto value = ParseDuration(literal.text)) operand = absl::ToDoubleSeconds(*value);
    } else {
      operand = NumberOperand(literal.text);
    }
    if (!std::holds_alternative<std::monostate>(operand)) return operand;
    return WrongType(literal, field);
  }

  absl::StatusOr<Operand> TimeOperand(const Literal& literal, Leaf* leaf) const {
    if (const auto time = ParseTime(literal.text, now_)) return Operand(*time);
    const auto age = ParseDuration(literal.text);
    if (!age.has_value()) return WrongType(literal, *leaf->at.field);
    if (!IsOrder(leaf->op)) {
      return ErrorAt(text_,
                     literal.span,
                     StrCat("no time is exactly ", literal.text, " ago"),
                     StrCat("compare an age by < or >, as in ", leaf->at.field->name, " < 2h"));
    }
    leaf->op = Mirrored(leaf->op);
    return Operand(StorableTime(now_ - *age));
  }

  absl::StatusOr<Operand> Choice(const Literal& literal, const Field& field) const {
    if (field.choices.empty()) return Operand(literal.text);
    std::string upper = literal.text;
    std::transform(upper.begin(), upper.end(), upper.begin(), [](char c) {
      return static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    });
    for (const std::string& choice : field.choices) {
      if (choice == upper) return Operand(choice);
    }
    constexpr size_t kWordBytesMax = 64;
    const std::string nearest =
        upper.size() > kWordBytesMax ? std::string() : Nearest(upper, field.choices);
    return ErrorAt(
        text_,
        literal.span,
        StrCat("there is no ", field.name, " ", QuoteJson(CutUtf8(literal.text, kWordBytesMax))),
        nearest.empty() ? StrCat("there are ", StrJoin(field.choices, ", "))
                        : StrCat("did you mean ", nearest, "?"));
  }

  absl::StatusOr<Operand> Regex(const Literal& literal, Leaf* leaf) const {
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(kRegexBytesMax);
    const auto regex = std::make_shared<const re2::RE2>(literal.text, options);
    if (!regex->ok()) {
      return ErrorAt(text_,
                     literal.span,
                     StrCat("the regular expression can't be read: ", regex->error()),
                     "the syntax is RE2's: https://github.com/google/re2/wiki/Syntax");
    }
    leaf->regex = regex;
    return Operand(literal.text);
  }

  absl::Status WrongType(const Literal& literal, const Field& field) const {
    constexpr size_t kShownMax = 64;
    return ErrorAt(text_,
                   literal.span,
                   StrCat(field.name,
                          " is ",
                          Expected(field.type),
                          "; ",
                          QuoteJson(CutUtf8(literal.text, kShownMax)),
                          " is none"));
  }

  const std::string_view text_;
  const FieldTable& table_;
  const absl::Time now_;
};

}  // namespace

absl::StatusOr<Condition> Check(std::string_view text,
                                const Node& node,
                                const FieldTable& table,
                                absl::Time now) {
  return Checker(text, table, now).Run(node, true);
}

}  // namespace det::filter
