#include "common/filter/sort.h"

#include <utility>

#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"
#include "common/filter/compare.h"
#include "common/filter/parser.h"
#include "common/filter/sql.h"

namespace det::filter {
namespace {

absl::Status Bad(std::string_view what, std::string_view hint) {
  return Error(absl::StatusCode::kInvalidArgument, "BAD_SORT", what, hint);
}

// What is compared of a record: numbers and what turns into them, or text. Nothing has no order.
Datum Comparable(const Sort::Key& key, const Record& record) {
  Datum datum = record(*key.at.field);
  if (key.at.field->type != Type::kJson) return datum;
  const auto* object = std::get_if<Value>(&datum);
  const Value* part = object == nullptr ? nullptr : PartOf(*object, key.at.path);
  if (part == nullptr) return {};
  if (part->is_number()) return part->as_number();
  if (part->is_string()) return part->as_string();
  return {};
}

// Both hold a value.
int CompareData(const Datum& a, const Datum& b, bool descending) {
  // Numbers of JSON before its texts, whatever the direction.
  if (a.index() != b.index()) return a.index() < b.index() ? -1 : 1;
  const int order = std::visit(
      [&](const auto& left) {
        using T = std::decay_t<decltype(left)>;
        const T& right = std::get<T>(b);
        if constexpr (std::is_same_v<T, double>) {
          return CompareNumbers(left, right);
        } else if constexpr (std::is_same_v<T, std::string>) {
          return left.compare(right);
        } else if constexpr (std::is_same_v<T, std::monostate> || std::is_same_v<T, Value>) {
          return 0;
        } else {
          return CompareOrdered(left, right);
        }
      },
      a);
  return descending ? -order : order;
}

absl::StatusOr<Sort::Key> ParseKey(std::string text, const FieldTable& table) {
  Sort::Key key;
  if (text.starts_with('-')) {
    key.descending = true;
    text.erase(0, 1);
  } else if (text.ends_with(":desc")) {
    key.descending = true;
    text.resize(text.size() - 5);
  } else if (text.ends_with(":asc")) {
    text.resize(text.size() - 4);
  }
  const absl::StatusOr<std::vector<std::string>> parts = ParseField(text);
  if (!parts.ok()) {
    return Bad(StrCat("--sort: ", QuoteJson(CutUtf8(text, 64)), " is no field"),
               "write FIELD, FIELD:desc or -FIELD");
  }
  absl::StatusOr<FieldPath> found = FindField(table, *parts);
  if (!found.ok()) {
    return Bad(StrCat("--sort: ", FromAbsl(found.status().message())), ErrorHint(found.status()));
  }
  key.at = *std::move(found);
  if (key.at.field->type == Type::kTextList) {
    return Bad(StrCat("--sort: ", key.at.field->name, " is a list, which has no order"), "");
  }
  return key;
}

}  // namespace

absl::StatusOr<Sort> Sort::Make(const std::vector<std::string>& keys, const FieldTable& table) {
  if (keys.size() > kKeysMax) {
    return Bad(StrCat("--sort: at most ", kKeysMax, " fields, not ", keys.size()), "");
  }
  Sort sort;
  for (const std::string& key : keys) {
    DET_ASSIGN_OR_RETURN(sort.keys_.emplace_back(), ParseKey(key, table));
  }
  return sort;
}

int Sort::Compare(const Record& a, const Record& b) const {
  for (const Key& key : keys_) {
    const Datum left = Comparable(key, a);
    const Datum right = Comparable(key, b);
    const bool left_none = std::holds_alternative<std::monostate>(left);
    const bool right_none = std::holds_alternative<std::monostate>(right);
    if (left_none || right_none) {
      if (left_none != right_none) return left_none ? 1 : -1;
      continue;
    }
    if (const int order = CompareData(left, right, key.descending); order != 0) return order;
  }
  return 0;
}

Sql Sort::ToSql(int first) const {
  Sql sql;
  for (const Key& key : keys_) {
    const Field& field = *key.at.field;
    const auto add = [&](const std::string& term) {
      StrAppend(sql.text,
                sql.text.empty() ? "" : ", ",
                term,
                key.descending ? " DESC" : "",
                // An index of a column that is never NULL knows nothing of NULLS LAST.
                field.required ? "" : " NULLS LAST");
    };
    if (field.type == Type::kText) {
      add(StrCat(field.sql, " COLLATE \"C\""));
    } else if (field.type == Type::kJson) {
      std::string part = field.sql;
      for (const std::string& name : key.at.path) {
        sql.parameters.push_back(name);
        StrAppend(part, " -> $", first++, "::text");
      }
      part = StrCat("(", part, ")");
      add(JsonNumber(part));
      add(StrCat("(CASE WHEN jsonb_typeof(",
                 part,
                 ") = 'string' THEN ",
                 part,
                 " #>> '{}' END) COLLATE \"C\""));
    } else {
      add(field.sql);
    }
  }
  return sql;
}

}  // namespace det::filter
