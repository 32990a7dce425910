#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "absl/time/time.h"

#include "cli/format/style.h"

namespace det::cli {

// What a column of a table holds. The type says how it is shown: to people (Pretty), and exactly.
struct StateName {
  std::string name;
};
struct Fraction {  // 0..1, shown as percent
  double value = 0;
};
struct Bytes {
  int64_t count = 0;
};
using Cell = std::variant<std::monostate,  // nothing: "-" for people, empty in CSV
                          std::string,
                          int64_t,
                          double,
                          absl::Time,
                          StateName,
                          Fraction,
                          Bytes>;

// The time of a proto field, or nothing for "not yet".
Cell TimeCell(int64_t unix_nanos);
// The number, or nothing for 0, which means "none" for ids.
Cell IdCell(int64_t id);
// The number, or nothing where there is none.
Cell NumberCell(bool present, double number);
// The text, or nothing when it is empty.
Cell TextCell(std::string text);

// For CSV: numbers and times in full, no colour, nothing escaped.
std::string ExactText(const Cell& cell);

// For people. On a terminal times are relative to `now`; controls are escaped everywhere, as what
// is piped into a pager ends on a terminal as well.
std::string PrettyText(const Cell& cell, const Terminal& terminal, absl::Time now);

Style CellStyle(const Cell& cell);

// An order within one column: nothing comes last.
bool CellLess(const Cell& a, const Cell& b);

}  // namespace det::cli
