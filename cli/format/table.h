#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"

#include "cli/format/cell.h"
#include "cli/format/style.h"

namespace det::cli {

enum class Align { kLeft, kRight };

// Where a column appears; --columns shows any.
enum class Visible {
  kAlways,
  kPeople,   // in tables only: it joins others that machines get apart
  kMachines  // in CSV and TSV only
};

struct Column {
  std::string name;  // snake_case, as in JSON; capitals in a table's header
  Align align = Align::kLeft;
  Visible visible = Visible::kAlways;
  bool shrinks = false;  // gives way first where the terminal is too narrow
  bool wraps = false;    // over lines of its own, rather than being cut off
  int rank = 0;          // then those with the highest rank are left out; 0 stays
};

struct Table {
  std::vector<Column> columns;
  std::vector<std::vector<Cell>> rows;  // as many cells as columns
  std::string key;                      // the column that `-o name` prints
};

// How the user wants tables: see the global options.
struct TableOptions {
  bool header = true;
  std::vector<std::string> columns;  // empty: those that are visible
  std::string sort;                  // "name" ascending, "-name" or "name:desc" descending
};

// Keeps the columns that `options` or their visibility ask for, in the order asked for, and sorts
// the rows. Errors: INVALID_ARGUMENT (reason USAGE) for a column that there isn't, with the
// nearest.
absl::Status Arrange(const TableOptions& options, bool for_people, Table* table);

// Aligned columns, two spaces apart. Truncated only where `terminal` is one.
std::string TableText(const Table& table, bool header, const Terminal& terminal, absl::Time now);

// RFC 4180 with a line feed at each end of line.
std::string CsvText(const Table& table, bool header);
// Tabs, line feeds and backslashes in values are \t, \n and \\.
std::string TsvText(const Table& table, bool header);
// The cells of the key column, one a line.
std::string NamesText(const Table& table);

}  // namespace det::cli
