#include "cli/format/table.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

std::string CsvField(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out.push_back('"');
    out.push_back(c);
  }
  out.push_back('"');
  return out;
}

std::string TsvField(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '\t') {
      out.append("\\t");
    } else if (c == '\n') {
      out.append("\\n");
    } else if (c == '\r') {
      out.append("\\r");
    } else if (c == '\\') {
      out.append("\\\\");
    } else {
      out.push_back(c);
    }
  }
  return out;
}

template <class Field>
std::string Separated(const Table& table, bool header, std::string_view separator, Field field) {
  std::string out;
  if (header) {
    out = StrJoin(table.columns, separator, [&](const Column& column) { return column.name; });
    out.push_back('\n');
  }
  for (const auto& row : table.rows) {
    out.append(StrJoin(row, separator, [&](const Cell& cell) { return field(ExactText(cell)); }));
    out.push_back('\n');
  }
  return out;
}

}  // namespace

std::string CsvText(const Table& table, bool header) {
  return Separated(table, header, ",", CsvField);
}

std::string TsvText(const Table& table, bool header) {
  return Separated(table, header, "\t", TsvField);
}

std::string NamesText(const Table& table) {
  std::string out;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    if (table.columns[i].name != table.key) continue;
    for (const auto& row : table.rows) StrAppend(out, ExactText(row[i]), "\n");
  }
  return out;
}

}  // namespace det::cli
