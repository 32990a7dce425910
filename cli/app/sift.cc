#include "cli/app/sift.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "common/base/overload.h"
#include "common/base/status.h"
#include "common/filter/filter.h"
#include "common/filter/literal.h"
#include "common/filter/sort.h"

namespace det::cli {
namespace {

using filter::Datum;
using filter::Type;

bool IsEmpty(const Cell& cell) {
  return std::holds_alternative<std::monostate>(cell);
}

Type TypeOf(const Cell& cell) {
  return std::visit(overloaded{[](const std::string& text) {
                                 return text == "yes" || text == "no" ? Type::kBoolean
                                                                      : Type::kText;
                               },
                               [](int64_t) { return Type::kInteger; },
                               [](double) { return Type::kNumber; },
                               [](absl::Time) { return Type::kTime; },
                               [](const Fraction&) { return Type::kNumber; },
                               [](const Bytes&) { return Type::kBytes; },
                               [](const auto&) { return Type::kText; }},
                    cell);
}

// What its cells are; text where there are none, or different ones.
Type TypeOfColumn(const Table& table, size_t column) {
  bool found = false;
  Type type = Type::kText;
  for (const std::vector<Cell>& row : table.rows) {
    if (IsEmpty(row[column])) continue;
    const Type one = TypeOf(row[column]);
    if (found && one != type) return Type::kText;
    type = one;
    found = true;
  }
  return type;
}

Datum DatumOf(const Cell& cell, Type type) {
  if (type == Type::kBoolean && !IsEmpty(cell)) return std::get<std::string>(cell) == "yes";
  return std::visit(
      overloaded{[](std::monostate) { return Datum(); },
                 [](const std::string& text) { return text.empty() ? Datum() : Datum(text); },
                 [](const StateName& state) { return Datum(state.name); },
                 [](const Fraction& fraction) { return Datum(fraction.value); },
                 [](const Bytes& bytes) { return Datum(bytes.count); },
                 [](const auto& value) { return Datum(value); }},
      cell);
}

filter::FieldTable FieldsOf(const Table& table) {
  std::vector<filter::Field> fields;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    const Type type = TypeOfColumn(table, i);
    fields.push_back({.name = table.columns[i].name, .type = type});
  }
  return {"an item of this list", std::move(fields)};
}

// Keeps the rows, and the items of the document, that `order` names.
void Keep(const std::vector<size_t>& order, Report* report) {
  std::vector<std::vector<Cell>> rows;
  Document::List items;
  for (const size_t i : order) {
    rows.push_back(std::move(report->table.rows[i]));
    items.push_back(std::move(report->document.list()[i]));
  }
  report->table.rows = std::move(rows);
  report->document = std::move(items);
}

}  // namespace

absl::Status Sift(const ListAsk& ask, absl::Time now, Report* report, bool* more) {
  const filter::FieldTable fields = FieldsOf(report->table);
  DET_ASSIGN_OR_RETURN(const filter::Filter filter, filter::Filter::Make(ask.filter, fields, now));
  DET_ASSIGN_OR_RETURN(const filter::Sort sort, filter::Sort::Make(ask.sort, fields));
  const auto record = [&](size_t row) -> filter::Record {
    return [&fields, &cells = report->table.rows[row]](const filter::Field& field) {
      return DatumOf(cells[static_cast<size_t>(&field - fields.fields().data())], field.type);
    };
  };
  std::vector<size_t> order(report->table.rows.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::erase_if(order, [&](size_t row) { return !filter.Matches(record(row)); });
  if (!sort.empty()) {
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return sort.Compare(record(a), record(b)) < 0;
    });
  }
  ask.Cut(&order);
  if (static_cast<int64_t>(order.size()) > ask.limit) {
    order.resize(static_cast<size_t>(ask.limit));
    *more = true;
  }
  Keep(order, report);
  return absl::OkStatus();
}

absl::StatusOr<ExitCode> ShowSifted(Context& context,
                                    Report report,
                                    const ListAsk& ask,
                                    bool more) {
  DET_RETURN_IF_ERROR(Sift(ask, context.Now(), &report, &more));
  const size_t shown = report.table.rows.size();
  DET_RETURN_IF_ERROR(context.Show(std::move(report)));
  NoteMore(context, shown, more);
  return ExitCode::kOk;
}

}  // namespace det::cli
