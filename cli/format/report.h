#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"

#include "cli/format/document.h"
#include "cli/format/table.h"

namespace det::cli {

enum class Format { kTable, kWide, kJson, kJsonl, kYaml, kCsv, kTsv, kName, kTemplate };

// Tables; the other formats are for programs.
constexpr bool IsForPeople(Format format) {
  return format == Format::kTable || format == Format::kWide;
}

// "state   ACTIVE" and so on, the labels aligned.
using Fields = std::vector<std::pair<std::string, Cell>>;

// A part of what a verb shows to people. A title and an empty line set it apart from what precedes.
struct Section {
  std::string title;  // may be empty
  std::variant<Fields, Table, std::string> content;
};

// What a verb has found out, in the three shapes in which it may be asked for. With --columns every
// format shows the table's columns, and those that are paths into the items of the document.
struct Report {
  Document document;              // json, jsonl, yaml, template
  Table table;                    // csv, tsv, name; table where there are no sections
  std::vector<Section> sections;  // table, wide
};

struct ReportOptions {
  Format format = Format::kTable;
  std::string text;  // of kTemplate
  TableOptions table;
  Terminal terminal;  // of the standard output
  absl::Time now;
};

// The report as text, ready to be written. Errors: INVALID_ARGUMENT for a column that there isn't.
absl::StatusOr<std::string> Render(Report report, const ReportOptions& options);

}  // namespace det::cli
