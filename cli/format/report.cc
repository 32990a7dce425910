#include "cli/format/report.h"

#include <algorithm>
#include <charconv>

#include "cli/format/escape.h"
#include "cli/format/quantity.h"
#include "cli/format/template.h"
#include "cli/format/width.h"
#include "cli/format/wrap.h"
#include "common/base/overload.h"
#include "common/base/status.h"
#include "common/base/strings.h"

namespace det::cli {
namespace {

// Lines narrower than that are not worth reading.
constexpr int kRoomMin = 20;

// The text as lines that fit to the right of `indent`; as one where there is no terminal.
std::vector<std::string> Lines(const std::string& text, int indent, const Terminal& terminal) {
  if (!terminal.tty) return {text};
  return WrapLines(text, std::max(kRoomMin, terminal.width - indent));
}

std::string FieldsText(const Fields& fields, const ReportOptions& options) {
  int width = 0;
  for (const auto& [label, cell] : fields) width = std::max(width, DisplayWidth(label));
  std::string out;
  for (const auto& [label, cell] : fields) {
    const std::string value = PrettyText(cell, options.terminal, options.now);
    std::string left = Paint(PadRight(label, width), Style::kDim, options.terminal.color);
    for (const std::string& line : Lines(value, width + 2, options.terminal)) {
      StrAppend(out, left, "  ", Paint(line, CellStyle(cell), options.terminal.color), "\n");
      left.assign(static_cast<size_t>(width), ' ');
    }
  }
  return out;
}

// Prose, its long lines wrapped below what they begin with: "- ".
std::string ProseText(const std::string& text, const Terminal& terminal) {
  const std::string safe = EscapeControls(text, Escape::kProse, terminal.utf8 || !terminal.tty);
  std::string out;
  for (size_t begin = 0; begin < safe.size();) {
    const size_t end = std::min(safe.find('\n', begin), safe.size());
    const std::string line = safe.substr(begin, end - begin);
    const bool fits = !terminal.tty || DisplayWidth(line) <= terminal.width;
    const bool item = line.starts_with("- ");
    const std::string_view body = std::string_view(line).substr(item ? 2 : 0);
    std::string_view lead = item ? "- " : "";
    for (const std::string& part : fits ? std::vector<std::string>{std::string(body)}
                                        : WrapLines(body, std::max(kRoomMin, terminal.width - 2))) {
      StrAppend(out, lead, part, "\n");
      if (item) lead = "  ";
    }
    begin = end + 1;
  }
  return out;
}

absl::StatusOr<std::string> SectionText(Section section, const ReportOptions& options) {
  if (const auto* fields = std::get_if<Fields>(&section.content)) {
    return FieldsText(*fields, options);
  }
  if (const auto* text = std::get_if<std::string>(&section.content)) {
    return ProseText(*text, options.terminal);
  }
  // --columns and --sort speak of the verb's own table, which a section is not.
  Table& table = std::get<Table>(section.content);
  DET_RETURN_IF_ERROR(Arrange({}, true, &table));
  return TableText(table, options.table.header, options.terminal, options.now);
}

absl::StatusOr<std::string> SectionsText(std::vector<Section> sections,
                                         const ReportOptions& options) {
  std::string out;
  for (Section& section : sections) {
    if (!out.empty()) out.push_back('\n');
    if (!section.title.empty()) {
      StrAppend(out, Paint(section.title, Style::kBold, options.terminal.color), "\n");
    }
    DET_ASSIGN_OR_RETURN(const std::string text, SectionText(std::move(section), options));
    out.append(text);
  }
  return out;
}

absl::StatusOr<std::string> RenderTable(Report report, const ReportOptions& options) {
  const bool plain = options.table.columns.empty() && options.table.sort.empty();
  if (!report.sections.empty() && plain) return SectionsText(std::move(report.sections), options);
  const bool wide = options.format == Format::kWide;
  DET_RETURN_IF_ERROR(Arrange(options.table, !wide, &report.table));
  Terminal terminal = options.terminal;
  if (wide) terminal.width = INT32_MAX;
  return TableText(report.table, options.table.header, terminal, options.now);
}

Document CellDocument(const Cell& cell) {
  return std::visit(overloaded{[](std::monostate) { return Document(); },
                               [](const std::string& text) { return Document(ToValidUtf8(text)); },
                               [](int64_t number) { return Document(number); },
                               [](double number) { return Document(number); },
                               [](absl::Time time) { return Document(Rfc3339(time)); },
                               [](const StateName& state) { return Document(state.name); },
                               [](Fraction fraction) { return Document(fraction.value); },
                               [](Bytes bytes) { return Document(bytes.count); }},
                    cell);
}

// Numbers are cells of their own, so that they sort; everything else is text.
Cell DocumentCell(const Document& part) {
  if (const double* number = part.number()) return *number;
  const std::string text = PlainText(part);
  int64_t integer = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), integer);
  const bool whole = result.ec == std::errc() && result.ptr == text.data() + text.size();
  if (part.text() == nullptr && !text.empty() && whole) return integer;
  return text.empty() ? Cell() : Cell(text);
}

// Adds to the table the columns that are paths into the document: hparams.lr.
void AddPaths(const std::vector<std::string>& columns, Report* report) {
  Table& table = report->table;
  if (!report->document.is_list() || report->document.list().size() != table.rows.size()) return;
  const Document::List& items = report->document.list();
  for (const std::string& column : columns) {
    const bool known = std::any_of(table.columns.begin(),
                                   table.columns.end(),
                                   [&](const Column& c) { return c.name == column; });
    // Of no items any path may be one.
    const bool found = items.empty()
                           ? column.find('.') != std::string::npos
                           : std::any_of(items.begin(), items.end(), [&](const Document& item) {
                               return PartOf(item, column.substr(0, column.find('.'))) != nullptr;
                             });
    if (known || !found) continue;
    table.columns.push_back({.name = column});
    for (size_t i = 0; i < items.size(); ++i) {
      const Document* part = PartOf(items[i], column);
      table.rows[i].push_back(part == nullptr ? Cell() : DocumentCell(*part));
    }
  }
}

Document TableDocument(const Table& table) {
  Document::List list;
  for (const auto& row : table.rows) {
    Document::Map map;
    for (size_t i = 0; i < row.size(); ++i) {
      map.emplace_back(table.columns[i].name, CellDocument(row[i]));
    }
    list.emplace_back(std::move(map));
  }
  return list;
}

// What machines get: with columns those of the table, in the shape that the document has.
absl::StatusOr<Document> MachineDocument(Report report, const ReportOptions& options) {
  if (options.table.columns.empty() && options.table.sort.empty()) return report.document;
  if (options.table.columns.empty() && !report.document.is_list()) return report.document;
  const bool list = report.document.is_list();
  if (options.table.columns.empty()) {
    // Only sorted: the items follow their rows.
    if (report.document.list().size() != report.table.rows.size()) return report.document;
    Table order{.columns = report.table.columns, .key = report.table.key};
    order.columns.push_back({.name = "#"});
    for (size_t i = 0; i < report.table.rows.size(); ++i) {
      order.rows.push_back(report.table.rows[i]);
      order.rows.back().emplace_back(static_cast<int64_t>(i));
    }
    DET_RETURN_IF_ERROR(Arrange({.columns = {"#"}, .sort = options.table.sort}, false, &order));
    Document::List items;
    for (const auto& row : order.rows) {
      items.push_back(report.document.list()[static_cast<size_t>(std::get<int64_t>(row[0]))]);
    }
    return Document(std::move(items));
  }
  DET_RETURN_IF_ERROR(Arrange(options.table, false, &report.table));
  Document rows = TableDocument(report.table);
  if (!list && rows.list().size() == 1) return Document(rows.list()[0]);
  return rows;
}

std::string JsonLines(const Document& document) {
  if (!document.is_list()) return StrCat(ToCompactJson(document), "\n");
  return StrJoin(
      document.list(), "", [](const Document& item) { return StrCat(ToCompactJson(item), "\n"); });
}

absl::StatusOr<std::string> RenderDocument(Report report, const ReportOptions& options) {
  DET_ASSIGN_OR_RETURN(const Document document, MachineDocument(std::move(report), options));
  switch (options.format) {
    case Format::kJsonl:
      return JsonLines(document);
    case Format::kYaml:
      return ToYaml(document);
    case Format::kTemplate:
      return FillTemplate(options.text, document);
    default:
      return ToPrettyJson(document);
  }
}

absl::StatusOr<std::string> RenderExact(Report report, const ReportOptions& options) {
  AddPaths(options.table.columns, &report);
  switch (options.format) {
    case Format::kTable:
    case Format::kWide:
      return RenderTable(std::move(report), options);
    case Format::kName:
      DET_RETURN_IF_ERROR(Arrange(
          {.columns = {report.table.key}, .sort = options.table.sort}, false, &report.table));
      return NamesText(report.table);
    case Format::kCsv:
    case Format::kTsv:
      DET_RETURN_IF_ERROR(Arrange(options.table, false, &report.table));
      return options.format == Format::kCsv ? CsvText(report.table, options.table.header)
                                            : TsvText(report.table, options.table.header);
    default:
      return RenderDocument(std::move(report), options);
  }
}

}  // namespace

absl::StatusOr<std::string> Render(Report report, const ReportOptions& options) {
  DET_ASSIGN_OR_RETURN(std::string text, RenderExact(std::move(report), options));
  // A table is safe already, and coloured by us. The other formats are bytes for programs, unless
  // it is a person's terminal that gets them.
  if (options.terminal.tty && !IsForPeople(options.format)) {
    return EscapeControls(text, Escape::kProse, options.terminal.utf8);
  }
  return text;
}

}  // namespace det::cli
