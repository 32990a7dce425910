#include "cli/format/table.h"

#include <algorithm>
#include <cctype>

#include "cli/format/width.h"
#include "cli/format/wrap.h"
#include "common/base/check.h"
#include "common/base/nearest.h"
#include "common/base/status.h"
#include "common/base/strings.h"
#include "common/base/value.h"

namespace det::cli {
namespace {

std::vector<std::string> Names(const Table& table) {
  std::vector<std::string> names;
  for (const Column& column : table.columns) names.push_back(column.name);
  return names;
}

absl::StatusOr<size_t> FindColumn(const Table& table, const std::string& name) {
  for (size_t i = 0; i < table.columns.size(); ++i) {
    if (table.columns[i].name == name) return i;
  }
  const std::string nearest = Nearest(name, Names(table));
  return Error(absl::StatusCode::kInvalidArgument,
               "USAGE",
               StrCat("there is no column ", QuoteJson(name)),
               nearest.empty() ? StrCat("the columns are ", StrJoin(Names(table), ", "))
                               : StrCat("did you mean ", nearest, "?"));
}

void Keep(const std::vector<size_t>& columns, Table* table) {
  Table kept{.key = table->key};
  for (const size_t i : columns) kept.columns.push_back(table->columns[i]);
  for (const auto& row : table->rows) {
    std::vector<Cell> cells;
    for (const size_t i : columns) cells.push_back(row[i]);
    kept.rows.push_back(std::move(cells));
  }
  *table = std::move(kept);
}

absl::Status Sort(std::string by, Table* table) {
  bool descending = false;
  if (by.starts_with("-")) {
    descending = true;
    by.erase(0, 1);
  } else if (by.ends_with(":desc")) {
    descending = true;
    by.resize(by.size() - 5);
  }
  DET_ASSIGN_OR_RETURN(const size_t column, FindColumn(*table, by));
  std::stable_sort(table->rows.begin(), table->rows.end(), [&](const auto& a, const auto& b) {
    const bool a_empty = std::holds_alternative<std::monostate>(a[column]);
    const bool b_empty = std::holds_alternative<std::monostate>(b[column]);
    // What has no value stays last in both directions.
    if (a_empty || b_empty) return !a_empty && b_empty;
    return descending ? CellLess(b[column], a[column]) : CellLess(a[column], b[column]);
  });
  return absl::OkStatus();
}

std::vector<size_t> VisibleColumns(const Table& table, bool for_people) {
  std::vector<size_t> visible;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    const Visible to = table.columns[i].visible;
    if (to == (for_people ? Visible::kMachines : Visible::kPeople)) continue;
    visible.push_back(i);
  }
  return visible;
}

std::string Capitals(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    return static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  });
  return name;
}

// A table as text, before it is cut to the terminal.
struct Grid {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
  std::vector<int> widths;

  int Width() const {
    int width = widths.empty() ? 0 : 2 * (static_cast<int>(widths.size()) - 1);
    for (const int column : widths) width += column;
    return width;
  }
};

Grid Layout(const Table& table, bool header, const Terminal& terminal, absl::Time now) {
  Grid grid;
  for (const Column& column : table.columns) {
    grid.header.push_back(Capitals(column.name));
    grid.widths.push_back(header ? DisplayWidth(grid.header.back()) : 0);
  }
  for (const auto& row : table.rows) {
    std::vector<std::string> cells;
    for (size_t i = 0; i < row.size(); ++i) {
      cells.push_back(PrettyText(row[i], terminal, now));
      grid.widths[i] = std::max(grid.widths[i], DisplayWidth(cells.back()));
    }
    grid.rows.push_back(std::move(cells));
  }
  return grid;
}

// The width of the table when what may shrink has shrunk as far as it is still worth reading.
int LeastWidth(const Table& table, const Grid& grid) {
  constexpr int kReadable = 16;
  int width = grid.Width();
  for (size_t i = 0; i < table.columns.size(); ++i) {
    if (table.columns[i].shrinks) width -= std::max(0, grid.widths[i] - kReadable);
  }
  return width;
}

// Leaves out the least important column, if there is one that may be left out.
bool LeaveOut(Table* table) {
  const auto at = std::max_element(
      table->columns.begin(), table->columns.end(), [](const Column& a, const Column& b) {
        return a.rank < b.rank;
      });
  if (at == table->columns.end() || at->rank == 0) return false;
  const auto index = at - table->columns.begin();
  table->columns.erase(at);
  for (auto& row : table->rows) row.erase(row.begin() + index);
  return true;
}

// Takes columns from the widest that may shrink until the table fits or none has more to give.
void Shrink(const Table& table, int width_max, Grid* grid) {
  constexpr int kWidthMin = 8;
  while (grid->Width() > width_max) {
    size_t widest = table.columns.size();
    for (size_t i = 0; i < table.columns.size(); ++i) {
      if (!table.columns[i].shrinks || grid->widths[i] <= kWidthMin) continue;
      if (widest == table.columns.size() || grid->widths[i] > grid->widths[widest]) widest = i;
    }
    if (widest == table.columns.size()) return;
    --grid->widths[widest];
  }
}

class GridPrinter {
 public:
  GridPrinter(const Table& table, const Grid& grid, const Terminal& terminal)
      : table_(table), grid_(grid), terminal_(terminal) {}

  std::string Header() {
    return Line(grid_.header, [](size_t) { return Style::kBold; });
  }
  std::string Row(size_t row) {
    const auto style = [&](size_t i) { return CellStyle(table_.rows[row][i]); };
    std::vector<std::string> cells = grid_.rows[row];
    std::vector<std::vector<std::string>> rest(cells.size());
    size_t lines = 1;
    for (size_t i = 0; i < cells.size() && terminal_.tty; ++i) {
      if (!table_.columns[i].wraps || DisplayWidth(cells[i]) <= grid_.widths[i]) continue;
      rest[i] = WrapLines(cells[i], grid_.widths[i]);
      cells[i] = rest[i][0];
      lines = std::max(lines, rest[i].size());
    }
    std::string out = Line(cells, style);
    for (size_t line = 1; line < lines; ++line) {
      for (size_t i = 0; i < cells.size(); ++i) {
        cells[i] = line < rest[i].size() ? rest[i][line] : std::string();
      }
      out.append(Line(cells, style));
    }
    return out;
  }

 private:
  template <class StyleOf>
  std::string Line(const std::vector<std::string>& cells, StyleOf style_of) {
    std::string line;
    int room = terminal_.tty ? terminal_.width : INT32_MAX;
    for (size_t i = 0; i < cells.size() && room > 0; ++i) {
      const bool last = i + 1 == cells.size();
      const int width = std::min(grid_.widths[i], room);
      std::string text = terminal_.tty ? Truncate(cells[i], width, terminal_.utf8) : cells[i];
      const std::string padding(static_cast<size_t>(std::max(0, width - DisplayWidth(text))), ' ');
      const bool right = table_.columns[i].align == Align::kRight;
      text = Paint(text, style_of(i), terminal_.color);
      line.append(right ? padding + text : last ? text : text + padding);
      if (!last) line.append("  ");
      room -= width + 2;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    return line.append("\n");
  }

  const Table& table_;
  const Grid& grid_;
  const Terminal& terminal_;
};

}  // namespace

absl::Status Arrange(const TableOptions& options, bool for_people, Table* table) {
  for (const auto& row : table->rows) DET_CHECK(row.size() == table->columns.size());
  if (!options.sort.empty()) DET_RETURN_IF_ERROR(Sort(options.sort, table));
  if (options.columns.empty()) {
    Keep(VisibleColumns(*table, for_people), table);
    return absl::OkStatus();
  }
  std::vector<size_t> columns;
  for (const std::string& name : options.columns) {
    DET_ASSIGN_OR_RETURN(columns.emplace_back(), FindColumn(*table, name));
  }
  Keep(columns, table);
  // Who names columns wants all of them.
  for (Column& column : table->columns) column.rank = 0;
  return absl::OkStatus();
}

std::string TableText(const Table& table, bool header, const Terminal& terminal, absl::Time now) {
  Table shown = table;
  Grid grid = Layout(shown, header, terminal, now);
  if (terminal.tty) {
    while (LeastWidth(shown, grid) > terminal.width && LeaveOut(&shown)) {
      grid = Layout(shown, header, terminal, now);
    }
    Shrink(shown, terminal.width, &grid);
  }
  GridPrinter printer(shown, grid, terminal);
  std::string out = header ? printer.Header() : std::string();
  for (size_t row = 0; row < table.rows.size(); ++row) out.append(printer.Row(row));
  return out;
}

}  // namespace det::cli
