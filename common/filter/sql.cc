#include "common/filter/sql.h"

#include <utility>

#include "common/base/overload.h"
#include "common/base/strings.h"
#include "common/base/value.h"
#include "common/filter/compare.h"
#include "common/filter/filter.h"

namespace det::filter {
namespace {

// Writes a condition; what it returns holds no value of the user's.
class Writer {
 public:
  explicit Writer(int first) : next_(first) {}

  std::string All(const Condition& condition) {
    if (condition.kind == Condition::Kind::kLeaf) return LeafText(condition.leaf);
    if (condition.parts.empty()) return "true";
    const std::string_view join = condition.kind == Condition::Kind::kAll ? " AND " : " OR ";
    return StrCat(
        "(", StrJoin(condition.parts, join, [&](const Condition& part) { return All(part); }), ")");
  }

  std::string JsonPart(const FieldPath& at) {
    std::string part = at.field->sql;
    for (const std::string& key : at.path) StrAppend(part, " -> ", Bind(key, "text"));
    return StrCat("(", part, ")");
  }

  std::string Bind(std::string value, std::string_view type) {
    sql_.parameters.push_back(std::move(value));
    return StrCat("$", next_++, "::", type);
  }

  Sql Take(std::string text) {
    sql_.text = std::move(text);
    return std::move(sql_);
  }

 private:
  // NULL counts as false below AND and OR alone; a not has to turn it into true.
  std::string LeafText(const Leaf& leaf) {
    if (leaf.op == Op::kMatches) {
      sql_.exact = false;
      return "true";
    }
    const std::string text = Positive(leaf);
    return leaf.holds ? text : StrCat("(", text, ") IS NOT TRUE");
  }

  std::string Positive(const Leaf& leaf) {
    if (leaf.at.field->type == Type::kTextList) return ListText(leaf);
    if (leaf.values.size() == 1) return SingleText(leaf, leaf.values[0]);
    return StrCat(
        "(",
        StrJoin(
            leaf.values, " OR ", [&](const Operand& operand) { return SingleText(leaf, operand); }),
        ")");
  }

  std::string SingleText(const Leaf& leaf, const Operand& operand) {
    if (leaf.at.field->type == Type::kJson) return JsonText(leaf, operand);
    const std::string& sql = leaf.at.field->sql;
    if (std::holds_alternative<std::monostate>(operand)) return StrCat(sql, " IS NULL");
    if (const auto* integer = std::get_if<int64_t>(&operand);
        integer != nullptr && leaf.at.field->type != Type::kNumber) {
      return StrCat(sql, Operator(leaf.op), Bind(StrCat(*integer), "bigint"));
    }
    if (std::holds_alternative<double>(operand) || std::holds_alternative<int64_t>(operand)) {
      return StrCat(sql, "::float8", Operator(leaf.op), Number(operand));
    }
    if (const auto* time = std::get_if<absl::Time>(&operand)) {
      return StrCat(sql, Operator(leaf.op), Bind(TimeText(*time), "timestamptz"));
    }
    if (const auto* boolean = std::get_if<bool>(&operand)) {
      return StrCat(sql, Operator(leaf.op), *boolean ? "true" : "false");
    }
    return TextText(sql, leaf.op, std::get<std::string>(operand));
  }

  // Equality is the same by every collation, and that of the column has the index.
  std::string TextText(const std::string& sql, Op op, const std::string& value) {
    if (op == Op::kEqual || op == Op::kIn) return StrCat(sql, " = ", Bind(value, "text"));
    if (op == Op::kContains) {
      return StrCat(
          "strpos(lower(", sql, " COLLATE \"C\"), ", Bind(LowerAscii(value), "text"), ") > 0");
    }
    return StrCat(sql, " COLLATE \"C\"", Operator(op), Bind(value, "text"));
  }

  std::string ListText(const Leaf& leaf) {
    const std::string& sql = leaf.at.field->sql;
    return StrCat("(",
                  StrJoin(leaf.values,
                          " OR ",
                          [&](const Operand& operand) -> std::string {
                            const auto* text = std::get_if<std::string>(&operand);
                            if (text == nullptr)
                              return StrCat("coalesce(cardinality(", sql, "), 0) = 0");
                            if (leaf.op != Op::kContains)
                              return StrCat(sql, " @> ARRAY[", Bind(*text, "text"), "]");
                            return StrCat("EXISTS (SELECT 1 FROM unnest(",
                                          sql,
                                          ") AS item WHERE ",
                                          TextText("item", leaf.op, *text),
                                          ")");
                          }),
                  ")");
  }

  std::string JsonText(const Leaf& leaf, const Operand& operand) {
    const std::string part = JsonPart(leaf.at);
    if (std::holds_alternative<std::monostate>(operand)) {
      return StrCat("coalesce(jsonb_typeof(", part, "), 'null') = 'null'");
    }
    if (const auto* boolean = std::get_if<bool>(&operand)) {
      // Of booleans false comes first, as it does in PostgreSQL.
      return StrCat("CASE WHEN jsonb_typeof(",
                    part,
                    ") = 'boolean' THEN ",
                    part,
                    "::boolean",
                    Operator(leaf.op),
                    *boolean ? "true" : "false",
                    " END");
    }
    if (const auto* text = std::get_if<std::string>(&operand)) {
      const std::string inner = StrCat("(", part, " #>> '{}')");
      return StrCat("CASE WHEN jsonb_typeof(",
                    part,
                    ") = 'string' THEN ",
                    TextText(inner, leaf.op, *text),
                    " END");
    }
    return StrCat(JsonNumber(part), Operator(leaf.op), Number(operand));
  }

  std::string Number(const Operand& operand) {
    const auto* integer = std::get_if<int64_t>(&operand);
    return Bind(FormatDouble(integer != nullptr ? static_cast<double>(*integer)
                                                : std::get<double>(operand)),
                "float8");
  }

  static std::string Operator(Op op) { return op == Op::kIn ? " = " : StrCat(" ", Name(op), " "); }

  static std::string TimeText(absl::Time time) {
    return absl::FormatTime("%E4Y-%m-%d%ET%H:%M:%E6SZ", time, absl::UTCTimeZone());
  }

  int next_;
  Sql sql_;
};

}  // namespace

std::string JsonNumber(const std::string& part) {
  return StrCat(
      "(CASE WHEN jsonb_typeof(", part, ") = 'number' THEN (", part, " #>> '{}')::float8 END)");
}

Sql Filter::ToSql(int first) const {
  Writer writer(first);
  std::string text = writer.All(root_);
  return writer.Take(std::move(text));
}

}  // namespace det::filter
