#include "bench/base/row.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "common/base/strings.h"

namespace det::bench {
namespace {

constexpr size_t kColumns = 7;
using Cells = std::array<std::string, kColumns>;

// Three digits that count, without an exponent: 0.0123, 1.23, 123, 123456.
std::string Short(double value) {
  const double size = std::fabs(value);
  int decimals = 0;
  if (size < 100) decimals = size >= 10 ? 1 : size >= 1 ? 2 : 3;
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", decimals, value);
  return text.data();
}

std::string Short(const std::optional<double>& value) {
  return value.has_value() ? Short(*value) : "";
}

Cells CellsOf(const Row& row) {
  const std::optional<bool> holds = Holds(row);
  return {row.name,
          Short(row.value),
          row.unit,
          Short(row.floor),
          Short(Ratio(row)),
          GoalText(row),
          !holds.has_value() ? ""
          : *holds           ? "yes"
                             : "NO"};
}

std::string Line(const Cells& cells, const std::array<size_t, kColumns>& widths) {
  std::string line;
  for (size_t i = 0; i < kColumns; ++i) {
    const std::string pad(widths[i] - cells[i].size(), ' ');
    const bool number = i == 1 || i == 3 || i == 4;
    StrAppend(line, number ? pad : "", cells[i], number ? "" : pad, i + 1 < kColumns ? "  " : "");
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

Value OrNull(const std::optional<double>& value) {
  return value.has_value() && std::isfinite(*value) ? Value(*value) : Value();
}

}  // namespace

std::optional<double> Ratio(const Row& row) {
  if (!row.floor.has_value() || *row.floor == 0) return std::nullopt;
  return row.value / *row.floor;
}

std::optional<bool> Holds(const Row& row) {
  switch (row.goal.kind) {
    case Goal::Kind::kNone:
      return std::nullopt;
    case Goal::Kind::kAtMost:
      return row.value <= row.goal.bound;
    case Goal::Kind::kAtLeast:
      return row.value >= row.goal.bound;
    case Goal::Kind::kRatioAtMost:
      return Ratio(row).has_value() && *Ratio(row) <= row.goal.bound;
    case Goal::Kind::kRatioAtLeast:
      return Ratio(row).has_value() && *Ratio(row) >= row.goal.bound;
    case Goal::Kind::kBeyondAtMost:
      return row.floor.has_value() && row.value - *row.floor <= row.goal.bound;
  }
  return std::nullopt;
}

std::string GoalText(const Row& row) {
  const std::string bound = StrCat(row.goal.bound);
  switch (row.goal.kind) {
    case Goal::Kind::kNone:
      return "";
    case Goal::Kind::kAtMost:
      return StrCat("at most ", bound, " ", row.unit);
    case Goal::Kind::kAtLeast:
      return StrCat("at least ", bound, " ", row.unit);
    case Goal::Kind::kRatioAtMost:
      return StrCat("at most ", bound, " x floor");
    case Goal::Kind::kRatioAtLeast:
      return StrCat("at least ", bound, " x floor");
    case Goal::Kind::kBeyondAtMost:
      return StrCat("at most floor + ", bound, " ", row.unit);
  }
  return "";
}

std::string Table(const std::vector<Row>& rows) {
  std::vector<Cells> lines = {{"name", "value", "unit", "floor", "ratio", "goal", "holds"}};
  for (const Row& row : rows) lines.push_back(CellsOf(row));
  std::array<size_t, kColumns> widths{};
  for (const Cells& cells : lines) {
    for (size_t i = 0; i < kColumns; ++i) widths[i] = std::max(widths[i], cells[i].size());
  }
  std::string text = Line(lines[0], widths);
  for (size_t i = 0; i < rows.size(); ++i) {
    text += Line(lines[i + 1], widths);
    if (!rows[i].note.empty()) StrAppend(text, "    ", rows[i].note, "\n");
  }
  return text;
}

Value ToValue(const Row& row) {
  Value value;
  value["name"] = row.name;
  value["value"] = OrNull(row.value);
  value["unit"] = row.unit;
  value["floor"] = OrNull(row.floor);
  value["ratio"] = OrNull(Ratio(row));
  value["goal"] = GoalText(row);
  value["holds"] = Holds(row).has_value() ? Value(*Holds(row)) : Value();
  value["note"] = row.note;
  return value;
}

}  // namespace det::bench
